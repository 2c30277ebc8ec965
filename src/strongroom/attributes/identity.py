"""Attributes that tell one object from another: identifiers, names, type.

Rule: declarations only; the rules are applied in `rules.py`.
"""

from datetime import datetime
from hashlib import sha256
from typing import Final

from strongroom.attributes.declaration import (
    CLIENT,
    CREATION,
    DELETE,
    EITHER,
    MODIFY,
    NOT_TEMPLATES,
    NOTHING,
    SERVER,
    Index,
    attribute,
)
from strongroom.domain.attribute_errors import InvalidAttributeValue
from strongroom.domain.objects import ManagedObject
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import AlternativeName, Name
from strongroom.registry import V1_0, V1_2, V2_0, V3_0, ObjectClass, ObjectType, Operation, Tag

_OBJECT_CLASS: Final = ObjectClass.USER
"""What the server keeps for itself is no managed object."""


def _unique_identifier(obj: ManagedObject, now: datetime) -> UniqueIdentifier:
    return obj.unique_identifier


def _short_unique_identifier(obj: ManagedObject, now: datetime) -> bytes:
    """Return ours, or the one of the server that an object was imported from."""
    imported: bytes | None = obj.value(Tag.SHORT_UNIQUE_IDENTIFIER)
    return sha256(obj.unique_identifier.encode()).digest() if imported is None else imported


def _object_type(obj: ManagedObject, now: datetime) -> ObjectType:
    return obj.object_type


def _object_class(obj: ManagedObject, now: datetime) -> ObjectClass:
    return _OBJECT_CLASS


def _check_name(value: Name) -> None:
    if not value.name_value:
        raise InvalidAttributeValue("a Name is not empty")


# Each declaration keeps the rows of the rule table.
# fmt: off
UNIQUE_IDENTIFIER = attribute(
    Tag.UNIQUE_IDENTIFIER, UniqueIdentifier, since=V1_0, spec="1.4 §3.1, 2.1 §4.58",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING,
    implicitly_set_by=CREATION,
    computed=_unique_identifier, index=Index.COLUMN,
)

SHORT_UNIQUE_IDENTIFIER = attribute(
    Tag.SHORT_UNIQUE_IDENTIFIER, bytes, since=V2_0, spec="2.1 §4.56",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    implicitly_set_by=CREATION,
    computed=_short_unique_identifier,
)

OBJECT_TYPE = attribute(
    Tag.OBJECT_TYPE, ObjectType, since=V1_0, spec="1.4 §3.3, 2.1 §4.36",
    always_has_value=True, initially_set_by=SERVER, multiple=False,
    server_may=NOTHING, client_may=NOTHING,
    implicitly_set_by=CREATION,
    requestable=True, computed=_object_type, index=Index.COLUMN,
)

OBJECT_CLASS = attribute(
    Tag.OBJECT_CLASS, ObjectClass, since=V3_0, spec="3.0",
    always_has_value=True, initially_set_by=EITHER, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    implicitly_set_by=CREATION,
    computed=_object_class, common=ObjectClass.USER,
)

NAME = attribute(
    Tag.NAME, Name, since=V1_0, spec="1.4 §3.2, 2.1 §4.32",
    always_has_value=False, initially_set_by=CLIENT, multiple=True,
    server_may=MODIFY, client_may=MODIFY | DELETE,
    implicitly_set_by=frozenset({Operation.RE_KEY, Operation.RE_CERTIFY, Operation.RE_KEY_KEY_PAIR}),
    check=_check_name,
)

ALTERNATIVE_NAME = attribute(
    Tag.ALTERNATIVE_NAME, AlternativeName, since=V1_2, spec="1.4 §3.40, 2.1 §4.2",
    always_has_value=False, initially_set_by=CLIENT, multiple=True,
    server_may=MODIFY, client_may=MODIFY | DELETE,
)
