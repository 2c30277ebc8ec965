"""Attributes in messages: one list inside, three dialects outside.

Rule: Attribute Name/Index/Value in a Template-Attribute or bare (1.x), tags in Attributes (2.x) and split
link tags (3.0) all become `AttributeInstance`s here. What an attribute means, and who may set it, is decided
in `strongroom.attributes`, which declares each attribute's type to this module.

An answer leaves out every attribute that its version cannot say.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeAlias

from strongroom.model.compat import LINK_TAGS, LINK_TYPES, TEXT_SINCE_3_0
from strongroom.model.convert import FieldShape, decoder, encoder, tag_name, under, wrong_type
from strongroom.model.errors import MalformedField, NotInVersion, UnknownField
from strongroom.model.forms import Decoder, Encoder, Form, form_of
from strongroom.model.struct import Field, StructMeta
from strongroom.model.structures import Link, Name
from strongroom.model.unnamed import meant_by
from strongroom.registry import V2_0, V3_0, ItemType, Tag, Version
from strongroom.registry.names import TAGS
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import Item


class VendorAttribute(NamedTuple):
    """The key of a custom attribute. Vendor `x` and `y` are the x- and y- names of KMIP 1.x.

    An empty vendor is a 1.x name that no version defines: nothing can have such an attribute.
    """

    vendor_identification: str
    attribute_name: str


AttributeKey: TypeAlias = Tag | VendorAttribute


class RawValue(NamedTuple):
    """The value of a custom attribute: any item type, kept as it came."""

    item_type: int
    value: Any


class RawForm(Form):
    """A value whose type another field tells; kept as it came."""

    item_types = tuple(int(t) for t in ItemType)

    def decoder(self, version: Version | None) -> Decoder:
        return RawValue

    def encoder(self, version: Version | None) -> Encoder:
        return lambda value: (value.item_type, value.value)


class AttributeInstance(NamedTuple):
    """One attribute with one value; `index` is the Attribute Index of 1.x, None in the form of 2.x."""

    key: AttributeKey
    value: Any
    index: int | None = None  # type: ignore[assignment]


SMALL: Final = (int, datetime)
"""Types of the values (numbers, flags, members of enumerations, dates) that many objects have in common and
that nobody keeps secret: what is made of one may be remembered."""


class Attributes(tuple[AttributeInstance, ...]):
    """The attributes of a request or answer, in order."""

    __slots__ = ()


NO_ATTRIBUTES: Final = Attributes()


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateAttributes:
    """Attributes of a request that makes an object; `names` are the Templates it refers to (1.x)."""

    names: tuple[Name, ...] = ()
    attributes: Attributes = NO_ATTRIBUTES


@dataclass(frozen=True, slots=True)
class AttributeType:
    """What the wire needs to know of an attribute. `kind` is a Struct or what `form_of` knows."""

    tag: Tag
    name: str
    kind: Any
    marker: ItemType | None
    since: Version
    until: Version | None

    def sayable(self, version: Version | None) -> bool:
        """Tell whether `version` defines the attribute."""
        return version is None or (self.since <= version and (self.until is None or version <= self.until))


_TYPES: Final[dict[int, AttributeType]] = {}
_TAG_BY_NAME: Final[dict[str, Tag]] = {}


def declare_type(declared: AttributeType) -> None:
    """Make an attribute known to the wire; raises TypeError for a second declaration."""
    if declared.tag in _TYPES:
        raise TypeError(f"{declared.name} is declared twice")
    _TYPES[declared.tag] = declared
    _TAG_BY_NAME[declared.name] = declared.tag


def declared_types() -> Mapping[int, AttributeType]:
    """Return every declared attribute by tag."""
    return _TYPES


def key_from_name(name: str) -> AttributeKey:
    """Return the key of a 1.x Attribute Name."""
    tag = _TAG_BY_NAME.get(name)
    if tag is not None:
        return tag
    if name[:2] in ("x-", "y-"):
        return VendorAttribute(name[0], name[2:])
    return VendorAttribute("", name)


def name_of(key: AttributeKey) -> str:
    """Return the 1.x Attribute Name of a key; vendor attributes of 2.x are shown as `vendor-name`."""
    if isinstance(key, VendorAttribute):
        vendor, name = key
        return f"{vendor}-{name}" if vendor else name
    return _TYPES[key].name if key in _TYPES else TAGS[key].spec_name


def sayable(key: AttributeKey, version: Version | None) -> bool:
    """Tell whether an answer of `version` may name the attribute."""
    if isinstance(key, VendorAttribute):
        return version is None or version >= V2_0 or key.vendor_identification in ("x", "y", "")
    declared = _TYPES.get(key)
    return declared is not None and declared.sayable(version)


@cache
def _value_decoder(tag: Tag, version: Version | None, *, partial: bool = False) -> Decoder:
    declared = _TYPES[tag]
    if isinstance(declared.kind, StructMeta):
        decode = decoder(declared.kind, version, partial=partial)
        text_field = TEXT_SINCE_3_0.get(tag)

        def structure(item_type: int, value: Any) -> Any:
            if item_type == 7 and text_field is not None:  # the 3.0 form
                return declared.kind(**{text_field: value})
            if item_type != 1:
                raise wrong_type("AttributeValue", (1,), item_type)
            return decode(value)

        return structure
    form: Form = form_of(declared.kind, declared.marker)
    convert, accepted = form.decoder(version), form.item_types

    def simple(item_type: int, value: Any) -> Any:
        if item_type not in accepted:
            raise wrong_type("AttributeValue", accepted, item_type)
        return convert(item_type, value)

    return simple


@cache
def _value_encoder(tag: Tag, version: Version | None) -> Encoder:
    declared = _TYPES[tag]
    text_field = TEXT_SINCE_3_0.get(tag)
    if text_field is not None and version is not None and version >= V3_0:
        text = attrgetter(text_field)
        return lambda value: (7, text(value))
    if isinstance(declared.kind, StructMeta):
        encode = encoder(declared.kind, version)
        return lambda value: (1, encode(value))
    return form_of(declared.kind, declared.marker).encoder(version)


def decode_value(
    key: AttributeKey, item_type: int, value: Any, version: Version | None, *, partial: bool = False
) -> Any:
    """Return the Python value of an attribute; raises DecodeError. `partial`: see `convert.decoder`."""
    if isinstance(key, VendorAttribute):
        return RawValue(item_type, value)
    return _value_decoder(key, version, partial=partial)(item_type, value)


def encode_value(key: AttributeKey, value: Any, version: Version | None) -> tuple[int, Any]:
    """Return (item type, value) of an attribute; raises NotInVersion."""
    if isinstance(key, VendorAttribute):
        return value.item_type, value.value
    return _value_encoder(key, version)(value)


def decode_attribute(
    items: list[Item], version: Version | None, *, partial: bool = False
) -> AttributeInstance:
    """Return what an Attribute structure holds, in its 1.x or 2.x form."""
    try:
        return _READ[version, partial, *items]
    except (KeyError, TypeError):  # TypeError: its value is a structure
        instance = _read_attribute(items, version, partial=partial)
    if isinstance(instance.value, SMALL):
        if len(_READ) >= _MOST_READ:
            _READ.clear()
        _READ[version, partial, *items] = instance
    return instance


_READ: Final[dict[tuple[Any, ...], AttributeInstance]] = {}
"""Attributes with SMALL values by their items: most requests have some in common."""

_MOST_READ: Final = 4096


def _read_attribute(items: list[Item], version: Version | None, *, partial: bool) -> AttributeInstance:
    found: dict[int, tuple[int, Any]] = {}
    for tag, item_type, value in items:
        if tag in found:
            raise MalformedField("stands more than once", path=((tag_name(tag), None),))
        if tag not in _ATTRIBUTE_FIELDS:
            raise UnknownField("is not a field of this structure", path=((tag_name(tag), None),))
        wanted = _ATTRIBUTE_FIELDS[tag]
        if wanted and item_type != wanted:
            raise wrong_type(tag_name(tag), (wanted,), item_type)
        found[tag] = (item_type, value)
    if Tag.ATTRIBUTE_VALUE not in found:
        raise MalformedField("AttributeValue is missing")
    vendor = found.get(Tag.VENDOR_IDENTIFICATION)
    key = _key_of(found.get(Tag.ATTRIBUTE_NAME), vendor, found[Tag.ATTRIBUTE_VALUE])
    index = found.get(Tag.ATTRIBUTE_INDEX)
    if index is not None and index[1] < 0:
        raise MalformedField("is negative", path=(("AttributeIndex", None),))
    try:
        value = decode_value(key, *found[Tag.ATTRIBUTE_VALUE], version, partial=partial)
    except DecodeError as error:
        if not error.path or error.path[0][0] != "AttributeValue":
            raise under(error, "AttributeValue", None) from None
        raise
    if index is not None:
        return AttributeInstance(key, value, index[1])
    # SPEC(KMIP 1.4 §2.1.1): an Attribute Index that is left out is 0; 2.x has none.
    return AttributeInstance(key, value, 0 if vendor is None else None)


def _key_of(
    name: tuple[int, Any] | None, vendor: tuple[int, Any] | None, value: tuple[int, Any]
) -> AttributeKey:
    """Return which attribute an Attribute structure is; raises MalformedField when nothing says it."""
    if name is not None:
        return key_from_name(name[1]) if vendor is None else VendorAttribute(vendor[1], name[1])
    meant = meant_by(((d.tag, d.kind) for d in _TYPES.values()), *value) if vendor is None else None
    if meant is None:
        raise MalformedField("AttributeName is missing")
    return meant


_ATTRIBUTE_FIELDS: Final[Mapping[int, int]] = {
    Tag.VENDOR_IDENTIFICATION: 7,
    Tag.ATTRIBUTE_NAME: 7,
    Tag.ATTRIBUTE_INDEX: 2,
    Tag.ATTRIBUTE_VALUE: 0,
}


def decode_tagged(item: Item, version: Version | None, *, partial: bool = False) -> AttributeInstance:
    """Return an attribute that stands under its own tag (2.x); raises DecodeError."""
    tag, item_type, value = item
    name = tag_name(tag)
    try:
        if tag == Tag.ATTRIBUTE:
            if item_type != 1:
                raise wrong_type("Attribute", (1,), item_type)
            return decode_attribute(value, version, partial=partial)
        if tag in LINK_TYPES:
            target = form_of(str)
            if item_type not in (7, 12, 13, 14):
                raise wrong_type(name, target.item_types, item_type)
            return AttributeInstance(
                Tag.LINK, Link(link_type=LINK_TYPES[Tag(tag)], linked_object_identifier=value)
            )
        if tag not in _TYPES:
            raise UnknownField("is not an attribute", path=((name, None),))
        return AttributeInstance(Tag(tag), decode_value(Tag(tag), item_type, value, version, partial=partial))
    except DecodeError as error:
        if error.path and error.path[0][0] == "AttributeValue":
            error.path = error.path[1:]
        if error.path and error.path[0][0] == name:
            raise
        raise under(error, name, None) from None


_STORED: Final[dict[AttributeKey, tuple[int, Encoder]]] = {}
"""Tag and encoder of each attribute in its storage form: every change of an object writes all of them."""


def encode_stored(instance: AttributeInstance) -> Item:
    """Return the item of one attribute in the storage form, which has every attribute."""
    key, value, _ = instance
    known = _STORED.get(key)
    if known is None:
        if isinstance(key, VendorAttribute):
            return _vendor_item(key, value.item_type, value.value)
        known = _STORED[key] = (int(key), _value_encoder(key, None))
    item_type, raw = known[1](value)
    return (known[0], item_type, raw)


def _vendor_item(key: VendorAttribute, item_type: int, raw: Any) -> Item:
    fields: list[Item] = [
        (Tag.VENDOR_IDENTIFICATION, 7, key.vendor_identification),
        (Tag.ATTRIBUTE_NAME, 7, key.attribute_name),
        (Tag.ATTRIBUTE_VALUE, item_type, raw),
    ]
    return (Tag.ATTRIBUTE, 1, fields)


def encode_instance(instance: AttributeInstance, version: Version) -> Item | None:
    """Return the item of one attribute in the dialect of `version`; None when it cannot be said there."""
    key, value, index = instance
    if key == Tag.LINK and version >= V3_0:
        tag = LINK_TAGS.get(value.link_type)
        return None if tag is None else (tag, 13, value.linked_object_identifier)
    if not sayable(key, version):
        return None
    try:
        item_type, raw = encode_value(key, value, version)
    except NotInVersion:
        return None
    if version >= V2_0:
        if isinstance(key, VendorAttribute):
            return _vendor_item(key, item_type, raw)
        return (int(key), item_type, raw)
    fields: list[Item] = [(Tag.ATTRIBUTE_NAME, 7, name_of(key)), (Tag.ATTRIBUTE_VALUE, item_type, raw)]
    if index:
        fields.insert(1, (Tag.ATTRIBUTE_INDEX, 2, index))
    return (Tag.ATTRIBUTE, 1, fields)


def _encode(instance: AttributeInstance, version: Version | None) -> Item | None:
    return encode_stored(instance) if version is None else encode_instance(instance, version)


def _decode_all(
    items: list[Item], version: Version | None, *, partial: bool
) -> tuple[list[Name], list[AttributeInstance]]:
    """Return the names and attributes of a Template-Attribute or Attributes structure."""
    names: list[Name] = []
    instances: list[AttributeInstance] = []
    for position, (tag, item_type, value) in enumerate(items):
        if tag == Tag.NAME and version is not None and version < V2_0:
            # SPEC(KMIP 1.0 §2.1.8): a Name beside the Attributes refers to a Template.
            names.append(_value_decoder(Tag.NAME, version)(item_type, value))
            continue
        try:
            instances.append(decode_tagged((tag, item_type, value), version, partial=partial))
        except DecodeError as error:
            if tag == Tag.ATTRIBUTE and error.path:
                error.path = (("Attribute", position), *error.path[1:])
            raise
    return names, instances


class AttributesShape(FieldShape):
    """Attributes under `wrapper` (2.x) and under `older` or bare (1.x: `older` None).

    `always` writes the 2.x structure even when it is empty. `partial` accepts structures with fields left
    out.
    """

    def __init__(
        self, wrapper: Tag, older: Tag | None, *, always: bool = False, partial: bool = False
    ) -> None:
        self.wrapper, self.older, self.always, self.partial = wrapper, older, always, partial

    def tags(self, field: Field) -> frozenset[int]:
        bare = (Tag.ATTRIBUTE,) if self.wrapper is Tag.ATTRIBUTES else ()
        older = () if self.older is None else (self.older,)
        return frozenset(map(int, (self.wrapper, *older, *bare)))

    def absorber(self, field: Field, version: Version | None) -> Callable[[int, int, Any, Any], Any]:
        def absorb(tag: int, item_type: int, value: Any, before: Any) -> Any:
            gathered = before or TemplateAttributes()
            if item_type != 1:
                raise wrong_type(tag_name(tag), (1,), item_type)
            if tag == Tag.ATTRIBUTE:
                more_names: list[Name] = []
                more = [decode_tagged((tag, item_type, value), version, partial=self.partial)]
            else:
                try:
                    more_names, more = _decode_all(value, version, partial=self.partial)
                except DecodeError as error:
                    raise under(error, tag_name(tag), None) from None
            return TemplateAttributes(
                names=(*gathered.names, *more_names), attributes=Attributes((*gathered.attributes, *more))
            )

        return absorb

    def emitter(self, field: Field, version: Version | None) -> Callable[[Any, list[Item]], None]:
        newer = version is None or version >= V2_0

        def emit(value: TemplateAttributes, out: list[Item]) -> None:
            items = [i for a in value.attributes if (i := _encode(a, version)) is not None]
            if newer:
                if items or self.always:
                    out.append((self.wrapper, 1, items))
                return
            names: list[Item] = [(Tag.NAME, *_value_encoder(Tag.NAME, version)(n)) for n in value.names]
            if self.older is None:
                out.extend(items)
            elif items or names or self.always:
                out.append((self.older, 1, names + items))

        return emit


class SingleAttributeShape(FieldShape):
    """One attribute: New or Current Attribute (2.x), Attribute (1.x)."""

    def __init__(self, wrapper: Tag) -> None:
        self.wrapper = wrapper

    def tags(self, field: Field) -> frozenset[int]:
        bare = (Tag.ATTRIBUTE,) if self.wrapper is Tag.NEW_ATTRIBUTE else ()
        return frozenset(map(int, (self.wrapper, *bare)))

    def absorber(self, field: Field, version: Version | None) -> Callable[[int, int, Any, Any], Any]:
        def absorb(tag: int, item_type: int, value: Any, before: Any) -> Any:
            name = tag_name(tag)
            if before is not None:
                raise MalformedField("stands more than once", path=((name, None),))
            if item_type != 1:
                raise wrong_type(name, (1,), item_type)
            if tag == Tag.ATTRIBUTE:
                return decode_tagged((tag, item_type, value), version)
            if len(value) != 1:
                raise MalformedField("holds exactly one attribute", path=((name, None),))
            try:
                return decode_tagged(value[0], version)
            except DecodeError as error:
                raise under(error, name, None) from None

        return absorb

    def emitter(self, field: Field, version: Version | None) -> Callable[[Any, list[Item]], None]:
        newer = version is None or version >= V2_0

        def emit(value: AttributeInstance, out: list[Item]) -> None:
            item = _encode(value, version)
            if item is None:
                raise NotInVersion(f"{name_of(value.key)} is not an attribute of this version")
            out.append((int(self.wrapper), 1, [item]) if newer else item)

        return emit


class AttributeReferenceShape(FieldShape):
    """Names of attributes: Attribute Reference (2.x), Attribute Name (1.x); one, or a tuple when repeated.

    `accepted` narrows it to one of the two, for an operation in which they mean different things.
    """

    def __init__(self, *accepted: Tag) -> None:
        self.accepted = accepted or (Tag.ATTRIBUTE_REFERENCE, Tag.ATTRIBUTE_NAME)

    def tags(self, field: Field) -> frozenset[int]:
        return frozenset(map(int, self.accepted))

    def absorber(self, field: Field, version: Version | None) -> Callable[[int, int, Any, Any], Any]:
        def absorb(tag: int, item_type: int, value: Any, before: Any) -> Any:
            key = _decode_reference(tag, item_type, value)
            if field.repeated:
                return (*(before or ()), key)
            if before is not None:
                raise MalformedField("stands more than once", path=((tag_name(tag), None),))
            return key

        return absorb

    def emitter(self, field: Field, version: Version | None) -> Callable[[Any, list[Item]], None]:
        def emit(value: Any, out: list[Item]) -> None:
            keys: Iterable[AttributeKey] = value if field.repeated else (value,)
            out.extend(_encode_reference(k, version) for k in keys if sayable(k, version))

        return emit


class AttributeNameShape(AttributeReferenceShape):
    """Names of attributes that stay text in every version (Key Wrapping Specification)."""

    def emitter(self, field: Field, version: Version | None) -> Callable[[Any, list[Item]], None]:
        def emit(value: Any, out: list[Item]) -> None:
            out.extend((int(Tag.ATTRIBUTE_NAME), 7, name_of(k)) for k in value if sayable(k, version))

        return emit


def _decode_reference(tag: int, item_type: int, value: Any) -> AttributeKey:
    if tag == Tag.ATTRIBUTE_NAME:
        if item_type != 7:
            raise wrong_type("AttributeName", (7,), item_type)
        return key_from_name(value)
    if item_type == 5:
        if value in _TYPES or value in LINK_TYPES:
            return Tag(value)
        return VendorAttribute("", tag_name(value))
    if item_type != 1:
        raise wrong_type("AttributeReference", (5, 1), item_type)
    fields = {t: v for t, _, v in value}
    if set(fields) != {Tag.VENDOR_IDENTIFICATION, Tag.ATTRIBUTE_NAME}:
        raise MalformedField(
            "needs Vendor Identification and Attribute Name", path=(("AttributeReference", None),)
        )
    return VendorAttribute(fields[Tag.VENDOR_IDENTIFICATION], fields[Tag.ATTRIBUTE_NAME])


def _encode_reference(key: AttributeKey, version: Version | None) -> Item:
    if version is not None and version < V2_0:
        return (Tag.ATTRIBUTE_NAME, 7, name_of(key))
    if isinstance(key, VendorAttribute):
        fields: list[Item] = [
            (Tag.VENDOR_IDENTIFICATION, 7, key.vendor_identification),
            (Tag.ATTRIBUTE_NAME, 7, key.attribute_name),
        ]
        return (Tag.ATTRIBUTE_REFERENCE, 1, fields)
    return (Tag.ATTRIBUTE_REFERENCE, 5, int(key))
