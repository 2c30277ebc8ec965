"""Adjust Attribute (KMIP 2.1 §6.1.3 and §11.1)."""

from datetime import timedelta
from typing import Any

import pytest

from strongroom.attributes.rules import adjust
from strongroom.domain.attribute_errors import (
    AttributeNotFound,
    InvalidDataType,
    MultiValuedAttribute,
    NumericRange,
    ReadOnlyAttribute,
)
from strongroom.domain.errors import InvalidField, WrongKeyLifecycleState
from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import AttributeKey, RawValue, VendorAttribute
from strongroom.registry import AdjustmentType, ItemType, State, Tag
from tests.unit.attributes.objects import HOUR, NOW, aes_key, custom

UP, DOWN, NEGATE = AdjustmentType.INCREMENT, AdjustmentType.DECREMENT, AdjustmentType.NEGATE
N = VendorAttribute("x", "n")


def number(value: int, item_type: ItemType = ItemType.INTEGER) -> RawValue:
    return RawValue(item_type, value)


def adjusted(obj: ManagedObject, key: AttributeKey, kind: int, amount: RawValue | None = None) -> Any:
    return adjust(obj, key, kind, amount, now=NOW).value


def key_with(raw: RawValue) -> ManagedObject:
    key = aes_key()
    key.add(N, raw)
    return key


def test_the_default_amount_is_one() -> None:
    assert adjusted(key_with(number(5)), N, UP) == number(6)
    assert adjusted(key_with(number(5)), N, DOWN) == number(4)


def test_a_date_moves_by_seconds() -> None:
    key = aes_key(activation_date=NOW + HOUR)
    assert adjusted(key, Tag.ACTIVATION_DATE, UP) == NOW + HOUR + timedelta(seconds=1)
    assert adjusted(key, Tag.ACTIVATION_DATE, UP, number(60, ItemType.INTERVAL)) == NOW + HOUR + timedelta(
        seconds=61
    )


def test_an_extended_date_moves_by_microseconds_or_an_interval() -> None:
    key = key_with(number(1_000_000, ItemType.DATE_TIME_EXTENDED))
    assert adjusted(key, N, UP).value == 1_000_001
    assert adjusted(key, N, UP, number(2, ItemType.INTERVAL)).value == 3_000_001


@pytest.mark.parametrize(
    ("raw", "result"),
    [
        (number(5), number(-5)),
        (number(2**40, ItemType.LONG_INTEGER), number(-(2**40), ItemType.LONG_INTEGER)),
        (number(2**80, ItemType.BIG_INTEGER), number(-(2**80), ItemType.BIG_INTEGER)),
        (RawValue(ItemType.BOOLEAN, True), RawValue(ItemType.BOOLEAN, False)),
    ],
)
def test_numbers_and_booleans_are_negated(raw: RawValue, result: RawValue) -> None:
    assert adjusted(key_with(raw), N, NEGATE) == result


def test_without_a_value_numbers_start_at_zero_and_booleans_at_false() -> None:
    assert adjusted(aes_key(), Tag.PROTECTION_PERIOD, UP, number(60)) == 60
    assert adjusted(aes_key(), Tag.QUANTUM_SAFE, NEGATE) is True


@pytest.mark.parametrize("key", [Tag.ACTIVATION_DATE, Tag.COMMENT, Tag.NAME, N])
def test_other_types_need_a_value_to_start_from(key: AttributeKey) -> None:
    with pytest.raises(AttributeNotFound):
        adjusted(aes_key(), key, UP)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (number(2**31 - 1), UP),
        (number(-(2**31)), DOWN),
        (number(-(2**31)), NEGATE),
        (number(2**63 - 1, ItemType.LONG_INTEGER), UP),
        (number(0, ItemType.INTERVAL), DOWN),
        (number(253402300799, ItemType.DATE_TIME), UP),
    ],
)
def test_a_result_that_does_not_fit_is_refused(raw: RawValue, kind: AdjustmentType) -> None:
    with pytest.raises(NumericRange):
        adjusted(key_with(raw), N, kind)


def test_text_dates_and_masks_refuse_what_makes_no_sense() -> None:
    key = aes_key(comment="a", activation_date=NOW + HOUR)
    for tag, kind in ((Tag.COMMENT, UP), (Tag.COMMENT, NEGATE), (Tag.ACTIVATION_DATE, NEGATE)):
        with pytest.raises(InvalidDataType):
            adjusted(key, tag, kind)
    with pytest.raises(InvalidDataType):
        adjusted(key_with(number(1)), N, UP, RawValue(ItemType.TEXT_STRING, "1"))


def test_an_unknown_adjustment_type_is_refused() -> None:
    with pytest.raises(InvalidField):
        adjusted(key_with(number(1)), N, 0x80000001)


def test_adjust_needs_one_value_that_the_client_may_change() -> None:
    """KMIP 2.1 §6.1.3: more than one instance is an error; read-only attributes are not adjusted."""
    key = key_with(number(1))
    key.add(N, number(2))
    with pytest.raises(MultiValuedAttribute):
        adjusted(key, N, UP)
    for tag in (Tag.CRYPTOGRAPHIC_LENGTH, Tag.CRYPTOGRAPHIC_USAGE_MASK, Tag.INITIAL_DATE):
        with pytest.raises(ReadOnlyAttribute):
            adjusted(aes_key(), tag, UP)
    theirs = custom("a", "b", vendor="y").key
    with pytest.raises(ReadOnlyAttribute):
        adjusted(aes_key(), theirs, UP)


def test_conditions_hold_for_adjust_too() -> None:
    key = aes_key(state=State.ACTIVE, activation_date=NOW)
    with pytest.raises(WrongKeyLifecycleState):
        adjusted(key, Tag.ACTIVATION_DATE, UP)
    key = aes_key(sensitive=True)
    with pytest.raises(ReadOnlyAttribute):
        adjusted(key, Tag.SENSITIVE, NEGATE)
