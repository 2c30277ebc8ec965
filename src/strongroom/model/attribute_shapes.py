"""Fields that hold attributes, or name them, in the dialect of each version.

Rule: where attributes stand in a structure is decided here: in a Template-Attribute or bare (1.x), in
Attributes (2.x). An answer leaves out every attribute that its version cannot say.
"""

from collections.abc import Callable, Iterable
from typing import Any

from strongroom.model.attribute_items import decode_all, decode_tagged, encode_attribute, encode_value
from strongroom.model.attribute_list import (
    AttributeInstance,
    AttributeKey,
    Attributes,
    TemplateAttributes,
    VendorAttribute,
)
from strongroom.model.attribute_types import declared_types, key_from_name, name_of, sayable
from strongroom.model.compat import LINK_TYPES
from strongroom.model.convert import FieldShape, tag_name, under, wrong_type
from strongroom.model.errors import MalformedField, NotInVersion
from strongroom.model.struct import Field
from strongroom.model.structures import Name
from strongroom.registry import V2_0, Tag, Version
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import Item


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
                    more_names, more = decode_all(value, version, partial=self.partial)
                except DecodeError as error:
                    raise under(error, tag_name(tag), None) from None
            return TemplateAttributes(
                names=(*gathered.names, *more_names), attributes=Attributes((*gathered.attributes, *more))
            )

        return absorb

    def emitter(self, field: Field, version: Version | None) -> Callable[[Any, list[Item]], None]:
        newer = version is None or version >= V2_0

        def emit(value: TemplateAttributes, out: list[Item]) -> None:
            items = [i for a in value.attributes if (i := encode_attribute(a, version)) is not None]
            if newer:
                if items or self.always:
                    out.append((self.wrapper, 1, items))
                return
            names: list[Item] = [(Tag.NAME, *encode_value(Tag.NAME, n, version)) for n in value.names]
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
            item = encode_attribute(value, version)
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
        if value in declared_types() or value in LINK_TYPES:
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
