"""Add Attribute (KMIP 1.x §4.14, 2.1 §6.1.2)."""

from typing import Any

import pytest

from strongroom.attributes.rules import MAXIMUM_INSTANCES
from strongroom.model.attribute_list import AttributeInstance, RawValue, VendorAttribute
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import ApplicationSpecificInformation, CryptographicDomainParameters, Link
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.registry import (
    V1_0,
    V2_0,
    V2_1,
    CryptographicUsageMask,
    ItemType,
    LinkType,
    RecommendedCurve,
    ResultReason,
    State,
    Tag,
)
from tests.expect import (
    assert_refused,
    key,
    key_in,
    named,
    refusal,
    value,
    values,
)
from tests.kms import BOB, Refused, TestKms


def add(made: UniqueIdentifier, tag: Any, given: Any, index: int | None = None) -> AddAttributeRequest:
    return AddAttributeRequest(unique_identifier=made, new_attribute=AttributeInstance(tag, given, index))


def test_a_single_instance_attribute_gets_its_value(kms: TestKms) -> None:
    made = key(kms)
    kms.call(add(made, Tag.CONTACT_INFORMATION, "ops"))
    assert value(kms, made, Tag.CONTACT_INFORMATION) == "ops"


def test_each_further_value_gets_the_next_index(kms: TestKms) -> None:
    """KMIP 1.4 §4.14: the response has the attribute with the index that the server assigned."""
    made = key(kms)
    answers = [kms.call(add(made, Tag.OBJECT_GROUP, group)) for group in ("a", "b", "c")]
    assert [(a.attribute and a.attribute.index) or 0 for a in answers] == [0, 1, 2]
    assert values(kms, made, Tag.OBJECT_GROUP) == ["a", "b", "c"]


def test_the_answer_of_1_x_holds_the_attribute_and_that_of_2_x_does_not(kms: TestKms) -> None:
    made = key(kms)
    old = kms.call(add(made, Tag.OBJECT_GROUP, "a"), version=V1_0)
    assert old.attribute == AttributeInstance(Tag.OBJECT_GROUP, "a", 0)
    assert kms.call(add(made, Tag.OBJECT_GROUP, "b"), version=V2_0).attribute is None


@pytest.mark.parametrize(
    ("tag", "given"),
    [
        (Tag.OBJECT_GROUP, "g"),
        (
            Tag.APPLICATION_SPECIFIC_INFORMATION,
            ApplicationSpecificInformation(application_namespace="ns", application_data="d"),
        ),
        (
            Tag.LINK,
            Link(link_type=LinkType.PARENT_LINK, linked_object_identifier=UniqueIdentifier("another")),
        ),
        (VendorAttribute("x", "text"), RawValue(ItemType.TEXT_STRING, "t")),
        (VendorAttribute("x", "number"), RawValue(ItemType.INTEGER, -1)),
        (VendorAttribute("x", "bytes"), RawValue(ItemType.BYTE_STRING, b"\x00")),
        (VendorAttribute("x", "flag"), RawValue(ItemType.BOOLEAN, value=True)),
    ],
    ids=str,
)
def test_a_value_is_returned_as_it_was_added(kms: TestKms, tag: Any, given: Any) -> None:
    made = key(kms)
    kms.call(add(made, tag, given))
    assert values(kms, made, tag) == [given]


def test_a_vendor_attribute_of_2_x_is_kept(kms: TestKms) -> None:
    """KMIP 2.1 §4.60."""
    colour = VendorAttribute("acme", "colour")
    made = key(kms)
    kms.call(add(made, colour, RawValue(ItemType.TEXT_STRING, "red")), version=V2_1)
    assert values(kms, made, colour) == [RawValue(ItemType.TEXT_STRING, "red")]


def test_the_last_change_date_is_the_time_of_the_operation(kms: TestKms) -> None:
    """KMIP 1.4 §3.38."""
    made = key(kms)
    kms.clock.pass_time(hours=1)
    kms.call(add(made, Tag.OBJECT_GROUP, "g"))
    assert value(kms, made, Tag.LAST_CHANGE_DATE) == kms.clock.now()


def test_a_date_that_is_added_acts_at_once(kms: TestKms) -> None:
    """KMIP 2.1 §4.57, transition 4."""
    made = key(kms)
    kms.call(add(made, Tag.ACTIVATION_DATE, kms.clock.now()))
    assert value(kms, made, Tag.STATE) is State.ACTIVE


@pytest.mark.parametrize(
    ("tag", "given"),
    [
        (Tag.STATE, State.ACTIVE),
        (Tag.UNIQUE_IDENTIFIER, "mine"),
        (Tag.CRYPTOGRAPHIC_LENGTH, 128),
        (Tag.LEASE_TIME, 1),
        (Tag.ALWAYS_SENSITIVE, True),
        (VendorAttribute("y", "servers"), RawValue(ItemType.INTEGER, 1)),
    ],
    ids=str,
)
def test_what_only_the_server_sets_is_refused(kms: TestKms, tag: Any, given: Any) -> None:
    """KMIP 1.4 §11.16: attempt to add a read-only attribute."""
    request = add(key(kms), tag, given)
    assert refusal(kms, request, version=V2_1).reason is ResultReason.READ_ONLY_ATTRIBUTE
    assert refusal(kms, request).reason is ResultReason.PERMISSION_DENIED


def test_a_second_value_of_a_single_instance_attribute_is_refused(kms: TestKms) -> None:
    """KMIP 1.4 §11.16: the specified attribute already exists."""
    made = key(kms)
    kms.call(add(made, Tag.PROCESS_START_DATE, kms.clock.now()))
    kms.clock.pass_time(hours=-1)
    request = add(made, Tag.PROCESS_START_DATE, kms.clock.now())
    assert_refused(kms, request, ResultReason.ILLEGAL_OPERATION, ResultReason.ATTRIBUTE_SINGLE_VALUED)


def test_an_attribute_that_the_object_cannot_have_is_refused(kms: TestKms) -> None:
    """KMIP 1.4 §11.16: an attribute that is not supported for this object."""
    curve = CryptographicDomainParameters(recommended_curve=RecommendedCurve.P_256)
    request = add(key(kms), Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, curve)
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.INVALID_ATTRIBUTE)


def test_an_attribute_index_is_refused(kms: TestKms) -> None:
    """KMIP 1.4 §11.16: new attribute contains Attribute Index."""
    found = refusal(kms, add(key(kms), Tag.OBJECT_GROUP, "g", 1)).reason
    assert found is ResultReason.INVALID_FIELD


def test_the_name_of_another_object_is_refused(kms: TestKms) -> None:
    """KMIP 1.4 §11.16."""
    key(kms, named("n"))
    request = AddAttributeRequest(unique_identifier=key(kms), new_attribute=named("n"))
    assert_refused(kms, request, ResultReason.ILLEGAL_OPERATION, ResultReason.NON_UNIQUE_NAME_ATTRIBUTE)


def test_a_name_of_its_own_is_refused(kms: TestKms) -> None:
    request = AddAttributeRequest(unique_identifier=key(kms, named("n")), new_attribute=named("n"))
    assert_refused(kms, request, ResultReason.ILLEGAL_OPERATION, ResultReason.NON_UNIQUE_NAME_ATTRIBUTE)


def test_a_value_more_than_an_object_has_room_for_is_index_out_of_bounds(kms: TestKms) -> None:
    """KMIP 1.4 §11.15: the server limit on instances has been reached."""
    made = key(kms)
    has = len(kms.call(GetAttributesRequest(unique_identifier=made), version=V2_1).attributes.attributes)
    groups = [AttributeInstance(Tag.OBJECT_GROUP, f"g{n}", None) for n in range(MAXIMUM_INSTANCES - has)]
    request = one_too_many(kms, key(kms, *groups))
    assert_refused(kms, request, ResultReason.INDEX_OUT_OF_BOUNDS, ResultReason.SERVER_LIMIT_EXCEEDED)


def one_too_many(kms: TestKms, made: UniqueIdentifier) -> AddAttributeRequest:
    """Fill up what room an object has left, and return the request that has none any more."""
    for number in range(MAXIMUM_INSTANCES):
        request = add(made, VendorAttribute("x", f"more{number}"), RawValue(ItemType.TEXT_STRING, ""))
        if isinstance(kms.batch(request)[0], Refused):
            return request
    raise AssertionError("an object has no end")


def test_a_name_of_another_owner_does_not_count(kms: TestKms) -> None:
    key(kms, named("n"), caller=BOB)
    kms.call(AddAttributeRequest(unique_identifier=key(kms), new_attribute=named("n")))


def test_an_activation_date_is_for_pre_active_objects(kms: TestKms) -> None:
    """KMIP 2.1 §4.1: modifiable by client only while in Pre-Active state."""
    made = key_in(kms, State.COMPROMISED)
    request = add(made, Tag.ACTIVATION_DATE, kms.clock.now())
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.WRONG_KEY_LIFECYCLE_STATE)


def test_a_usage_mask_is_not_added_to(kms: TestKms) -> None:
    """KMIP 1.4 §3.19: not modifiable by client."""
    request = add(key(kms), Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.SIGN)
    found = refusal(kms, request, version=V2_1).reason
    assert found is ResultReason.ATTRIBUTE_SINGLE_VALUED
