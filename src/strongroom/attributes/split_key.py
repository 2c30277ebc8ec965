"""How a key was split (attributes since KMIP 3.0; before, fields of the Split Key alone).

Rule: declarations only; the Split Key structure holds the values.
"""

from datetime import datetime

from strongroom.attributes.declaration import CLIENT, NOT_TEMPLATES, NOTHING, SPLIT_KEYS, attribute
from strongroom.domain.objects import ManagedObject
from strongroom.model.objects import SplitKey
from strongroom.registry import V3_0, ItemType, Operation, SplitKeyMethod, SplitKeyPolynomial, Tag


def _split_key_method(obj: ManagedObject, now: datetime) -> SplitKeyMethod | None:
    return obj.material.split_key_method if isinstance(obj.material, SplitKey) else None


def _split_key_parts(obj: ManagedObject, now: datetime) -> int | None:
    return obj.material.split_key_parts if isinstance(obj.material, SplitKey) else None


def _key_part_identifier(obj: ManagedObject, now: datetime) -> int | None:
    return obj.material.key_part_identifier if isinstance(obj.material, SplitKey) else None


def _split_key_threshold(obj: ManagedObject, now: datetime) -> int | None:
    return obj.material.split_key_threshold if isinstance(obj.material, SplitKey) else None


# Each declaration keeps the rows of the rule table.
# fmt: off
SPLIT_KEY_METHOD = attribute(
    Tag.SPLIT_KEY_METHOD, SplitKeyMethod, since=V3_0, spec="3.0",
    always_has_value=True, initially_set_by=CLIENT, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=SPLIT_KEYS,
    implicitly_set_by=frozenset({Operation.CREATE_SPLIT_KEY}),
    computed=_split_key_method,
)

SPLIT_KEY_PARTS = attribute(
    Tag.SPLIT_KEY_PARTS, int, marker=ItemType.INTEGER, since=V3_0, spec="3.0",
    always_has_value=True, initially_set_by=CLIENT, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=SPLIT_KEYS,
    implicitly_set_by=frozenset({Operation.CREATE_SPLIT_KEY}),
    computed=_split_key_parts,
)

KEY_PART_IDENTIFIER = attribute(
    Tag.KEY_PART_IDENTIFIER, int, marker=ItemType.INTEGER, since=V3_0, spec="3.0",
    always_has_value=True, initially_set_by=CLIENT, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=SPLIT_KEYS,
    implicitly_set_by=frozenset({Operation.CREATE_SPLIT_KEY}),
    computed=_key_part_identifier,
)

SPLIT_KEY_THRESHOLD = attribute(
    Tag.SPLIT_KEY_THRESHOLD, int, marker=ItemType.INTEGER, since=V3_0, spec="3.0",
    always_has_value=True, initially_set_by=CLIENT, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=SPLIT_KEYS,
    implicitly_set_by=frozenset({Operation.CREATE_SPLIT_KEY}),
    computed=_split_key_threshold,
)

SPLIT_KEY_POLYNOMIAL = attribute(
    Tag.SPLIT_KEY_POLYNOMIAL, SplitKeyPolynomial, since=V3_0, spec="3.0",
    always_has_value=True, initially_set_by=CLIENT, multiple=False,
    server_may=NOTHING, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    implicitly_set_by=frozenset({Operation.CREATE_SPLIT_KEY}),
)
