"""Objects and instances for tests of attributes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import AttributeInstance, AttributeKey, RawValue, VendorAttribute
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import ManagedObjectStruct, SymmetricKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import Link, Name
from strongroom.registry import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ItemType,
    KeyFormatType,
    LinkType,
    ObjectType,
    State,
    Tag,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def blank(
    object_type: ObjectType = ObjectType.SYMMETRIC_KEY,
    *,
    state: State | None = State.PRE_ACTIVE,
    material: ManagedObjectStruct | None = None,
) -> ManagedObject:
    """Return an object without attributes."""
    return ManagedObject(
        unique_identifier=UniqueIdentifier("e6b0b1c4-0f0e-4a55-9f43-000000000001"),
        object_type=object_type,
        tenant=1,
        owner=1,
        sequence=1,
        state=state,
        material=material,
    )


def aes_material() -> SymmetricKey:
    return SymmetricKey(
        key_block=KeyBlock(
            key_format_type=KeyFormatType.RAW,
            key_value=KeyValue(key_material=SecretBytes(bytes(32))),
            cryptographic_algorithm=CryptographicAlgorithm.AES,
            cryptographic_length=256,
        )
    )


def aes_key(*, state: State = State.PRE_ACTIVE, **attributes: Any) -> ManagedObject:
    """Return an AES key with what the server gives each, and more: `usage_limits=...`."""
    obj = blank(state=state, material=aes_material())
    obj.set(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES)
    obj.set(Tag.CRYPTOGRAPHIC_LENGTH, 256)
    obj.set(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.DECRYPT)
    obj.set(Tag.INITIAL_DATE, NOW)
    for tag, value in (
        (Tag.SENSITIVE, False),
        (Tag.ALWAYS_SENSITIVE, False),
        (Tag.EXTRACTABLE, True),
        (Tag.NEVER_EXTRACTABLE, False),
    ):
        obj.set(tag, value)
    for name, value in attributes.items():
        obj.set(Tag[name.upper()], value)
    return obj


def given(key: AttributeKey, value: Any, index: int | None = None) -> AttributeInstance:
    return AttributeInstance(key, value, index)


def name(value: str) -> AttributeInstance:
    return given(Tag.NAME, Name(name_value=value))


def link(link_type: LinkType, target: str) -> AttributeInstance:
    return given(Tag.LINK, Link(link_type=link_type, linked_object_identifier=UniqueIdentifier(target)))


def custom(attribute_name: str, value: str, *, vendor: str = "x") -> AttributeInstance:
    return given(VendorAttribute(vendor, attribute_name), RawValue(ItemType.TEXT_STRING, value))
