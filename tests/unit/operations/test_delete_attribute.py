"""Delete Attribute (KMIP 1.x §4.16, 2.1 §6.1.13)."""

from typing import Any

import pytest

from strongroom.model.attribute_list import AttributeInstance, RawValue, VendorAttribute
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import UsageLimits
from strongroom.operations.delete_attribute import DeleteAttributeRequest
from strongroom.operations.get_usage_allocation import GetUsageAllocationRequest
from strongroom.registry import V1_0, V1_4, V2_0, V2_1, ItemType, ResultReason, Tag, UsageLimitsUnit
from tests.expect import active_key, assert_refused, key, named, refusal, values
from tests.kms import TestKms, attribute


def by_name(made: UniqueIdentifier, name: Any, index: int | None = None) -> DeleteAttributeRequest:
    return DeleteAttributeRequest(unique_identifier=made, attribute_name=name, attribute_index=index)


def by_reference(made: UniqueIdentifier, name: Any) -> DeleteAttributeRequest:
    return DeleteAttributeRequest(unique_identifier=made, attribute_reference=name)


def either(made: UniqueIdentifier, name: Any) -> DeleteAttributeRequest:
    return DeleteAttributeRequest(unique_identifier=made, attribute_name=name, attribute_reference=name)


def by_value(made: UniqueIdentifier, current: AttributeInstance) -> DeleteAttributeRequest:
    return DeleteAttributeRequest(unique_identifier=made, current_attribute=current)


def grouped(kms: TestKms) -> UniqueIdentifier:
    return key(kms, *(attribute(Tag.OBJECT_GROUP, g) for g in ("a", "b", "c")))


def test_in_1_x_the_value_with_the_index_is_deleted(kms: TestKms) -> None:
    made = grouped(kms)
    answer = kms.call(by_name(made, Tag.OBJECT_GROUP, 1), version=V1_0)
    assert answer.attribute == AttributeInstance(Tag.OBJECT_GROUP, "b", 1)
    assert values(kms, made, Tag.OBJECT_GROUP) == ["a", "c"]


def test_in_1_x_no_index_is_index_0(kms: TestKms) -> None:
    """KMIP 1.4 §4.16: if the Attribute Index is not specified, then it is assumed to be 0."""
    made = grouped(kms)
    kms.call(by_name(made, Tag.OBJECT_GROUP), version=V1_4)
    assert values(kms, made, Tag.OBJECT_GROUP) == ["b", "c"]


def test_in_1_0_one_of_several_values_must_be_named(kms: TestKms) -> None:
    """KMIP 1.0 §4.15 and §11.16: the index is not specified and the attribute has multiple instances."""
    made = grouped(kms)
    assert refusal(kms, by_name(made, Tag.OBJECT_GROUP), version=V1_0).reason is ResultReason.INVALID_FIELD
    assert values(kms, made, Tag.OBJECT_GROUP) == ["a", "b", "c"]
    for index in (0, 2):
        kms.call(by_name(made, Tag.OBJECT_GROUP, index), version=V1_0)
    kms.call(by_name(made, Tag.OBJECT_GROUP), version=V1_0)
    assert values(kms, made, Tag.OBJECT_GROUP) == []


def test_the_indices_of_the_others_stay(kms: TestKms) -> None:
    """KMIP 1.4 §2.1.1: the Attribute Index of an instance does not change when another is deleted."""
    made = grouped(kms)
    kms.call(by_name(made, Tag.OBJECT_GROUP, 0))
    deleted = kms.call(by_name(made, Tag.OBJECT_GROUP, 2)).attribute
    assert deleted == AttributeInstance(Tag.OBJECT_GROUP, "c", 2)


def test_in_2_x_a_reference_deletes_every_value(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.13: all instances of the specified attribute shall be deleted."""
    made = grouped(kms)
    assert kms.call(by_reference(made, Tag.OBJECT_GROUP), version=V2_1).attribute is None
    assert values(kms, made, Tag.OBJECT_GROUP) == []


def test_in_2_x_a_current_attribute_deletes_that_value(kms: TestKms) -> None:
    made = grouped(kms)
    kms.call(by_value(made, attribute(Tag.OBJECT_GROUP, "b")), version=V2_1)
    assert values(kms, made, Tag.OBJECT_GROUP) == ["a", "c"]


def test_a_value_that_does_not_exist_is_refused(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.13: a Current Attribute for which there exists no value shall result in an error."""
    request = by_value(key(kms, named("a")), named("z"))
    reason = ResultReason.ATTRIBUTE_INSTANCE_NOT_FOUND
    assert_refused(kms, request, reason, reason, since=V2_0)


def test_an_index_that_does_not_exist_is_item_not_found(kms: TestKms) -> None:
    """KMIP 1.4 §11.18: no matching attribute instance exists."""
    request = by_name(grouped(kms), Tag.OBJECT_GROUP, 9)
    assert refusal(kms, request).reason is ResultReason.ITEM_NOT_FOUND


def test_an_attribute_that_the_object_does_not_have_is_not_found(kms: TestKms) -> None:
    request = either(key(kms), Tag.CONTACT_INFORMATION)
    assert_refused(kms, request, ResultReason.ITEM_NOT_FOUND, ResultReason.ATTRIBUTE_NOT_FOUND)


def test_an_attribute_that_no_version_defines_is_not_found(kms: TestKms) -> None:
    """KMIP 1.4 §11.18: no attribute with the specified name exists."""
    request = by_name(key(kms), VendorAttribute("", "Colour"))
    assert refusal(kms, request).reason is ResultReason.ITEM_NOT_FOUND


@pytest.mark.parametrize(
    "tag",
    [
        Tag.STATE, Tag.UNIQUE_IDENTIFIER, Tag.OBJECT_TYPE, Tag.CRYPTOGRAPHIC_USAGE_MASK,
        Tag.CRYPTOGRAPHIC_LENGTH, Tag.INITIAL_DATE, Tag.DIGEST, Tag.LEASE_TIME,
    ],
    ids=str,
)  # fmt: skip
def test_what_is_read_only_or_required_is_not_deleted(kms: TestKms, tag: Tag) -> None:
    """KMIP 2.1 §6.1.13: attributes that are always required to have a value shall never be deleted."""
    request = either(key(kms), tag)
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.ATTRIBUTE_READ_ONLY)


def test_a_name_that_is_deleted_is_free(kms: TestKms) -> None:
    made = key(kms, named("n"))
    kms.call(by_name(made, Tag.NAME))
    key(kms, named("n"))


def test_a_custom_attribute_is_deleted(kms: TestKms) -> None:
    colour = VendorAttribute("x", "colour")
    made = key(kms, attribute(colour, RawValue(ItemType.TEXT_STRING, "red")))
    kms.call(by_name(made, colour))
    assert values(kms, made, colour) == []


def test_usage_limits_are_deleted_only_while_unused(kms: TestKms) -> None:
    """KMIP 2.1 §4.59: as long as Get Usage Allocation has not been performed."""
    limits = UsageLimits(usage_limits_total=9, usage_limits_unit=UsageLimitsUnit.BYTE)
    unused = active_key(kms, attribute(Tag.USAGE_LIMITS, limits))
    kms.call(by_name(unused, Tag.USAGE_LIMITS))
    assert values(kms, unused, Tag.USAGE_LIMITS) == []
    used = active_key(kms, attribute(Tag.USAGE_LIMITS, limits))
    kms.call(GetUsageAllocationRequest(unique_identifier=used, usage_limits_count=1))
    assert_refused(
        kms,
        either(used, Tag.USAGE_LIMITS),
        ResultReason.PERMISSION_DENIED,
        ResultReason.ATTRIBUTE_READ_ONLY,
    )


def test_a_request_that_names_no_attribute_is_refused(kms: TestKms) -> None:
    request = DeleteAttributeRequest(unique_identifier=key(kms))
    found = refusal(kms, request, version=V2_1).reason
    assert found in (ResultReason.INVALID_FIELD, ResultReason.INVALID_MESSAGE)


def test_the_last_change_date_is_the_time_of_the_operation(kms: TestKms) -> None:
    made = key(kms, named("n"))
    kms.clock.pass_time(hours=1)
    kms.call(by_name(made, Tag.NAME))
    assert values(kms, made, Tag.LAST_CHANGE_DATE) == [kms.clock.now()]
