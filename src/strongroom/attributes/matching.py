"""Whether values meet the filters of Locate (KMIP 1.4 §4.9, 2.1 §6.1.28).

Rule: this is what a filter means. The index (`index.py`) may only ever narrow down what is looked at.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import IntFlag
from typing import Any, Final, TypeAlias

from strongroom.attributes.catalogue import all_attributes
from strongroom.model.attribute_list import AttributeKey, RawValue, VendorAttribute
from strongroom.model.struct import Struct
from strongroom.model.structures import UsageLimits
from strongroom.registry import ItemType, Tag

NO_DATE: Final = datetime.max.replace(microsecond=0, tzinfo=UTC)
"""The largest date: a filter with it means an attribute that is not there (KMIP 2.1 §6.1.28), so that a range
up to it holds what ends later or never."""

DATE_TYPES: Final = frozenset({ItemType.DATE_TIME, ItemType.DATE_TIME_EXTENDED})

Agreement: TypeAlias = Callable[[Sequence[Any], Sequence[Any]], bool]
"""(values of the object; values of the filters on that attribute) -> do they match?"""


def agreement(key: AttributeKey) -> Agreement:
    """Return how values of an attribute are compared with filters."""
    return _raw if isinstance(key, VendorAttribute) else _AGREEMENTS.get(key, _never)


def _never(have: Sequence[Any], wanted: Sequence[Any]) -> bool:
    return False


def _equal(have: Sequence[Any], wanted: Sequence[Any]) -> bool:
    return all(value in have for value in wanted)


def _in_range(have: Sequence[Any], wanted: Sequence[Any]) -> bool:
    """Two values of a date give a range, ends included; one is a range by itself."""
    low, high = min(wanted), max(wanted)
    if not have:
        return bool(high >= NO_DATE)
    return any(low <= value <= high for value in have)


def _has_bits(have: Sequence[Any], wanted: Sequence[Any]) -> bool:
    numbers = list(map(int, have))  # the operators of flags are slow, and a search calls this for each object
    return all(any(value & bits == bits for value in numbers) for bits in map(int, wanted))


def _suffices(have: Sequence[UsageLimits], wanted: Sequence[UsageLimits]) -> bool:
    return all(any(_at_least(value, limits) for value in have) for limits in wanted)


def _at_least(value: UsageLimits, limits: UsageLimits) -> bool:
    total: int | None = limits.usage_limits_total  # None in a filter that leaves it out
    left = value.usage_limits_total if value.usage_limits_count is None else value.usage_limits_count
    return (
        (total is None or value.usage_limits_total >= total)
        and (limits.usage_limits_count is None or left >= limits.usage_limits_count)
        and limits.usage_limits_unit in (None, value.usage_limits_unit)
    )


def _includes(have: Sequence[Struct], wanted: Sequence[Struct]) -> bool:
    return all(any(includes(value, part) for value in have) for part in wanted)


def includes(value: Struct, part: Struct) -> bool:
    """Tell whether each field that is given in `part` is the same in `value`; lists may be longer there."""
    for field in type(part).fields:
        wanted = getattr(part, field.name)
        if wanted is None:
            continue
        have = getattr(value, field.name)
        if field.repeated:
            if not set(wanted) <= set(have):
                return False
        elif wanted != have:
            return False
    return True


def _raw(have: Sequence[RawValue], wanted: Sequence[RawValue]) -> bool:
    item_type = wanted[0].item_type
    if item_type in DATE_TYPES and all(w.item_type == item_type for w in wanted):
        dates = [value.value for value in have if value.item_type == item_type]
        return bool(dates) and _in_range(dates, [w.value for w in wanted])
    return all(any(_raw_includes(value, part) for value in have) for part in wanted)


def _raw_includes(value: RawValue, part: RawValue) -> bool:
    if part.item_type == value.item_type == ItemType.STRUCTURE:
        return all(item in value.value for item in part.value)
    return value == part


def _agreement_on(kind: Any) -> Agreement:
    if kind is datetime:
        return _in_range
    if kind is UsageLimits:
        return _suffices
    if isinstance(kind, type) and issubclass(kind, IntFlag):
        return _has_bits
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _includes
    return _equal


_AGREEMENTS: Final[Mapping[Tag, Agreement]] = {
    tag: _agreement_on(attribute.kind) for tag, attribute in all_attributes().items()
}
