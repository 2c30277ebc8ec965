"""Set Attribute (KMIP 2.1 §6.1.51)."""

from datetime import timedelta
from typing import Any

import pytest

from strongroom.model.attribute_list import AttributeInstance, RawValue, VendorAttribute
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import CryptographicDomainParameters
from strongroom.operations.set_attribute import SetAttributeRequest
from strongroom.registry import V1_4, V2_1, ItemType, RecommendedCurve, ResultReason, State, Tag
from tests.expect import assert_refused, key, key_in, named, refusal, value, values
from tests.kms import TestKms, attribute


def put(made: UniqueIdentifier, tag: Any, given: Any) -> SetAttributeRequest:
    return SetAttributeRequest(unique_identifier=made, new_attribute=AttributeInstance(tag, given))


def test_an_attribute_without_a_value_gets_one(kms: TestKms) -> None:
    made = key(kms)
    kms.call(put(made, Tag.CONTACT_INFORMATION, "ops"), version=V2_1)
    assert values(kms, made, Tag.CONTACT_INFORMATION) == ["ops"]


@pytest.mark.parametrize("tag", [Tag.CONTACT_INFORMATION, Tag.OBJECT_GROUP])
def test_the_only_value_is_replaced(kms: TestKms, tag: Tag) -> None:
    """KMIP 2.1 §6.1.51: if the object had exactly one instance, then it is modified."""
    made = key(kms, attribute(tag, "a"))
    kms.call(put(made, tag, "b"), version=V2_1)
    assert values(kms, made, tag) == ["b"]


def test_several_values_are_an_error(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.51: if it has more than one instance an error is raised."""
    made = key(kms, named("a"), named("b"))
    request = put(made, Tag.NAME, named("c").value)
    assert_refused(kms, request, ResultReason.MULTI_VALUED_ATTRIBUTE, ResultReason.MULTI_VALUED_ATTRIBUTE)


@pytest.mark.parametrize(
    ("tag", "given"),
    [
        (Tag.STATE, State.ACTIVE),
        (Tag.UNIQUE_IDENTIFIER, "mine"),
        (Tag.LEASE_TIME, 1),
        (Tag.CRYPTOGRAPHIC_LENGTH, 128),
        (VendorAttribute("y", "theirs"), RawValue(ItemType.INTEGER, 1)),
    ],
    ids=str,
)
def test_a_read_only_attribute_is_refused(kms: TestKms, tag: Any, given: Any) -> None:
    request = put(key(kms), tag, given)
    assert_refused(kms, request, ResultReason.READ_ONLY_ATTRIBUTE, ResultReason.READ_ONLY_ATTRIBUTE)


def test_an_attribute_that_the_object_cannot_have_is_an_invalid_field(kms: TestKms) -> None:
    """No reason of its own table speaks of the attribute, only of its value."""
    curve = CryptographicDomainParameters(recommended_curve=RecommendedCurve.P_256)
    request = put(key(kms), Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, curve)
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


def test_the_name_of_another_object_is_refused(kms: TestKms) -> None:
    key(kms, named("n"))
    request = SetAttributeRequest(unique_identifier=key(kms), new_attribute=named("n"))
    reason = ResultReason.NON_UNIQUE_NAME_ATTRIBUTE
    assert_refused(kms, request, reason, reason)


def test_a_date_that_is_set_acts_at_once(kms: TestKms) -> None:
    """KMIP 2.1 §4.57, transition 4."""
    made = key(kms)
    kms.call(put(made, Tag.ACTIVATION_DATE, kms.clock.now()), version=V2_1)
    assert value(kms, made, Tag.STATE) is State.ACTIVE


def test_a_date_that_the_state_has_closed_is_refused(kms: TestKms) -> None:
    """KMIP 2.1 §4.1."""
    made = key_in(kms, State.ACTIVE)
    later = kms.clock.now() + timedelta(days=1)
    reason = ResultReason.WRONG_KEY_LIFECYCLE_STATE
    assert refusal(kms, put(made, Tag.ACTIVATION_DATE, later), version=V2_1).reason is reason


def test_1_x_has_no_such_operation(kms: TestKms) -> None:
    found = refusal(kms, put(key(kms), Tag.CONTACT_INFORMATION, "ops"), version=V1_4).reason
    assert found is ResultReason.OPERATION_NOT_SUPPORTED
