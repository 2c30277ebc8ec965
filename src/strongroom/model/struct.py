"""Declarative structures: a class of annotated fields is all there is to a KMIP structure.

Rule: a field's name is its tag in lower case, its annotation says type and versions; how it looks on the
wire is derived in `convert.py`. A Struct is never changed after it was made; it may be shared and cached.

    class UsageLimits(Struct):
        usage_limits_total: Int64
        usage_limits_count: Int64 | None = None

Absent is `None`; a field that may repeat is a tuple, empty when absent.
"""

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, NewType, TypeAlias, Union, dataclass_transform, get_args

from strongroom.registry import NEWEST, V1_0, ItemType, Tag, Version


@dataclass(frozen=True, slots=True)
class Since:
    """The first version that has the field."""

    version: Version


@dataclass(frozen=True, slots=True)
class Until:
    """The last version that has the field."""

    version: Version


@dataclass(frozen=True, slots=True)
class RequiredSince:
    """The first version in which the field may not be left out; the default is never seen from then on."""

    version: Version


@dataclass(frozen=True, slots=True)
class Essential:
    """An answer without the field would mislead: a version that lacks it gets an error instead."""


@dataclass(frozen=True, slots=True)
class OffWire:
    """No version has the field in its messages, in or out: it is the server's own, and the store keeps it."""


@dataclass(frozen=True, slots=True)
class Own:
    """A field that no version of KMIP has: the store keeps it under this number (1 to 65,535).

    A number is never used again in its structure. A field that comes later has a default, since older records
    lack it.
    """

    number: int


@dataclass(frozen=True, slots=True)
class Tagged:
    """The tag of a field whose name the specification does not tag (`Object Groups` in one place)."""

    tag: Tag


@dataclass(frozen=True, slots=True)
class Implied:
    """A field that is on no wire: True in requests of the versions from `since` to `until`, else False."""

    since: Version
    until: Version


@dataclass(frozen=True, slots=True)
class WhereSayable:
    """A repeated field of an answer that leaves out the structures which the version cannot say."""


class Shape:
    """A field whose form on the wire is not one item of one type; see `convert.py` for the calls made."""


Int32: TypeAlias = Annotated[int, ItemType.INTEGER]
Int64: TypeAlias = Annotated[int, ItemType.LONG_INTEGER]
BigInt: TypeAlias = Annotated[int, ItemType.BIG_INTEGER]
OWN_TAGS: Final = 0x540000
"""Where KMIP leaves tags to vendors."""

Seconds = NewType("Seconds", int)
"""An Interval: 0 to 2**32-1 seconds."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a Struct, with its annotation taken apart.

    `kind` is the Python type of one value; `marker` an ItemType that overrides the one `kind` implies, a
    Shape or Implied. `default` is `REQUIRED` when there is none.
    """

    name: str
    tag: int | None
    kind: Any
    marker: ItemType | Shape | Implied | None
    repeated: bool
    required: bool
    required_since: Version | None
    default: Any
    since: Version
    until: Version
    essential: bool
    off_wire: bool
    where_sayable: bool

    def in_version(self, version: Version | None) -> bool:
        """Tell whether the field exists in `version`; None is the storage form, which has every field."""
        return version is None or (not self.off_wire and self.since <= version <= self.until)


REQUIRED: Final = object()


def _parts(annotation: Any) -> tuple[Any, list[Any], bool, bool]:
    """Return (type, metadata, may be None, repeats) of an annotation."""
    metadata: list[Any] = []
    optional = repeated = False
    while True:
        origin = typing.get_origin(annotation)
        if origin is Annotated:
            annotation, *extra = get_args(annotation)
            metadata += extra
        elif origin in (Union, types.UnionType) and type(None) in get_args(annotation):
            rest = [a for a in get_args(annotation) if a is not type(None)]
            if len(rest) > 1:
                return Union[tuple(rest)], metadata, True, repeated  # noqa: UP007 - made at run time
            annotation, optional = rest[0], True
        elif origin is tuple:
            annotation, repeated = get_args(annotation)[0], True
        else:
            return annotation, metadata, optional, repeated


def _field(owner: str, name: str, annotation: Any, default: Any) -> Field:
    kind, metadata, optional, repeated = _parts(annotation)
    marker: ItemType | Shape | Implied | None = None
    tag: int | None = Tag.__members__.get(name.upper())
    since, until, required_since = V1_0, NEWEST, None
    essential = off_wire = where_sayable = False
    for extra in metadata:
        match extra:
            case Since(version):
                since = version
            case Until(version):
                until = version
            case RequiredSince(version):
                required_since = version
            case Essential():
                essential = True
            case OffWire():
                off_wire = True
            case WhereSayable():
                where_sayable = True
            case Tagged(tagged):
                tag = tagged
            case Own(number):
                tag, off_wire = OWN_TAGS + number, True
            case ItemType() | Shape() | Implied():
                marker = extra
            case _:
                raise TypeError(f"{owner}.{name}: {extra!r} means nothing here")
    if tag is None and not isinstance(marker, Shape | Implied):
        raise TypeError(f"{owner}.{name}: no tag {name.upper()} in the registry")
    if optional and default is REQUIRED:
        raise TypeError(f"{owner}.{name}: an optional field needs the default None")
    return Field(
        name=name,
        tag=tag,
        kind=kind,
        marker=marker,
        repeated=repeated,
        required=default is REQUIRED,
        required_since=required_since,
        default=default,
        since=since,
        until=until,
        essential=essential,
        off_wire=off_wire,
        where_sayable=where_sayable,
    )


@dataclass_transform(kw_only_default=True, frozen_default=True)
class StructMeta(type):
    """Turns annotations into slots, an initialiser and the field table."""

    fields: tuple[Field, ...]

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any
    ) -> "StructMeta":
        annotations = {
            field: annotation
            for field, annotation in namespace.get("__annotations__", {}).items()
            if typing.get_origin(annotation) is not ClassVar
        }
        own = [_field(name, f, a, namespace.pop(f, REQUIRED)) for f, a in annotations.items()]
        namespace["__slots__"] = tuple(annotations)
        cls = super().__new__(mcls, name, bases, namespace, **keywords)
        inherited = [f for base in reversed(cls.__mro__[1:]) for f in vars(base).get("own_fields", ())]
        cls.own_fields = tuple(own)  # type: ignore[attr-defined]
        cls.fields = (*inherited, *own)
        cls.__init__ = _initialiser(cls.fields)  # type: ignore[misc]
        return cls


def _initialiser(fields: tuple[Field, ...]) -> Any:
    """Return an `__init__` that takes the fields as keywords."""
    parameters = ["self", "*"] if fields else ["self"]
    defaults: dict[str, Any] = {}
    for field in fields:
        if field.required:
            parameters.append(field.name)
        else:
            defaults[f"_{field.name}"] = field.default
            parameters.append(f"{field.name}=_{field.name}")
    body = [f"    self.{f.name} = {f.name}" for f in fields] or ["    pass"]
    source = f"def __init__({', '.join(parameters)}):\n" + "\n".join(body)
    exec(source, defaults)  # noqa: S102 - the source is made of identifiers of the class alone
    return defaults["__init__"]


class Struct(metaclass=StructMeta):
    """A KMIP structure; see the module.

    `recurrent`: requests have the same few values over and over, and never secret ones, so that what was read
    once may be given out again.
    """

    recurrent: ClassVar[bool] = False

    def values(self) -> Iterator[Any]:
        """Yield the field values in order."""
        return (getattr(self, f.name) for f in type(self).fields)

    def replace(self, **changes: Any) -> typing.Self:
        """Return a copy with some fields changed."""
        current = {f.name: getattr(self, f.name) for f in type(self).fields}
        return type(self)(**(current | changes))

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, f.name) == getattr(other, f.name) for f in type(self).fields)

    def __hash__(self) -> int:
        return hash((type(self), *self.values()))

    def __repr__(self) -> str:
        # Secrets are in types whose own repr is blank, so a Struct may print every field.
        shown = ", ".join(
            f"{f.name}={v!r}" for f, v in zip(type(self).fields, self.values(), strict=True) if v != f.default
        )
        return f"{type(self).__name__}({shown})"
