"""Attributes that always have a value have one, on objects of every type (3.0, which has them all)."""

import pytest

from strongroom.attributes.catalogue import all_attributes
from strongroom.attributes.usage import USE_COUNTERS
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import PasswordCredential
from strongroom.model.secret import SecretBytes
from strongroom.operations.create_credential import CreateCredentialRequest
from strongroom.operations.create_group import CreateGroupRequest
from strongroom.operations.create_split_key import CreateSplitKeyRequest
from strongroom.operations.create_user import CreateUserRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.registry import V3_0, CredentialType, ObjectType, SplitKeyMethod, Tag
from tests.expect import key, key_pair, named, register_opaque, register_password, registration
from tests.kms import TestKms, template
from tests.unit.operations.test_register import certificate

_NO_KEY = {Tag.CRYPTOGRAPHIC_ALGORITHM, Tag.CRYPTOGRAPHIC_LENGTH}
_NO_MATERIAL = {*_NO_KEY, Tag.KEY_FORMAT_TYPE, Tag.DIGEST}
# What an object of the type has no value of; the rule tables speak of all objects there.
WITHOUT = {
    ObjectType.SYMMETRIC_KEY: set[Tag](),
    ObjectType.PRIVATE_KEY: set[Tag](),
    ObjectType.PUBLIC_KEY: set[Tag](),
    ObjectType.SPLIT_KEY: set[Tag](),
    ObjectType.CERTIFICATE: set[Tag](),
    ObjectType.SECRET_DATA: _NO_KEY,
    ObjectType.OPAQUE_OBJECT: {*_NO_KEY, Tag.CRYPTOGRAPHIC_USAGE_MASK},
    ObjectType.USER: _NO_MATERIAL,
    ObjectType.GROUP: _NO_MATERIAL,
    ObjectType.PASSWORD_CREDENTIAL: _NO_MATERIAL,
}
# The polynomial is that of parts made with one; counters are on or off (docs/decisions/0030).
NEVER = {Tag.SPLIT_KEY_POLYNOMIAL, *USE_COUNTERS}


def make(kms: TestKms, object_type: ObjectType) -> UniqueIdentifier:
    match object_type:
        case ObjectType.SYMMETRIC_KEY:
            return key(kms)
        case ObjectType.PRIVATE_KEY:
            return key_pair(kms)[0]
        case ObjectType.PUBLIC_KEY:
            return key_pair(kms)[1]
        case ObjectType.SPLIT_KEY:
            split = CreateSplitKeyRequest(
                object_type=ObjectType.SPLIT_KEY,
                unique_identifier=key(kms),
                split_key_parts=2,
                split_key_threshold=2,
                split_key_method=SplitKeyMethod.XOR,
                attributes=template(),
            )
            return kms.call(split, version=V3_0).unique_identifier[0]
        case ObjectType.CERTIFICATE:
            return kms.call(registration(object_type, certificate())).unique_identifier
        case ObjectType.SECRET_DATA:
            return register_password(kms)
        case ObjectType.OPAQUE_OBJECT:
            return register_opaque(kms)
        case ObjectType.USER:
            user = CreateUserRequest(attributes=template(named("carol")))
            return kms.call(user, version=V3_0).unique_identifier
        case ObjectType.GROUP:
            group = CreateGroupRequest(attributes=template(named("crew")))
            return kms.call(group, version=V3_0).unique_identifier
        case _:
            credential = CreateCredentialRequest(
                credential_type=CredentialType.PASSWORD,
                attributes=template(),
                managed_object=PasswordCredential(password=SecretBytes(b"correct horse")),
            )
            return kms.call(credential, version=V3_0).unique_identifier


@pytest.mark.parametrize("object_type", WITHOUT, ids=lambda t: t.name)
def test_what_always_has_a_value_has_one(kms: TestKms, object_type: ObjectType) -> None:
    request = GetAttributesRequest(unique_identifier=make(kms, object_type))
    there = {a.key for a in kms.call(request, version=V3_0).attributes.attributes}
    always = {
        rule.tag
        for rule in all_attributes().values()
        if rule.always_has_value
        and object_type in rule.applies_to
        and rule.since <= V3_0
        and (rule.until is None or rule.until >= V3_0)
    }
    assert always - there - NEVER == WITHOUT[object_type]
