"""Managed objects to rows and back.

Rule: the stored form of attributes and material is defined here: the storage dialect of the model (version
None), in TTLV, so that every attribute is kept exactly and a new one needs no migration.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from strongroom.domain.objects import AttributeMap, ManagedObject
from strongroom.model.attribute_items import decode_tagged, encode_stored
from strongroom.model.attribute_list import SMALL, AttributeInstance, SharedInstances
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import ManagedObjectStruct, decode_object, encode_object
from strongroom.model.secret import SecretBytes
from strongroom.registry import ObjectType, State, Tag
from strongroom.store.records import NameRow, ObjectRow
from strongroom.wire import binary
from strongroom.wire.limits import OWN

PLACEHOLDER_NAMES: Final = frozenset(
    {
        "Symmetric Key",
        "Public Key",
        "Private Key",
        "Split Key",
        "Secret Data",
        "Opaque Object",
        "Certificate",
        "X.509 Certificate",
        "Template",
    }
)
"""Names that the PyKMIP library gives to every unnamed object; they may stand any number of times."""

_INDEX: Final = int(Tag.ATTRIBUTE_INDEX)
_ATTRIBUTES: Final = int(Tag.ATTRIBUTES)


def encode_attributes(attributes: AttributeMap) -> bytes:
    """Return the stored form; an Attribute Index stands before an instance that has one."""
    encoded = [
        (type(instances) is SharedInstances and instances.encoded) or _encode_instances(instances)
        for instances in attributes.values()
    ]
    return binary.structure(_ATTRIBUTES, encoded)


def _encode_instances(instances: Sequence[AttributeInstance]) -> bytes:
    if len(instances) == 1:
        encoded = _encode_instance(instances[0])
    else:
        encoded = b"".join(map(_encode_instance, instances))
    if type(instances) is SharedInstances:
        instances.encoded = encoded
    return encoded


def _encode_instance(instance: AttributeInstance) -> bytes:
    return _encode_small(instance) if isinstance(instance[1], SMALL) else _encode_any(instance)


def _encode_any(instance: AttributeInstance) -> bytes:
    item = binary.encode(encode_stored(instance))
    return item if instance[2] is None else binary.encode((_INDEX, 2, instance[2])) + item


_encode_small: Final = lru_cache(maxsize=4096)(_encode_any)


def decode_attributes(stored: bytes) -> AttributeMap:
    """Return the attributes of a row; raises DecodeError."""
    attributes: AttributeMap = {}
    index: int | None = None
    for item in binary.decode(stored, OWN)[2]:
        if item[0] == _INDEX:
            index = item[2]
            continue
        key, value, _ = decode_tagged(item, None)
        attributes[key] = (*attributes.get(key, ()), AttributeInstance(key, value, index))
        index = None
    return attributes


def encode_material(obj: ManagedObject) -> SecretBytes:
    """Return what is sealed, as TTLV: the material and, behind it, the wrapped form that it came in.

    Nothing for an object without material.
    """
    if obj.material is None:
        return SecretBytes(b"")
    forms = [obj.material] if obj.as_registered is None else [obj.material, obj.as_registered]
    return SecretBytes(b"".join(binary.encode(encode_object(form, None)) for form in forms))


def decode_material(opened: SecretBytes) -> tuple[ManagedObjectStruct | None, ManagedObjectStruct | None]:
    """Return what was sealed, material and wrapped form; None where there is none."""
    stored = opened.reveal()
    if not stored:
        return None, None
    end = 8 + int.from_bytes(stored[4:8])
    material = decode_object(binary.decode(stored[:end], OWN), None)
    rest = stored[end:]
    return material, decode_object(binary.decode(rest, OWN), None) if rest else None


def to_row(obj: ManagedObject, *, generation: int, store_key: int) -> ObjectRow:
    """Return the row of an object, its `sealed` still empty."""
    mask = obj.value(Tag.CRYPTOGRAPHIC_USAGE_MASK)
    return ObjectRow(
        sequence=obj.sequence,
        unique_identifier=obj.unique_identifier,
        tenant=obj.tenant,
        owner=obj.owner,
        generation=generation,
        object_type=int(obj.object_type),
        state=None if obj.state is None else int(obj.state),
        storage=obj.storage,
        usage_mask=0 if mask is None else int(mask),
        activation_date=_seconds(obj.value(Tag.ACTIVATION_DATE)),
        deactivation_date=_seconds(obj.value(Tag.DEACTIVATION_DATE)),
        store_key=store_key,
        attributes=encode_attributes(obj.attributes),
        sealed=b"",
    )


def from_row(row: ObjectRow, opened: SecretBytes) -> ManagedObject:
    """Return the object of a row whose material was opened; raises DecodeError."""
    material, as_registered = decode_material(opened)
    return ManagedObject(
        unique_identifier=UniqueIdentifier(row.unique_identifier),
        object_type=ObjectType(row.object_type),
        tenant=row.tenant,
        owner=row.owner,
        sequence=row.sequence,
        state=None if row.state is None else State(row.state),
        generation=row.written,
        archived=Tag.ARCHIVE_DATE in (attributes := decode_attributes(row.attributes)),
        attributes=attributes,
        material=material,
        as_registered=as_registered,
    )


def names(obj: ManagedObject) -> set[NameRow]:
    """Return the names that the object keeps from others; none once it is destroyed."""
    if obj.destroyed:
        return set()
    return {
        NameRow(obj.tenant, obj.owner, value.name_value)
        for value in obj.values(Tag.NAME)
        if value.name_value not in PLACEHOLDER_NAMES
    }


def _seconds(date: datetime | None) -> int | None:
    return None if date is None else int((date - _EPOCH).total_seconds())


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
