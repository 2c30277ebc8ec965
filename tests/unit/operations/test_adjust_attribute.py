"""Adjust Attribute (KMIP 2.1 §6.1.3)."""

from datetime import timedelta
from typing import Any

import pytest

from strongroom.model.attribute_list import RawValue, VendorAttribute
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.adjust_attribute import AdjustAttributeRequest
from strongroom.registry import (
    V1_4,
    V2_0,
    V2_1,
    AdjustmentType,
    ItemType,
    ResultReason,
    Tag,
    Version,
)
from tests.expect import assert_refused, key, refusal, value, values
from tests.kms import TestKms, attribute

INTEGER = ItemType.INTEGER


def adjust(
    made: UniqueIdentifier,
    tag: Any,
    kind: AdjustmentType,
    amount: RawValue | None = None,
) -> AdjustAttributeRequest:
    return AdjustAttributeRequest(
        unique_identifier=made,
        attribute_reference=tag,
        adjustment_type=kind,
        adjustment_value=amount,
    )


def counting(kms: TestKms, start: RawValue) -> UniqueIdentifier:
    return key(kms, attribute(VendorAttribute("x", "counter"), start))


X_COUNTER = VendorAttribute("x", "counter")


@pytest.mark.parametrize("version", [V2_0, V2_1], ids=str)
@pytest.mark.parametrize(
    ("kind", "amount", "result"),
    [
        (AdjustmentType.INCREMENT, None, 11),
        (AdjustmentType.INCREMENT, RawValue(INTEGER, 5), 15),
        (AdjustmentType.INCREMENT, RawValue(INTEGER, -5), 5),
        (AdjustmentType.DECREMENT, None, 9),
        (AdjustmentType.DECREMENT, RawValue(INTEGER, 5), 5),
        (AdjustmentType.NEGATE, None, -10),
    ],
)
def test_a_number_is_adjusted(
    kms: TestKms, version: Version, kind: AdjustmentType, amount: RawValue | None, result: int
) -> None:
    """KMIP 2.1 §11.1: the default Adjustment Value is 1."""
    made = counting(kms, RawValue(INTEGER, 10))
    kms.call(adjust(made, X_COUNTER, kind, amount), version=version)
    assert values(kms, made, X_COUNTER) == [RawValue(INTEGER, result)]


def test_a_boolean_is_negated(kms: TestKms) -> None:
    made = key(kms)
    kms.call(adjust(made, Tag.SENSITIVE, AdjustmentType.NEGATE), version=V2_1)
    assert value(kms, made, Tag.SENSITIVE) is True


def test_a_date_is_moved_by_seconds(kms: TestKms) -> None:
    start = kms.clock.now() + timedelta(days=1)
    made = key(kms, attribute(Tag.ACTIVATION_DATE, start))
    week = RawValue(ItemType.INTERVAL, 7 * 86400)
    kms.call(adjust(made, Tag.ACTIVATION_DATE, AdjustmentType.INCREMENT, week), version=V2_1)
    assert value(kms, made, Tag.ACTIVATION_DATE) == start + timedelta(days=7)


def test_a_missing_interval_is_taken_to_be_0(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.3: the previous value is assumed to be a 0 for numeric types and intervals."""
    made = key(kms)
    hour = RawValue(ItemType.INTERVAL, 3600)
    kms.call(adjust(made, Tag.ROTATE_INTERVAL, AdjustmentType.INCREMENT, hour), version=V2_1)
    assert value(kms, made, Tag.ROTATE_INTERVAL) == 3600


def test_a_missing_boolean_is_taken_to_be_false(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.3: or false for Boolean."""
    made = key(kms)
    kms.call(adjust(made, Tag.ROTATE_AUTOMATIC, AdjustmentType.NEGATE), version=V2_1)
    assert value(kms, made, Tag.ROTATE_AUTOMATIC) is True


def test_a_missing_date_is_an_error(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.3: otherwise an error is raised."""
    request = adjust(key(kms), Tag.ACTIVATION_DATE, AdjustmentType.INCREMENT)
    assert_refused(kms, request, ResultReason.ITEM_NOT_FOUND, ResultReason.ITEM_NOT_FOUND)


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        (Tag.CONTACT_INFORMATION, AdjustmentType.INCREMENT),
        (Tag.CONTACT_INFORMATION, AdjustmentType.NEGATE),
        (Tag.SENSITIVE, AdjustmentType.INCREMENT),
        (Tag.ACTIVATION_DATE, AdjustmentType.NEGATE),
    ],
    ids=str,
)
def test_what_has_no_arithmetic_is_an_invalid_data_type(kms: TestKms, tag: Tag, kind: AdjustmentType) -> None:
    made = key(
        kms,
        attribute(Tag.CONTACT_INFORMATION, "ops"),
        attribute(Tag.ACTIVATION_DATE, kms.clock.now() + timedelta(days=1)),
    )
    reason = ResultReason.INVALID_DATA_TYPE
    assert_refused(kms, adjust(made, tag, kind), reason, reason)


def test_several_values_are_an_error(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.3: if it has more than one instance an error is raised."""
    one, two = RawValue(INTEGER, 1), RawValue(INTEGER, 2)
    made = key(kms, attribute(X_COUNTER, one), attribute(X_COUNTER, two))
    request = adjust(made, X_COUNTER, AdjustmentType.INCREMENT)
    reason = ResultReason.MULTI_VALUED_ATTRIBUTE
    assert_refused(kms, request, reason, reason)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (RawValue(INTEGER, 2**31 - 1), AdjustmentType.INCREMENT),
        (RawValue(INTEGER, -(2**31)), AdjustmentType.DECREMENT),
        (RawValue(INTEGER, -(2**31)), AdjustmentType.NEGATE),
        (RawValue(ItemType.LONG_INTEGER, 2**63 - 1), AdjustmentType.INCREMENT),
        (RawValue(ItemType.INTERVAL, 0), AdjustmentType.DECREMENT),
    ],
    ids=str,
)
def test_a_result_that_does_not_fit_is_a_numeric_range(
    kms: TestKms, start: RawValue, kind: AdjustmentType
) -> None:
    made = counting(kms, start)
    request = adjust(made, X_COUNTER, kind)
    assert_refused(kms, request, ResultReason.NUMERIC_RANGE, ResultReason.NUMERIC_RANGE)
    assert values(kms, made, X_COUNTER) == [start]


@pytest.mark.parametrize("tag", [Tag.STATE, Tag.CRYPTOGRAPHIC_LENGTH, Tag.LAST_CHANGE_DATE])
def test_a_read_only_attribute_is_refused(kms: TestKms, tag: Tag) -> None:
    """KMIP 2.1 §6.1.3: read-only attributes shall not be added or modified."""
    reason = ResultReason.READ_ONLY_ATTRIBUTE
    assert_refused(kms, adjust(key(kms), tag, AdjustmentType.INCREMENT), reason, reason)


def test_an_attribute_that_the_object_cannot_have_is_unsupported(kms: TestKms) -> None:
    request = adjust(key(kms), Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, AdjustmentType.INCREMENT)
    reason = ResultReason.UNSUPPORTED_ATTRIBUTE
    assert_refused(kms, request, reason, reason)


def test_1_x_has_no_such_operation(kms: TestKms) -> None:
    request = adjust(key(kms), Tag.ACTIVATION_DATE, AdjustmentType.INCREMENT)
    assert refusal(kms, request, version=V1_4).reason is ResultReason.OPERATION_NOT_SUPPORTED
