"""Items to Structs and back, compiled once per structure and version.

Rule: all version gates of fields are applied here. Input is read liberally: a field that another version
defines is accepted. Output holds only what the version defines. `Any` is at home here, since an Item's value
can be anything.

The functions are generated as source, because a request is a dozen small structures and interpretation of
the field table would cost more than everything else the server does with it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeVar

from strongroom.model.errors import MalformedField, NotInVersion, UnknownField
from strongroom.model.forms import EnumerationForm, Form, MaskForm, PlainForm, form_of
from strongroom.model.struct import Field, Implied, Shape, Struct, StructMeta
from strongroom.registry import ItemType, Version
from strongroom.registry.names import TAGS, defined_tags
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import Item

S = TypeVar("S", bound=Struct)

_EXTENSION_TAGS: Final = 0x540000
_MOST_KNOWN: Final = 1024


class FieldShape(Shape, ABC):
    """A field that is not one item of one type: several tags, several items, or a form of its own.

    One object serves every version; it is given the version at compile time.
    """

    @abstractmethod
    def tags(self, field: Field) -> frozenset[int]:
        """Return every tag, of any version, that feeds the field."""

    @abstractmethod
    def absorber(self, field: Field, version: Version | None) -> Callable[[int, int, Any, Any], Any]:
        """Return `(tag, item type, value, what was absorbed before or None) -> absorbed`."""

    @abstractmethod
    def emitter(self, field: Field, version: Version | None) -> Callable[[Any, list[Item]], None]:
        """Return `(field value, items to append to) -> None`; not called for None."""


class ValueShape(FieldShape):
    """A field with one tag whose item type depends on the version or the value: wraps a Form."""

    def __init__(self, form: Form) -> None:
        self.form = form

    def tags(self, field: Field) -> frozenset[int]:
        return frozenset({int(_tag(field))})

    def absorber(self, field: Field, version: Version | None) -> Callable[[int, int, Any, Any], Any]:
        decode, accepted, name = self.form.decoder(version), self.form.item_types, tag_name(_tag(field))

        def absorb(tag: int, item_type: int, value: Any, before: Any) -> Any:
            if item_type not in accepted:
                raise wrong_type(name, accepted, item_type)
            if field.repeated:
                return (*(before or ()), decode(item_type, value))
            if before is not None:
                raise repeated(name)
            return decode(item_type, value)

        return absorb

    def emitter(self, field: Field, version: Version | None) -> Callable[[Any, list[Item]], None]:
        encode, tag = self.form.encoder(version), int(_tag(field))

        def emit(value: Any, out: list[Item]) -> None:
            for one in value if field.repeated else (value,):
                out.append((tag, *encode(one)))

        return emit


def tag_name(tag: int) -> str:
    """Return the specification's element name of a tag, or its number."""
    entry = TAGS.get(tag)
    return f"0x{tag:06X}" if entry is None else entry.name


def wrong_type(name: str, accepted: tuple[int, ...], item_type: int) -> DecodeError:
    """Return the error for an item of another type."""
    wanted = " or ".join(ItemType(t).name for t in accepted)
    return MalformedField(f"expected {wanted}, got {ItemType(item_type).name}", path=((name, None),))


def repeated(name: str) -> DecodeError:
    """Return the error for a field that stands twice."""
    return MalformedField("stands more than once", path=((name, None),))


def missing(name: str) -> DecodeError:
    """Return the error for a required field that is not there."""
    return MalformedField(f"{name} is missing")


def unknown(tag: int) -> None:
    """Return for a vendor's tag, which is ignored; raises UnknownField."""
    if tag < _EXTENSION_TAGS:
        raise UnknownField("is not a field of this structure", path=((tag_name(tag), None),))


def under(error: DecodeError, name: str, occurrence: int | None) -> DecodeError:
    """Return the error with its path put below `name`."""
    error.path = ((name, occurrence), *error.path)
    return error


def _tag(field: Field) -> int:
    if field.tag is None:
        raise TypeError(f"{field.name} has no tag")
    return field.tag


@cache
def decoder(
    cls: type[S], version: Version | None, *, lenient: bool = False, partial: bool = False
) -> Callable[[list[Item]], S]:
    """Return the function from the Items of a structure to `cls`; raises DecodeError.

    `lenient` ignores fields that no version defines and leaves unknown values of enumerations plain integers,
    as a client must that talks to any server. `partial` leaves absent fields None whatever the declaration
    says, as a filter of Locate may.
    """
    source, names = _decoder_source(cls, version, lenient=lenient, partial=partial)
    exec(source, names)  # noqa: S102 - generated from field tables alone
    function: Callable[[list[Item]], S] = names["decode"]
    return _remembering(function) if cls.recurrent else function


def _remembering(decode: Callable[[list[Item]], S]) -> Callable[[list[Item]], S]:
    """Return a decoder that knows structures again that consist of numbers and members of enumerations."""
    known: dict[tuple[Item, ...], S] = {}

    def decode_or_remember(items: list[Item]) -> S:
        key = tuple(items)
        try:
            return known[key]
        except (KeyError, TypeError):  # TypeError: there is a structure in it
            made = decode(items)
        if all(isinstance(value, int) for _, _, value in items):
            if len(known) >= _MOST_KNOWN:
                known.clear()
            known[key] = made
        return made

    return decode_or_remember


@cache
def encoder(cls: type[Struct], version: Version | None) -> Callable[[Any], list[Item]]:
    """Return the function from a `cls` to the Items of its structure; raises NotInVersion."""
    source, names = _encoder_source(cls, version)
    exec(source, names)  # noqa: S102 - generated from field tables alone
    function: Callable[[Any], list[Item]] = names["encode"]
    return function


def _decoder_source(
    cls: StructMeta, version: Version | None, *, lenient: bool, partial: bool
) -> tuple[str, dict[str, Any]]:
    names: dict[str, Any] = {
        "cls": cls, "new": cls.__new__, "wrong_type": wrong_type, "repeated": repeated, "missing": missing,
        "unknown": unknown, "under": under, "DecodeError": DecodeError,
    }  # fmt: skip
    lines = ["def decode(items):"]
    for i in range(len(cls.fields)):
        lines.append(f"    f{i} = None")
    lines.append("    for tag, item_type, value in items:")
    keyword = "if"
    for i, field in enumerate(cls.fields):
        if isinstance(field.marker, Implied) or (field.off_wire and version is not None):
            continue
        body = _absorb_source(i, field, version, names, lenient=lenient)
        if isinstance(field.marker, FieldShape):
            names[f"tags{i}"] = field.marker.tags(field)
            lines.append(f"        {keyword} tag in tags{i}:")
        else:
            lines.append(f"        {keyword} tag == {int(_tag(field))}:")
        lines += [f"            {line}" for line in body]
        keyword = "elif"
    if not lenient:
        lines += (
            ["        unknown(tag)"] if keyword == "if" else ["        else:", "            unknown(tag)"]
        )
    elif keyword == "if":
        lines.append("        pass")
    for i, field in enumerate(cls.fields):
        name = field.name if field.tag is None else tag_name(field.tag)
        if isinstance(field.marker, Implied):
            implied = version is not None and field.marker.since <= version <= field.marker.until
            lines.append(f"    f{i} = {implied}")
        elif partial:
            pass
        elif (field.required and (version is None or field.since <= version)) or (
            field.required_since is not None and version is not None and field.required_since <= version
        ):
            lines += [f"    if f{i} is None:", f"        raise missing({name!r})"]
        elif field.required or field.default is not None:
            names[f"default{i}"] = () if field.required and field.repeated else field.default
            lines += [f"    if f{i} is None:", f"        f{i} = default{i}"]
        if field.repeated and not isinstance(field.marker, FieldShape):
            lines.append(f"    f{i} = tuple(f{i} or ())")
    lines.append("    self = new(cls)")
    lines += [f"    self.{field.name} = f{i}" for i, field in enumerate(cls.fields)]
    lines.append("    return self")
    return "\n".join(lines), names


def _absorb_source(
    i: int, field: Field, version: Version | None, names: dict[str, Any], *, lenient: bool
) -> list[str]:
    """Return the lines that take one item into field `i`."""
    if isinstance(field.marker, FieldShape):
        names[f"absorb{i}"] = field.marker.absorber(field, version)
        return [f"f{i} = absorb{i}(tag, item_type, value, f{i})"]
    name = tag_name(_tag(field))
    if isinstance(field.kind, StructMeta):
        names[f"sub{i}"] = decoder(field.kind, version, lenient=lenient)
        accepted: tuple[int, ...] = (1,)
        occurrence = f"len(f{i} or ())" if field.repeated else "None"
        value = [
            "try:",
            f"    made = sub{i}(value)",
            "except DecodeError as error:",
            f"    raise under(error, {name!r}, {occurrence}) from None",
        ]
    else:
        form = form_of(field.kind, field.marker if isinstance(field.marker, ItemType) else None)
        accepted = form.item_types
        value = _value_source(i, form, version, names, name, lenient=lenient)
    names[f"accepted{i}"] = accepted
    check = f"item_type != {accepted[0]}" if len(accepted) == 1 else f"item_type not in accepted{i}"
    lines = [f"if {check}:", f"    raise wrong_type({name!r}, accepted{i}, item_type)"]
    if not field.repeated:
        lines += [f"if f{i} is not None:", f"    raise repeated({name!r})"]
    lines += value
    if field.repeated:
        lines += [f"if f{i} is None:", f"    f{i} = []", f"f{i}.append(made)"]
    else:
        lines.append(f"f{i} = made")
    return lines


def _value_source(
    i: int, form: Form, version: Version | None, names: dict[str, Any], name: str, *, lenient: bool
) -> list[str]:
    """Return the lines that convert a simple value into `made`."""
    if isinstance(form, EnumerationForm):
        names[f"members{i}"], names[f"unknown{i}"] = form.members, form.unknown
        if lenient:
            return [f"made = members{i}.get(value, value)"]
        return [
            f"made = members{i}.get(value)",
            "if made is None:",
            "    try:",
            f"        made = unknown{i}(value)",
            "    except DecodeError as error:",
            f"        raise under(error, {name!r}, None) from None",
        ]
    if isinstance(form, MaskForm):
        names[f"make{i}"] = form.make
        return [f"made = make{i}(value & 0xFFFFFFFF)"]
    if isinstance(form, PlainForm):
        if form.convert is None:
            return ["made = value"]
        names[f"convert{i}"] = form.convert
        return [f"made = convert{i}(value)"]
    names[f"form{i}"] = form.decoder(version)
    return [f"made = form{i}(item_type, value)"]


def _encoder_source(cls: StructMeta, version: Version | None) -> tuple[str, dict[str, Any]]:
    names: dict[str, Any] = {}
    lines = ["def encode(self):", "    out = []"]
    for i, field in enumerate(cls.fields):
        if isinstance(field.marker, Implied):
            continue
        if not field.in_version(version) or not _sayable(field, version):
            if field.essential:
                names["NotInVersion"] = NotInVersion
                message = f"{tag_name(_tag(field))} cannot be left out of the answer"
                lines += [
                    f"    if self.{field.name} is not None:",
                    f"        raise NotInVersion({message!r})",
                ]
            continue
        if isinstance(field.marker, FieldShape):
            names[f"emit{i}"] = field.marker.emitter(field, version)
            lines += [f"    v = self.{field.name}", "    if v is not None:", f"        emit{i}(v, out)"]
            continue
        lines.append(f"    v = self.{field.name}")
        if field.repeated:
            lines.append("    for v in v:")
        elif not field.required:
            lines.append("    if v is not None:")
        indent = "        " if field.repeated or not field.required else "    "
        lines += [indent + line for line in _emit_source(i, field, version, names)]
    lines.append("    return out")
    return "\n".join(lines), names


def _sayable(field: Field, version: Version | None) -> bool:
    """Tell whether the version defines the tag of a field, whatever its declaration says.

    A Shape answers for its own tags.
    """
    if version is None or field.tag is None or isinstance(field.marker, Shape):
        return True
    return int(field.tag) in defined_tags(version)


def _emit_source(i: int, field: Field, version: Version | None, names: dict[str, Any]) -> list[str]:
    """Return the lines that append the value `v` of field `i`."""
    tag = int(_tag(field))
    if isinstance(field.kind, StructMeta):
        names[f"sub{i}"] = encoder(field.kind, version)
        emit = f"out.append(({tag}, 1, sub{i}(v)))"
        if field.where_sayable:
            names["NotInVersion"] = NotInVersion
            return ["try:", f"    {emit}", "except NotInVersion:", "    pass"]
        return [emit]
    form = form_of(field.kind, field.marker if isinstance(field.marker, ItemType) else None)
    if isinstance(form, EnumerationForm):
        names[f"allowed{i}"], names[f"fall_back{i}"] = form.allowed(version), form.fall_back
        if field.repeated:
            # A list of capabilities tells each version only what that version can name.
            return [f"if v in allowed{i} or v >= {0x80000000}:", f"    out.append(({tag}, 5, v))"]
        return [
            f"if v not in allowed{i}:",
            f"    v = fall_back{i}(v, allowed{i})",
            f"out.append(({tag}, 5, v))",
        ]
    if isinstance(form, PlainForm):
        if form.revert is None:
            return [f"out.append(({tag}, {form.item_types[0]}, v))"]
        names[f"revert{i}"] = form.revert
        return [f"out.append(({tag}, {form.item_types[0]}, revert{i}(v)))"]
    names[f"form{i}"] = form.encoder(version)
    return [f"out.append(({tag}, *form{i}(v)))"]
