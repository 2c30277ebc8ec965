"""Get Attribute List (KMIP 1.x §4.13, 2.1 §6.1.21)."""

import pytest

from strongroom.model.attribute_list import RawValue, VendorAttribute
from strongroom.operations.get_attribute_list import GetAttributeListRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.registry import V1_0, V1_4, V2_1, V3_0, Tag, Version
from tests.expect import key, key_pair, named
from tests.kms import TestKms, attribute


@pytest.mark.parametrize("version", [V1_0, V1_4, V2_1], ids=str)
def test_the_list_names_what_get_attributes_returns(kms: TestKms, version: Version) -> None:
    made = key(kms, named("n"))
    names = kms.call(GetAttributeListRequest(unique_identifier=made), version=version)
    every = kms.call(GetAttributesRequest(unique_identifier=made), version=version)
    assert names.unique_identifier == made
    assert set(names.attribute_reference) == {a.key for a in every.attributes.attributes}


def test_an_attribute_with_several_values_is_named_once(kms: TestKms) -> None:
    """KMIP 1.4 §4.13: the names of the available attributes."""
    made = key(kms, named("a"), named("b"))
    names = kms.call(GetAttributeListRequest(unique_identifier=made)).attribute_reference
    assert names.count(Tag.NAME) == 1


def test_what_has_no_value_is_not_named(kms: TestKms) -> None:
    names = kms.call(GetAttributeListRequest(unique_identifier=key(kms))).attribute_reference
    assert Tag.NAME not in names
    assert Tag.DESTROY_DATE not in names


@pytest.mark.parametrize("version", [V1_0, V2_1, V3_0], ids=str)
def test_custom_attributes_are_named(kms: TestKms, version: Version) -> None:
    colour = VendorAttribute("x", "colour")
    made = key(kms, attribute(colour, RawValue(7, "red")))
    answer = kms.call(GetAttributeListRequest(unique_identifier=made), version=version)
    assert colour in answer.attribute_reference


@pytest.mark.parametrize(("since", "tag"), [(V1_4, Tag.SENSITIVE), (V2_1, Tag.PROTECTION_STORAGE_MASK)])
def test_a_version_is_told_of_no_attribute_that_it_does_not_define(
    kms: TestKms, since: Version, tag: Tag
) -> None:
    request = GetAttributeListRequest(unique_identifier=key(kms))
    assert tag in kms.call(request, version=since).attribute_reference
    assert tag not in kms.call(request, version=V1_0).attribute_reference


def test_links_are_named(kms: TestKms) -> None:
    private, _ = key_pair(kms)
    answer = kms.call(GetAttributeListRequest(unique_identifier=private))
    assert Tag.LINK in answer.attribute_reference
