"""Object types, attributes and query functions: a success and a refusal of each, over TLS.

Rule: the tables are total; an object type that nothing makes here fails a test.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from strongroom.attributes.catalogue import all_attributes
from strongroom.attributes.declaration import NOTHING
from strongroom.domain.operation import Request
from strongroom.model.convert import decoder
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import (
    OBJECT_TYPES,
    CertificateRequest,
    DeviceCredential,
    HashedPasswordCredential,
    OTPCredential,
    PasswordCredential,
    PGPKey,
    Template,
)
from strongroom.model.secret import SecretBytes
from strongroom.operations.create_credential import CreateCredentialRequest
from strongroom.operations.create_group import CreateGroupRequest
from strongroom.operations.create_user import CreateUserRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.query import QueryRequest, QueryResponse
from strongroom.operations.re_key import ReKeyRequest
from strongroom.operations.sign import SignRequest
from strongroom.registry import (
    V1_4,
    V3_0,
    VERSIONS,
    CertificateRequestType,
    CredentialType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    HashingAlgorithm,
    KeyFormatType,
    ObjectType,
    Operation,
    OTPAlgorithm,
    QueryFunction,
    ResultReason,
    ResultStatus,
    Tag,
    Version,
)
from strongroom.registry.names import TAGS, VALUES, defined_values
from strongroom.wire.item import BOOLEAN, BYTE_STRING, ENUMERATION, Item
from tests.certificates import csr, self_signed
from tests.expect import (
    key,
    key_pair,
    mask,
    named,
    opaque,
    password,
    registration,
)
from tests.kms import attribute, request_message, template
from tests.over_tls import OverTls
from tests.unit.operations.splits import split

R, U = ResultReason, CryptographicUsageMask
A = CryptographicAlgorithm
DATA = SecretBytes(bytes(32))


def made(kms: OverTls, request: Request[Any]) -> str:
    return str(kms.call(request, version=kms.version).unique_identifier)


def credential(kind: CredentialType, value: Any) -> CreateCredentialRequest:
    return CreateCredentialRequest(credential_type=kind, attributes=template(), managed_object=value)


def pgp_key() -> PGPKey:
    """Return a key that the library reads, or anything where it is not installed and nothing is read."""
    data = b"anything"
    if find_spec("pysequoia") is not None:
        pysequoia = import_module("pysequoia")
        data = bytes(pysequoia.Tsk.generate(user_ids=["A <a@b.example>"]))
    value = KeyValue(key_material=SecretBytes(data))
    return PGPKey(pgp_key_version=4, key_block=KeyBlock(key_format_type=KeyFormatType.RAW, key_value=value))


OBJECTS: Mapping[ObjectType, Callable[[OverTls], str]] = {
    ObjectType.CERTIFICATE: lambda kms: made(
        kms,
        registration(
            ObjectType.CERTIFICATE,
            self_signed(),
        ),
    ),
    ObjectType.SYMMETRIC_KEY: lambda kms: key(kms),
    ObjectType.PUBLIC_KEY: lambda kms: key_pair(kms)[1],
    ObjectType.PRIVATE_KEY: lambda kms: key_pair(kms)[0],
    ObjectType.SPLIT_KEY: lambda kms: split(kms, key(kms))[0],
    ObjectType.TEMPLATE: lambda kms: made(
        kms,
        registration(
            ObjectType.TEMPLATE,
            Template(attributes=template(attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, A.AES))),
            named(kms.fresh("template")),
        ),
    ),
    ObjectType.SECRET_DATA: lambda kms: made(
        kms, registration(ObjectType.SECRET_DATA, password(), mask(U.VERIFY))
    ),
    ObjectType.OPAQUE_OBJECT: lambda kms: made(kms, registration(ObjectType.OPAQUE_OBJECT, opaque())),
    ObjectType.PGP_KEY: lambda kms: made(kms, registration(ObjectType.PGP_KEY, pgp_key(), mask(U.SIGN))),
    ObjectType.CERTIFICATE_REQUEST: lambda kms: made(
        kms,
        registration(
            ObjectType.CERTIFICATE_REQUEST,
            CertificateRequest(
                certificate_request_type=CertificateRequestType.PKCS_10, certificate_request_value=csr()
            ),
        ),
    ),
    ObjectType.USER: lambda kms: made(kms, CreateUserRequest(attributes=template(named(kms.fresh("user"))))),
    ObjectType.GROUP: lambda kms: made(
        kms, CreateGroupRequest(attributes=template(named(kms.fresh("group"))))
    ),
    ObjectType.PASSWORD_CREDENTIAL: lambda kms: made(
        kms, credential(CredentialType.PASSWORD, PasswordCredential(password=SecretBytes(b"correct horse")))
    ),
    ObjectType.DEVICE_CREDENTIAL: lambda kms: made(
        kms, credential(CredentialType.DEVICE, DeviceCredential(device_serial_number="S1"))
    ),
    ObjectType.ONE_TIME_PASSWORD_CREDENTIAL: lambda kms: made(
        kms,
        credential(
            CredentialType.ONE_TIME_PASSWORD,
            OTPCredential(otp_algorithm=OTPAlgorithm.HOTP, otp_seed=SecretBytes(b"12345678901234567890")),
        ),
    ),
    ObjectType.HASHED_PASSWORD_CREDENTIAL: lambda kms: made(
        kms,
        credential(
            CredentialType.HASHED_PASSWORD,
            HashedPasswordCredential(
                hashing_algorithm=HashingAlgorithm.SHA_256,
                hashed_username_password=SecretBytes(bytes(32)),
                hashed_password_username=SecretBytes(bytes(32)),
            ),
        ),
    ),
}


def typed() -> list[Any]:
    """Return each object type with the oldest and the newest version that has it."""
    found = []
    for code, entry in VALUES["ObjectType"].items():
        last = entry.until or VERSIONS[-1]
        found += [pytest.param(ObjectType(code), v, id=f"{entry.name}-{v}") for v in {entry.since, last}]
    return found


def test_every_object_type_is_tried() -> None:
    assert set(OBJECTS) == set(ObjectType) == set(OBJECT_TYPES.values()) | {ObjectType.USER, ObjectType.GROUP}


@pytest.mark.parametrize(("object_type", "version"), typed())
def test_an_object_of_each_type_is_kept_and_refuses_what_does_not_fit(
    kms: OverTls, object_type: ObjectType, version: Version
) -> None:
    kms.version = version
    identifier = UniqueIdentifier(OBJECTS[object_type](kms))
    asked = GetAttributesRequest(unique_identifier=identifier, attribute_reference=(Tag.OBJECT_TYPE,))
    (answered,) = kms.call(asked, version=version).attributes.attributes
    assert answered.value is object_type
    unfit: Request[Any] = ReKeyRequest(unique_identifier=identifier)
    if object_type is ObjectType.SYMMETRIC_KEY:
        unfit = SignRequest(unique_identifier=identifier, data=DATA)
        kms.version = max(version, V1_4)
    assert kms.refusal(unfit) is not None
    listed = kms.call(QueryRequest(query_function=(QueryFunction.QUERY_OBJECTS,)), version=version)
    assert object_type in listed.object_type


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_every_query_function_is_answered_and_an_unknown_one_refused(kms: OverTls, version: Version) -> None:
    """A function of a later version is honoured as far as the answer's version can say it."""
    kms.version = version
    unknown = max(QueryFunction) + 1
    for function in (*QueryFunction, unknown):
        message = request_message(QueryRequest(query_function=()), version=version)
        message[2][-1][2][-1][2].append((int(Tag.QUERY_FUNCTION), ENUMERATION, int(function)))
        answered = kms.outcome_of(message)
        if function == unknown:
            assert answered.result_reason in (R.INVALID_FIELD, R.INVALID_MESSAGE)
        else:
            assert answered.result_status is ResultStatus.SUCCESS, function
            decoder(QueryResponse, version)(answered.response_payload or [])


def test_query_lists_exactly_the_operations_that_are_there(kms: OverTls) -> None:
    """Every one of them has a success and a refusal in test_operations.py."""
    for version in VERSIONS:
        asked = QueryRequest(query_function=(QueryFunction.QUERY_OPERATIONS,))
        listed = {VALUES["Operation"][o].name for o in kms.call(asked, version=version).operation}
        assert listed <= {VALUES["Operation"][o].name for o in defined_values("Operation", version)}
        assert "Query" in listed


def attributed() -> list[Any]:
    return [
        pytest.param(tag, id=f"{TAGS[tag].name}")
        for tag, declared in all_attributes().items()
        if declared.until is None
    ]


@pytest.mark.parametrize("tag", attributed())
def test_an_attribute_is_answered_and_refuses_a_value_of_another_type(kms: OverTls, tag: Tag) -> None:
    """What a client may not change is refused whatever the type."""
    kms.version = V3_0
    identifier = UniqueIdentifier(key(kms))
    asked = GetAttributesRequest(unique_identifier=identifier, attribute_reference=(tag,))
    assert kms.refusal(asked) is None
    types = TAGS[tag].item_types
    wrong: Item = (int(tag), BOOLEAN, True) if BYTE_STRING in types else (int(tag), BYTE_STRING, b"1")
    message = request_message(asked, version=V3_0)
    batch_item = message[2][-1][2]
    batch_item[0] = (int(Tag.OPERATION), ENUMERATION, int(Operation.SET_ATTRIBUTE))
    batch_item[-1][2][1:] = [(int(Tag.NEW_ATTRIBUTE), 1, [wrong])]
    refused = kms.outcome_of(message).result_reason
    expected = {R.INVALID_DATA_TYPE, R.INVALID_FIELD, R.INVALID_ATTRIBUTE_VALUE, R.INVALID_MESSAGE}
    if all_attributes()[tag].client_may == NOTHING or refused is R.READ_ONLY_ATTRIBUTE:
        expected |= {R.READ_ONLY_ATTRIBUTE}
    assert refused in expected
