"""What the object may be used for, and how often.

Rule: declarations only. Uses are counted by the operations, through `domain.usage`.
"""

from typing import Final

from strongroom.attributes.conditions import usage_limits_are_unused
from strongroom.attributes.declaration import (
    CREATION,
    CRYPTOGRAPHIC_OBJECTS,
    DELETE,
    EITHER,
    GENERATION,
    MODIFY,
    NOT_TEMPLATES,
    NOTHING,
    SERVER,
    Index,
    attribute,
)
from strongroom.domain.attribute_errors import InvalidAttributeValue
from strongroom.model.struct import Seconds
from strongroom.model.structures import UsageLimits
from strongroom.registry import V1_0, V1_1, V3_0, CryptographicUsageMask, ItemType, Operation, Tag

USE_COUNTERS: Final = (
    Tag.CERTIFY_COUNTER,
    Tag.DECRYPT_COUNTER,
    Tag.ENCRYPT_COUNTER,
    Tag.SIGN_COUNTER,
    Tag.SIGNATURE_VERIFY_COUNTER,
)
"""How often an object was used, by the operation that used it."""


def _check_usage_limits(value: UsageLimits) -> None:
    if value.usage_limits_total < 0:
        raise InvalidAttributeValue("a Usage Limits Total is not negative")


def _complete_usage_limits(value: UsageLimits) -> UsageLimits:
    """Return the limits with everything left (KMIP 2.1 §4.59: a client's Usage Limits Count is ignored)."""
    return value.replace(usage_limits_count=value.usage_limits_total)


# Each declaration keeps the rows of the rule table.
# fmt: off
CRYPTOGRAPHIC_USAGE_MASK = attribute(
    Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask, since=V1_0, spec="1.4 §3.19, 2.1 §4.17",
    always_has_value=True, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=NOTHING,
    implicitly_set_by=CREATION,
    index=Index.COLUMN,
)

USAGE_LIMITS = attribute(
    Tag.USAGE_LIMITS, UsageLimits, since=V1_0, spec="1.4 §3.21, 2.1 §4.59",
    always_has_value=False, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=MODIFY | DELETE,
    implicitly_set_by=GENERATION | {Operation.REGISTER, Operation.GET_USAGE_ALLOCATION},
    check=_check_usage_limits, completed=_complete_usage_limits, modifiable_while=usage_limits_are_unused,
    deletable_while=usage_limits_are_unused, index=Index.EXAMINED,
)

LEASE_TIME = attribute(
    Tag.LEASE_TIME, Seconds, since=V1_0, spec="1.4 §3.20, 2.1 §4.30",
    always_has_value=False, initially_set_by=SERVER, multiple=False,
    server_may=MODIFY, client_may=NOTHING,  # Templates too: TC-312 of 1.2 shows one
    implicitly_set_by=CREATION,
    index=Index.EXAMINED,
)

FRESH = attribute(
    Tag.FRESH, bool, since=V1_1, spec="1.4 §3.34, 2.1 §4.24",
    always_has_value=True, initially_set_by=EITHER, multiple=False,
    server_may=MODIFY, client_may=NOTHING, applies_to=NOT_TEMPLATES,
    implicitly_set_by=CREATION,
    common=False,
)

# A key has all of them or none: docs/decisions/0030-counters-are-exact-or-absent.md.
for _counter in USE_COUNTERS:
    attribute(
        _counter, int, marker=ItemType.LONG_INTEGER, since=V3_0, spec="3.0",
        always_has_value=True, initially_set_by=SERVER, multiple=False,
        server_may=MODIFY, client_may=NOTHING, applies_to=CRYPTOGRAPHIC_OBJECTS,
        implicitly_set_by=frozenset({Operation.CREATE, Operation.REGISTER, Operation.IMPORT}),
        index=Index.EXAMINED,
    )
