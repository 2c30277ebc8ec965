"""Get Attributes (KMIP 1.x §4.12, 2.1 §6.1.20)."""

from datetime import timedelta

import pytest

from strongroom.model.attribute_list import VendorAttribute
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_1,
    VERSIONS,
    ObjectType,
    ResultReason,
    State,
    Tag,
    Version,
)
from tests.expect import assert_refused, key, named, register_opaque, values
from tests.kms import TestKms, attribute


def test_every_value_of_an_attribute_is_returned(kms: TestKms) -> None:
    made = key(kms, named("a"), named("b"))
    assert [n.name_value for n in values(kms, made, Tag.NAME)] == ["a", "b"]


def test_values_have_the_indices_of_1_x(kms: TestKms) -> None:
    """KMIP 1.4 §2.1.1: Attribute Index numbers the instances from 0."""
    made = key(kms, named("a"), named("b"))
    request = GetAttributesRequest(unique_identifier=made, attribute_reference=(Tag.NAME,))
    assert [a.index or 0 for a in kms.call(request).attributes.attributes] == [0, 1]


def test_only_what_is_asked_for_is_returned(kms: TestKms) -> None:
    wanted = (Tag.OBJECT_TYPE, Tag.STATE)
    request = GetAttributesRequest(unique_identifier=key(kms), attribute_reference=wanted)
    answer = kms.call(request).attributes.attributes
    assert [(a.key, a.value) for a in answer] == [
        (Tag.OBJECT_TYPE, ObjectType.SYMMETRIC_KEY),
        (Tag.STATE, State.PRE_ACTIVE),
    ]


@pytest.mark.parametrize("version", [V1_0, V1_4, V2_1], ids=str)
def test_what_the_object_does_not_have_is_left_out(kms: TestKms, version: Version) -> None:
    """KMIP 2.1 §6.1.20: it shall not be present in the returned response."""
    wanted = (Tag.DESTROY_DATE, Tag.STATE)
    request = GetAttributesRequest(unique_identifier=key(kms), attribute_reference=wanted)
    assert [a.key for a in kms.call(request, version=version).attributes.attributes] == [Tag.STATE]


@pytest.mark.parametrize("version", [V1_0, V1_4, V2_1], ids=str)
def test_an_answer_may_hold_the_identifier_alone(kms: TestKms, version: Version) -> None:
    """KMIP 2.1 §6.1.20: if none of the attributes exist, the response shall consist only of it."""
    made = key(kms)
    request = GetAttributesRequest(unique_identifier=made, attribute_reference=(Tag.DESTROY_DATE,))
    answer = kms.call(request, version=version)
    assert answer.unique_identifier == made
    assert answer.attributes.attributes == ()


def test_an_unknown_attribute_is_left_out(kms: TestKms) -> None:
    wanted = (VendorAttribute("x", "none"), VendorAttribute("", "Colour"))
    request = GetAttributesRequest(unique_identifier=key(kms), attribute_reference=wanted)
    assert kms.call(request).attributes.attributes == ()


def test_without_a_list_every_attribute_is_returned(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.20."""
    made = key(kms, named("n"), attribute(Tag.OBJECT_GROUP, "g"))
    answer = kms.call(GetAttributesRequest(unique_identifier=made), version=V2_1)
    found = {a.key for a in answer.attributes.attributes}
    assert found >= {
        Tag.UNIQUE_IDENTIFIER, Tag.OBJECT_TYPE, Tag.NAME, Tag.OBJECT_GROUP, Tag.STATE, Tag.FRESH,
        Tag.INITIAL_DATE, Tag.LAST_CHANGE_DATE, Tag.DIGEST, Tag.CRYPTOGRAPHIC_ALGORITHM,
        Tag.CRYPTOGRAPHIC_LENGTH, Tag.CRYPTOGRAPHIC_USAGE_MASK, Tag.SENSITIVE, Tag.EXTRACTABLE,
    }  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_an_answer_of_any_version_can_be_read(kms: TestKms, version: Version) -> None:
    made = key(kms, named("n"))
    answer = kms.call(GetAttributesRequest(unique_identifier=made), version=version)
    assert Tag.STATE in {a.key for a in answer.attributes.attributes}


def test_an_attribute_asked_for_twice_is_an_invalid_message(kms: TestKms) -> None:
    """KMIP 1.4 §11.14: the same Attribute Name is present more than once. 1.0 has no line for it."""
    twice = (Tag.STATE, Tag.STATE)
    request = GetAttributesRequest(unique_identifier=key(kms), attribute_reference=twice)
    assert_refused(kms, request, ResultReason.INVALID_MESSAGE, ResultReason.INVALID_MESSAGE)


def test_asking_changes_nothing(kms: TestKms) -> None:
    made = key(kms)
    created = kms.clock.now()
    kms.clock.pass_time(hours=1)
    values(kms, made, Tag.NAME)
    assert values(kms, made, Tag.LAST_CHANGE_DATE) == [created]
    assert values(kms, made, Tag.FRESH) == [True]


def test_the_state_is_that_of_now(kms: TestKms) -> None:
    """KMIP 2.1 §4.57: the Activation Date acts when it is reached."""
    made = key(kms, attribute(Tag.ACTIVATION_DATE, kms.clock.now() + timedelta(hours=1)))
    assert values(kms, made, Tag.STATE) == [State.PRE_ACTIVE]
    kms.clock.pass_time(hours=1)
    assert values(kms, made, Tag.STATE) == [State.ACTIVE]


def test_an_opaque_object_has_a_state(kms: TestKms) -> None:
    assert values(kms, register_opaque(kms), Tag.STATE) == [State.PRE_ACTIVE]
