"""Arithmetic of Adjust Attribute (KMIP 2.1 §6.1.3 and §11.1).

Rule: values are adjusted as they stand on the wire, so that the item type says what can be done with them.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from strongroom.domain.attribute_errors import InvalidDataType, NumericRange
from strongroom.domain.errors import InvalidField
from strongroom.model.attribute_list import RawValue
from strongroom.registry import AdjustmentType, ItemType


class Range(NamedTuple):
    """The numbers that an item type holds, ends included; None means that there is no end."""

    low: int | None
    high: int | None


_RANGES: Final[Mapping[int, Range]] = {
    ItemType.INTEGER: Range(-(2**31), 2**31 - 1),
    ItemType.LONG_INTEGER: Range(-(2**63), 2**63 - 1),
    ItemType.BIG_INTEGER: Range(None, None),
    ItemType.INTERVAL: Range(0, 2**32 - 1),
    ItemType.DATE_TIME: Range(-62135596800, 253402300799),
    ItemType.DATE_TIME_EXTENDED: Range(-62135596800 * 10**6, 253402300799 * 10**6 + 999_999),
}
"""Dates from year 1 to 9999."""

_AMOUNTS: Final = frozenset(
    {ItemType.INTEGER, ItemType.LONG_INTEGER, ItemType.BIG_INTEGER, ItemType.INTERVAL}
)
_NEGATABLE: Final = frozenset({ItemType.INTEGER, ItemType.LONG_INTEGER, ItemType.BIG_INTEGER})

ZERO: Final[Mapping[int, int | bool]] = {
    ItemType.INTEGER: 0,
    ItemType.LONG_INTEGER: 0,
    ItemType.BIG_INTEGER: 0,
    ItemType.INTERVAL: 0,
    ItemType.BOOLEAN: False,
}
"""What an attribute without a value is taken to be; other types need a value."""


def adjusted(current: RawValue, adjustment_type: int, amount: RawValue | None) -> RawValue:
    """Return the value after the adjustment; `amount` None means 1 (of seconds or microseconds for dates).

    Raises InvalidDataType, InvalidField for an unknown Adjustment Type, and NumericRange.
    """
    item_type, value = current
    match adjustment_type:
        case AdjustmentType.INCREMENT:
            return _within_range(item_type, value, _amount(item_type, amount))
        case AdjustmentType.DECREMENT:
            return _within_range(item_type, value, -_amount(item_type, amount))
        case AdjustmentType.NEGATE if item_type == ItemType.BOOLEAN:
            return RawValue(item_type, not value)
        case AdjustmentType.NEGATE if item_type in _NEGATABLE:
            return _within_range(item_type, -value, 0)
        case AdjustmentType.NEGATE:
            raise InvalidDataType("only numbers and booleans are negated")
    raise InvalidField("the Adjustment Type is unknown; it is Increment, Decrement or Negate")


def _amount(item_type: int, amount: RawValue | None) -> int:
    if item_type not in _RANGES:
        raise InvalidDataType("only numbers, intervals and dates are incremented or decremented")
    if amount is None:
        return 1
    if amount.item_type not in _AMOUNTS:
        raise InvalidDataType("the Adjustment Value is not a number or an interval")
    number: int = amount.value
    if item_type == ItemType.DATE_TIME_EXTENDED and amount.item_type == ItemType.INTERVAL:
        return number * 10**6
    return number


def _within_range(item_type: int, value: int, amount: int) -> RawValue:
    low, high = _RANGES[item_type]
    result = value + amount
    if (low is not None and result < low) or (high is not None and result > high):
        raise NumericRange(
            f"the result does not fit into {ItemType(item_type).name.replace('_', ' ').title()}"
        )
    return RawValue(item_type, result)
