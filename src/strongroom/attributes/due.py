"""When an object is to be rotated by the server itself (KMIP 2.1 §4.48-4.54).

Rule: this is the whole policy. The index keeps what `rotation_due` says, the scheduler asks it again before
it does anything, and neither decides for itself.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from strongroom.domain.objects import ManagedObject
from strongroom.model.structures import UsageLimits
from strongroom.registry import LinkType, ObjectType, Operation, State, Tag, UsageLimitsUnit

ROTATIONS: Final[Mapping[ObjectType, Operation]] = {
    ObjectType.SYMMETRIC_KEY: Operation.RE_KEY,
    ObjectType.PRIVATE_KEY: Operation.RE_KEY_KEY_PAIR,
    ObjectType.CERTIFICATE: Operation.RE_CERTIFY,
}
"""What rotates an object of which type. A public key goes with its private key; nothing else is rotated."""

AT_ONCE: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Due whatever the time is: the uses decide."""

_RESERVE: Final = 10
"""A limit in bytes counts as used up when less than one part of so many is left: what a client wants to
protect next seldom fits exactly."""

_OVER: Final = frozenset({State.COMPROMISED, State.DESTROYED, State.DESTROYED_COMPROMISED})


def rotation_due(obj: ManagedObject) -> datetime | None:
    """Return since when, or from when on, the object is to be rotated; None: never.

    SPEC(KMIP 2.1 §4.51): when Rotate Interval has passed since the Initial Date. Used-up Usage Limits are our
    addition: without a successor, a name whose key has no uses left is of use to nobody.
    """
    if not obj.value(Tag.ROTATE_AUTOMATIC) or obj.object_type not in ROTATIONS or _is_over(obj):
        return None
    limits, interval = obj.value(Tag.USAGE_LIMITS), obj.value(Tag.ROTATE_INTERVAL)
    if limits is not None and _used_up(limits):
        return AT_ONCE
    made = obj.value(Tag.INITIAL_DATE)
    if (
        interval is None
        or made is None
        or interval > (datetime.max.replace(tzinfo=UTC) - made).total_seconds()
    ):
        return None
    due: datetime = made + timedelta(seconds=interval)
    # A key that ends before it is due was meant to end.
    end = obj.value(Tag.DEACTIVATION_DATE)
    return None if end is not None and end < due else due


def _is_over(obj: ManagedObject) -> bool:
    """Tell whether the object has a successor, or its owner has put an end to it."""
    return (
        obj.archived
        or obj.state in _OVER
        or obj.value(Tag.ROTATE_LATEST) is False
        or obj.value(Tag.REVOCATION_REASON) is not None
        or any(link.link_type is LinkType.REPLACEMENT_OBJECT_LINK for link in obj.values(Tag.LINK))
    )


def _used_up(limits: UsageLimits) -> bool:
    if limits.usage_limits_total <= 0:
        return False  # nor would its successor have any uses
    left = limits.usage_limits_total if limits.usage_limits_count is None else limits.usage_limits_count
    if limits.usage_limits_unit is UsageLimitsUnit.BYTE:
        return left * _RESERVE < limits.usage_limits_total
    return left <= 0
