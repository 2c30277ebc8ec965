"""One attribute to and from Items: three dialects outside.

Rule: Attribute Name/Index/Value (1.x), a tag of its own (2.x), split link tags (3.0) and the storage form all
become an `AttributeInstance` here, and it becomes them.
"""

from collections.abc import Mapping
from functools import cache
from operator import attrgetter
from typing import Any, Final

from strongroom.model.attribute_list import SMALL, AttributeInstance, AttributeKey, RawValue, VendorAttribute
from strongroom.model.attribute_types import declared_types, key_from_name, name_of, sayable
from strongroom.model.compat import LINK_TAGS, LINK_TYPES, TEXT_SINCE_3_0
from strongroom.model.convert import decoder, encoder, tag_name, under, wrong_type
from strongroom.model.errors import MalformedField, NotInVersion, UnknownField
from strongroom.model.forms import Decoder, Encoder, Form, form_of
from strongroom.model.struct import StructMeta
from strongroom.model.structures import Link, Name
from strongroom.model.unnamed import meant_by
from strongroom.registry import V2_0, V3_0, Tag, Version
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import Item


@cache
def _value_decoder(tag: Tag, version: Version | None, *, partial: bool = False) -> Decoder:
    declared = declared_types()[tag]
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
    declared = declared_types()[tag]
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
    meant = meant_by(((d.tag, d.kind) for d in declared_types().values()), *value) if vendor is None else None
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
        if tag not in declared_types():
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


def _encode_instance(instance: AttributeInstance, version: Version) -> Item | None:
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


def encode_attribute(instance: AttributeInstance, version: Version | None) -> Item | None:
    """Return the item of one attribute; without a version in the storage form. None: it cannot be said."""
    return encode_stored(instance) if version is None else _encode_instance(instance, version)


def decode_all(
    items: list[Item], version: Version | None, *, partial: bool
) -> tuple[list[Name], list[AttributeInstance]]:
    """Return the names and attributes of a Template-Attribute or Attributes structure."""
    names: list[Name] = []
    instances: list[AttributeInstance] = []
    for position, (tag, item_type, value) in enumerate(items):
        if tag == Tag.NAME and version is not None and version < V2_0:
            # SPEC(KMIP 1.0 §2.1.8): a Name beside the Attributes refers to a Template.
            names.append(decode_value(Tag.NAME, item_type, value, version))
            continue
        try:
            instances.append(decode_tagged((tag, item_type, value), version, partial=partial))
        except DecodeError as error:
            if tag == Tag.ATTRIBUTE and error.path:
                error.path = (("Attribute", position), *error.path[1:])
            raise
    return names, instances
