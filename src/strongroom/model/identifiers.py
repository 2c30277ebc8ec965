"""Unique Identifiers and the other ways in which a request points at an object.

Rule: 1.x has text; 2.x adds enumerations ("the object that Create made") and places in the batch; 3.0 has its
own item types. Inside there is one union, resolved by the engine.
"""

from typing import Any, NamedTuple, NewType, TypeAlias

from strongroom.model.errors import MalformedField, UnknownValue
from strongroom.model.forms import Decoder, Encoder, Form, form_of, set_form
from strongroom.registry import V3_0, ItemType, UniqueIdentifierEnumeration, Version

UniqueIdentifier = NewType("UniqueIdentifier", str)
LinkedIdentifier = NewType("LinkedIdentifier", str)
"""The identifier of the object at the other end of a link; 3.0 gives it the item type Reference."""

MAXIMUM_LENGTH = 1024
"""Characters; ours have 36, and no client is known to send more than 128."""

MAXIMUM_BYTES = 2000
"""In UTF-8, of one that a client chooses: it stands in indexes, and those of PostgreSQL hold 2,700 a row."""


class BatchReference(NamedTuple):
    """The Unique Identifier of that number in the answer, counted from 0, or backwards (KMIP 2.1 §4.58)."""

    number: int


class NameReference(str):
    """The name of an object where an identifier may stand: the one object of the caller that has it (3.0)."""

    __slots__ = ()


ObjectReference: TypeAlias = UniqueIdentifier | UniqueIdentifierEnumeration | BatchReference | NameReference


class IdentifierForm(Form):
    """An identifier in an answer: text, from 3.0 on an item type of its own."""

    item_types = (int(ItemType.TEXT_STRING), int(ItemType.IDENTIFIER), int(ItemType.REFERENCE))

    def __init__(self, newest: ItemType) -> None:
        self.newest = int(newest)

    def decoder(self, version: Version | None) -> Decoder:
        return lambda _, value: value

    def encoder(self, version: Version | None) -> Encoder:
        item_type = self.newest if version is not None and version >= V3_0 else 7
        return lambda value: (item_type, value)


class ReferenceForm(Form):
    """Any way in which a request may point at an object."""

    item_types = tuple(
        map(
            int,
            (
                ItemType.TEXT_STRING,
                ItemType.IDENTIFIER,
                ItemType.REFERENCE,
                ItemType.NAME_REFERENCE,
                ItemType.ENUMERATION,
                ItemType.INTEGER,
            ),
        )
    )

    def decoder(self, version: Version | None) -> Decoder:
        enumeration = form_of(UniqueIdentifierEnumeration).decoder(version)

        def decode(item_type: int, value: Any) -> ObjectReference:
            match item_type:
                case ItemType.ENUMERATION:
                    reference: ObjectReference = enumeration(5, value)
                    if not isinstance(reference, UniqueIdentifierEnumeration):
                        raise UnknownValue(f"0x{value:08X} is not a way to point at an object")
                    return reference
                case ItemType.INTEGER:
                    return BatchReference(value)
                case ItemType.NAME_REFERENCE:
                    return NameReference(value)
                case _:
                    if len(value) > MAXIMUM_LENGTH:
                        raise MalformedField(f"an identifier has at most {MAXIMUM_LENGTH} characters")
                    return UniqueIdentifier(value)

        return decode

    def encoder(self, version: Version | None) -> Encoder:
        item_type = 12 if version is not None and version >= V3_0 else 7

        def encode(value: ObjectReference) -> tuple[int, Any]:
            match value:
                case UniqueIdentifierEnumeration():
                    return 5, int(value)
                case BatchReference(index):
                    return 2, index
                case NameReference():
                    return 14, str(value)
                case _:
                    return item_type, value

        return encode


set_form(UniqueIdentifier, IdentifierForm(ItemType.IDENTIFIER))


class LinkForm(Form):
    """A link of 3.0: the identifier of an object, or its name."""

    item_types = (
        *IdentifierForm.item_types,
        int(ItemType.NAME_REFERENCE),
    )

    def decoder(self, version: Version | None) -> Decoder:
        return lambda item_type, value: NameReference(value) if item_type == 14 else value

    def encoder(self, version: Version | None) -> Encoder:
        return lambda value: (14, str(value)) if isinstance(value, NameReference) else (13, value)


set_form(LinkedIdentifier, LinkForm())
set_form(ObjectReference, ReferenceForm())
