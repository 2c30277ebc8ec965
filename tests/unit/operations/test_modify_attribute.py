"""Modify Attribute (KMIP 1.x §4.15, 2.1 §6.1.34)."""

from datetime import timedelta
from typing import Any

import pytest

from strongroom.model.attribute_list import AttributeInstance, RawValue, VendorAttribute
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_0,
    V2_1,
    ItemType,
    ResultReason,
    State,
    Tag,
)
from tests.expect import active_key, assert_refused, key, key_in, named, refusal, value, values
from tests.kms import TestKms, attribute


def modify(
    made: UniqueIdentifier,
    tag: Any,
    given: Any,
    *,
    index: int | None = None,
    current: AttributeInstance | None = None,
) -> ModifyAttributeRequest:
    return ModifyAttributeRequest(
        unique_identifier=made,
        new_attribute=AttributeInstance(tag, given, index),
        current_attribute=current,
    )


def test_the_only_value_is_replaced(kms: TestKms) -> None:
    made = key(kms, attribute(Tag.CONTACT_INFORMATION, "ops"))
    kms.call(modify(made, Tag.CONTACT_INFORMATION, "desk"))
    assert values(kms, made, Tag.CONTACT_INFORMATION) == ["desk"]


def test_in_1_x_the_index_says_which_value(kms: TestKms) -> None:
    """KMIP 1.4 §4.15: if an Attribute Index is specified, the instance with it is modified."""
    made = key(kms, *(attribute(Tag.OBJECT_GROUP, g) for g in ("a", "b", "c")))
    answer = kms.call(modify(made, Tag.OBJECT_GROUP, "B", index=1), version=V1_0)
    assert answer.attribute == AttributeInstance(Tag.OBJECT_GROUP, "B", 1)
    assert values(kms, made, Tag.OBJECT_GROUP) == ["a", "B", "c"]


def test_in_1_x_no_index_is_index_0(kms: TestKms) -> None:
    """KMIP 1.4 §4.15: if the Attribute Index is not specified, then it is assumed to be 0."""
    made = key(kms, *(attribute(Tag.OBJECT_GROUP, g) for g in ("a", "b")))
    kms.call(modify(made, Tag.OBJECT_GROUP, "A"), version=V1_4)
    assert values(kms, made, Tag.OBJECT_GROUP) == ["A", "b"]


def test_in_2_x_the_current_attribute_says_which_value(kms: TestKms) -> None:
    made = key(kms, *(attribute(Tag.OBJECT_GROUP, g) for g in ("a", "b", "c")))
    current = attribute(Tag.OBJECT_GROUP, "b")
    answer = kms.call(modify(made, Tag.OBJECT_GROUP, "B", current=current), version=V2_1)
    assert answer.attribute is None
    assert values(kms, made, Tag.OBJECT_GROUP) == ["a", "B", "c"]


def test_in_2_x_one_of_several_values_must_be_named(kms: TestKms) -> None:
    made = key(kms, *(attribute(Tag.OBJECT_GROUP, g) for g in ("a", "b")))
    found = refusal(kms, modify(made, Tag.OBJECT_GROUP, "B"), version=V2_1).reason
    assert found is ResultReason.ATTRIBUTE_INSTANCE_NOT_FOUND


def test_an_index_that_does_not_exist_is_item_not_found(kms: TestKms) -> None:
    """KMIP 1.0 §11.17."""
    made = key(kms, attribute(Tag.OBJECT_GROUP, "a"))
    found = refusal(kms, modify(made, Tag.OBJECT_GROUP, "B", index=7), version=V1_0).reason
    assert found is ResultReason.ITEM_NOT_FOUND


def test_a_current_attribute_that_does_not_exist_is_refused(kms: TestKms) -> None:
    made = key(kms, named("a"))
    request = modify(made, Tag.NAME, named("B").value, current=named("z"))
    reason = ResultReason.ATTRIBUTE_INSTANCE_NOT_FOUND
    assert_refused(kms, request, reason, reason, since=V2_0)


def test_what_was_never_added_is_not_modified(kms: TestKms) -> None:
    """KMIP 1.4 §11.17: a specified attribute does not exist, it needs to first be added."""
    request = modify(key(kms), Tag.CONTACT_INFORMATION, "ops")
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.ATTRIBUTE_NOT_FOUND)


@pytest.mark.parametrize(
    ("tag", "given"),
    [
        (Tag.STATE, State.ACTIVE),
        (Tag.UNIQUE_IDENTIFIER, "mine"),
        (Tag.CRYPTOGRAPHIC_LENGTH, 128),
        (Tag.LEASE_TIME, 1),
    ],
    ids=str,
)
def test_a_read_only_attribute_is_refused(kms: TestKms, tag: Tag, given: Any) -> None:
    """KMIP 1.4 §11.17."""
    request = modify(key(kms), tag, given)
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.ATTRIBUTE_READ_ONLY)


def test_the_servers_custom_attributes_are_read_only(kms: TestKms) -> None:
    """KMIP 1.4 §3.39: y- attributes are modified by the server alone."""
    request = modify(key(kms), VendorAttribute("y", "theirs"), RawValue(ItemType.INTEGER, 1))
    assert refusal(kms, request).reason is ResultReason.PERMISSION_DENIED


def test_a_custom_attribute_is_modified(kms: TestKms) -> None:
    colour = VendorAttribute("x", "colour")
    made = key(kms, attribute(colour, RawValue(ItemType.TEXT_STRING, "red")))
    kms.call(modify(made, colour, RawValue(ItemType.TEXT_STRING, "blue")))
    assert values(kms, made, colour) == [RawValue(ItemType.TEXT_STRING, "blue")]


def test_the_name_of_another_object_is_refused(kms: TestKms) -> None:
    """KMIP 1.4 §11.17: a value already used by another object."""
    key(kms, named("taken"))
    made = key(kms, named("mine"))
    request = modify(made, Tag.NAME, named("taken").value)
    assert_refused(kms, request, ResultReason.ILLEGAL_OPERATION, ResultReason.NON_UNIQUE_NAME_ATTRIBUTE)


def test_an_activation_date_of_now_activates(kms: TestKms) -> None:
    """KMIP 2.1 §4.57, transition 4."""
    made = key(kms, attribute(Tag.ACTIVATION_DATE, kms.clock.now() + timedelta(days=9)))
    kms.call(modify(made, Tag.ACTIVATION_DATE, kms.clock.now()))
    assert value(kms, made, Tag.STATE) is State.ACTIVE


def test_a_deactivation_date_of_now_deactivates(kms: TestKms) -> None:
    """KMIP 2.1 §4.57, transition 6."""
    made = active_key(kms, attribute(Tag.DEACTIVATION_DATE, kms.clock.now() + timedelta(days=9)))
    kms.call(modify(made, Tag.DEACTIVATION_DATE, kms.clock.now()))
    assert value(kms, made, Tag.STATE) is State.DEACTIVATED


def test_the_activation_date_of_an_active_object_is_fixed(kms: TestKms) -> None:
    """KMIP 2.1 §4.1: modifiable by client only while in Pre-Active state."""
    request = modify(key_in(kms, State.ACTIVE), Tag.ACTIVATION_DATE, kms.clock.now())
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.WRONG_KEY_LIFECYCLE_STATE)


def test_the_deactivation_date_of_a_deactivated_object_is_fixed(kms: TestKms) -> None:
    """KMIP 2.1 §4.18: modifiable by client only while in Pre-Active or Active state."""
    later = kms.clock.now() + timedelta(days=1)
    request = modify(key_in(kms, State.DEACTIVATED), Tag.DEACTIVATION_DATE, later)
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.WRONG_KEY_LIFECYCLE_STATE)


def test_a_protect_stop_date_after_the_deactivation_date_is_refused(kms: TestKms) -> None:
    """KMIP 2.1 §4.41: no later than the Deactivation Date."""
    now = kms.clock.now()
    made = key(
        kms,
        attribute(Tag.PROTECT_STOP_DATE, now + timedelta(days=1)),
        attribute(Tag.DEACTIVATION_DATE, now + timedelta(days=2)),
    )
    request = modify(made, Tag.PROTECT_STOP_DATE, now + timedelta(days=3))
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


def test_sensitive_can_be_set_and_not_taken_back(kms: TestKms) -> None:
    """KMIP 2.1 §4.3: once it was not Sensitive, an object is never Always Sensitive."""
    made = key(kms)
    kms.call(modify(made, Tag.SENSITIVE, given=True))
    assert value(kms, made, Tag.SENSITIVE) is True
    assert value(kms, made, Tag.ALWAYS_SENSITIVE) is False
    request = modify(made, Tag.SENSITIVE, given=False)
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.ATTRIBUTE_READ_ONLY, since=V1_4)


def test_the_same_value_again_succeeds(kms: TestKms) -> None:
    made = key(kms, attribute(Tag.CONTACT_INFORMATION, "ops"))
    kms.call(modify(made, Tag.CONTACT_INFORMATION, "ops"))
    assert values(kms, made, Tag.CONTACT_INFORMATION) == ["ops"]


def test_another_name_of_its_own_is_refused(kms: TestKms) -> None:
    """KMIP 2.1 §4.32: Names SHALL be unique, also among those of one object."""
    made = key(kms, named("first"), named("second"))
    first, second = named("first"), named("second")
    by_value = modify(made, Tag.NAME, first.value, current=second)
    assert refusal(kms, by_value, version=V2_1).reason is ResultReason.NON_UNIQUE_NAME_ATTRIBUTE
    by_index = modify(made, Tag.NAME, first.value, index=1)
    assert refusal(kms, by_index, version=V1_4).reason is ResultReason.ILLEGAL_OPERATION
    kms.call(modify(made, Tag.NAME, first.value, current=first), version=V2_1)
    assert values(kms, made, Tag.NAME) == [first.value, second.value]
