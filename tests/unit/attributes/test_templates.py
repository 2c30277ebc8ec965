"""Templates of KMIP 1.x (1.4 §2.2.6): what they give to new objects."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.model.attribute_list import AttributeInstance, TemplateAttributes, VendorAttribute
from strongroom.model.objects import Template
from strongroom.model.structures import Name
from strongroom.operations.create import CreateRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.register import RegisterRequest
from strongroom.registry import (
    V1_2,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectType,
    Tag,
)
from tests.kms import TestKms, template
from tests.unit.attributes.objects import custom, given, name


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[TestKms]:
    server = TestKms(tmp_path)
    yield server
    server.close()


def create_from_template(kms: TestKms, *own: AttributeInstance) -> str:
    """Create a key from a template that has a usage mask, a contact and a custom attribute."""
    content = template(
        given(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
        given(Tag.CRYPTOGRAPHIC_LENGTH, 128),
        given(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.ENCRYPT),
        given(Tag.CONTACT_INFORMATION, "template"),
        custom("ID", "template"),
    )
    registered = RegisterRequest(
        object_type=ObjectType.TEMPLATE,
        attributes=template(name("t")),
        managed_object=Template(attributes=content),
    )
    kms.call(registered, version=V1_2)
    attributes = TemplateAttributes(names=(Name(name_value="t"),), attributes=template(*own).attributes)
    request = CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=attributes)
    return kms.call(request, version=V1_2).unique_identifier


def values(kms: TestKms, identifier: str, key: Tag | VendorAttribute) -> list[object]:
    request = GetAttributesRequest(unique_identifier=identifier, attribute_reference=(key,))  # type: ignore[arg-type]
    return [i.value for i in kms.call(request, version=V1_2).attributes.attributes]


def test_a_new_object_has_what_the_template_says(kms: TestKms) -> None:
    key = create_from_template(kms)
    assert values(kms, key, Tag.CRYPTOGRAPHIC_LENGTH) == [128]
    assert values(kms, key, Tag.CONTACT_INFORMATION) == ["template"]
    assert values(kms, key, Tag.NAME) == []


def test_the_request_comes_before_the_template_for_single_values(kms: TestKms) -> None:
    """KMIP 1.4 §4.2: attributes specified explicitly, then those of templates."""
    key = create_from_template(kms, given(Tag.CONTACT_INFORMATION, "request"))
    assert values(kms, key, Tag.CONTACT_INFORMATION) == ["request"]


def test_values_of_a_multi_valued_attribute_add_up(kms: TestKms) -> None:
    """KMIP 1.4 §4.2: the union of the values SHALL be used."""
    key = create_from_template(kms, custom("ID", "request"))
    found = values(kms, key, VendorAttribute("x", "ID"))
    assert found == [custom("ID", "template").value, custom("ID", "request").value]
