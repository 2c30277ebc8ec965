"""A request does not lose anything on the way: what its version cannot say is refused."""

from typing import Any

import pytest

from strongroom.client.attributes import attribute, template
from strongroom.client.conversation import Conversation
from strongroom.client.errors import VersionNotSupported
from strongroom.domain.operation import Request
from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.identifiers import BatchReference, NameReference, UniqueIdentifier
from strongroom.model.structures import CryptographicParameters, Link, Name
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.delete_attribute import DeleteAttributeRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.query import QueryRequest
from strongroom.operations.re_key_key_pair import ReKeyKeyPairRequest
from strongroom.operations.set_attribute import SetAttributeRequest
from strongroom.registry import (
    V1_0,
    V1_2,
    V1_4,
    V2_0,
    V2_1,
    V3_0,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    LinkType,
    ObjectType,
    QueryFunction,
    Tag,
    UniqueIdentifierEnumeration,
    Version,
)

NAME = UniqueIdentifier("7d0b")
LINK = Link(link_type=LinkType.PUBLIC_KEY_LINK, linked_object_identifier=NAME)


def create(**values: Any) -> CreateRequest:
    return CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=template(**values))


@pytest.mark.parametrize(
    ("request_", "version", "gap"),
    [
        pytest.param(LocateRequest(offset_items=5), V1_2, "field Offset Items", id="a field"),
        pytest.param(
            EncryptRequest(cryptographic_parameters=CryptographicParameters(salt_length=8)),
            V1_2,
            "field Salt Length",
            id="a field of a structure",
        ),
        pytest.param(create(sensitive=True), V1_0, "attribute Sensitive", id="an attribute"),
        pytest.param(
            LocateRequest(attributes=template(sensitive=True)), V1_0, "attribute Sensitive", id="a filter"
        ),
        pytest.param(
            GetAttributesRequest(attribute_reference=(Tag.SENSITIVE,)),
            V1_0,
            "attribute Sensitive",
            id="a reference",
        ),
        pytest.param(
            create(
                cryptographic_usage_mask=CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.AUTHENTICATE
            ),
            V1_4,
            "Cryptographic Usage Mask Authenticate",
            id="a bit of a mask",
        ),
        pytest.param(
            create(cryptographic_algorithm=CryptographicAlgorithm.ML_KEM_768),
            V2_1,
            "Cryptographic Algorithm ML-KEM-768",
            id="a value of an enumeration",
        ),
        pytest.param(
            QueryRequest(query_function=(QueryFunction.QUERY_OPERATIONS, QueryFunction.QUERY_PROFILES)),
            V1_0,
            "Query Function Query Profiles",
            id="one of a list",
        ),
        pytest.param(
            DeleteAttributeRequest(attribute_name=Tag.NAME),
            V2_0,
            "field Attribute Name",
            id="a field that was dropped",
        ),
        pytest.param(
            ReKeyKeyPairRequest(private_key_unique_identifier=NAME),
            V3_0,
            "field Private Key Unique Identifier",
            id="a field that was renamed",
        ),
        pytest.param(
            CreateRequest(
                object_type=ObjectType.SYMMETRIC_KEY,
                attributes=TemplateAttributes(names=(Name(name_value="t"),)),
            ),
            V2_0,
            "templates",
            id="a template",
        ),
        pytest.param(
            ActivateRequest(unique_identifier=UniqueIdentifierEnumeration.CREATE),
            V1_4,
            "Unique Identifier Create",
            id="an object of the batch",
        ),
        pytest.param(
            ActivateRequest(unique_identifier=BatchReference(0)),
            V1_4,
            "reference to another item",
            id="a place in the batch",
        ),
        pytest.param(
            ActivateRequest(unique_identifier=NameReference("k")), V2_1, "reference by name", id="a name"
        ),
    ],
)
def test_what_the_version_cannot_say_is_refused(request_: Request[Any], version: Version, gap: str) -> None:
    with pytest.raises(VersionNotSupported) as caught:
        next(Conversation(version=version).call(request_))
    assert f"KMIP {version} has no {gap}" in str(caught.value)


@pytest.mark.parametrize(
    ("request_", "version"),
    [
        (create(name="k"), V3_0),
        (create(cryptographic_algorithm=CryptographicAlgorithm.EC), V1_0),
        (SetAttributeRequest(new_attribute=attribute(Tag.LINK, LINK)), V3_0),
        (LocateRequest(offset_items=5), V2_0),
        (create(sensitive=True, name="k", cryptographic_length=256), V1_4),
        (create(cryptographic_algorithm=CryptographicAlgorithm.ML_KEM_768), V3_0),
        (SetAttributeRequest(new_attribute=attribute("x-purpose", "test")), V2_0),
        (ReKeyKeyPairRequest(unique_identifier=NAME), V3_0),
        (ActivateRequest(unique_identifier=NameReference("k")), V3_0),
        (CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=template()), V1_0),
        (create(cryptographic_algorithm=0x80000042), V1_0),
    ],
)
def test_what_the_version_can_say_is_sent(request_: Request[Any], version: Version) -> None:
    assert next(Conversation(version=version).call(request_)).message
