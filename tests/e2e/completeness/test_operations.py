"""*Handled* means: a success and a refusal, seen over the wire.

Rule: one row for each operation that the server has, and a test fails while one is missing. A row is played
over TLS on the real server, in the oldest and the newest version that has the operation; the Result Reason of
the refusal has to be one that the error tables of the specification allow. What is refused everywhere is an
object that does not exist, except where the operation knows none.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from strongroom.domain.operation import Request
from strongroom.model.convert import decoder
from strongroom.model.factory import DefaultsInformation, ObjectDefaults
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.messages import Ticket
from strongroom.model.objects import PasswordCredential
from strongroom.model.rights import Right, Rights
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import (
    CryptographicParameters,
    DerivationParameters,
    UsageLimits,
)
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.adjust_attribute import AdjustAttributeRequest
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.cancel import CancelRequest
from strongroom.operations.catalogue import all_operations
from strongroom.operations.certify import CertifyRequest
from strongroom.operations.check import CheckRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.create_credential import CreateCredentialRequest
from strongroom.operations.create_group import CreateGroupRequest
from strongroom.operations.create_user import CreateUserRequest
from strongroom.operations.deactivate import DeactivateRequest
from strongroom.operations.decrypt import DecryptRequest
from strongroom.operations.delegated_login import DelegatedLoginRequest
from strongroom.operations.delete_attribute import DeleteAttributeRequest
from strongroom.operations.derive_key import DeriveKeyRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.discover_versions import DiscoverVersionsRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.export import ExportRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attribute_list import GetAttributeListRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.get_constraints import GetConstraintsRequest
from strongroom.operations.get_usage_allocation import GetUsageAllocationRequest
from strongroom.operations.hash import HashRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.interop import InteropRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.log import MAXIMUM_LENGTH, LogRequest
from strongroom.operations.login import LoginRequest
from strongroom.operations.logout import LogoutRequest
from strongroom.operations.mac import MACRequest
from strongroom.operations.mac_verify import MACVerifyRequest
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.operations.obtain_lease import ObtainLeaseRequest
from strongroom.operations.ping import PingRequest
from strongroom.operations.pkcs_11 import PKCS11Request
from strongroom.operations.poll import PollRequest
from strongroom.operations.process import ProcessRequest
from strongroom.operations.query import QueryRequest
from strongroom.operations.query_asynchronous_requests import QueryAsynchronousRequestsRequest
from strongroom.operations.re_certify import ReCertifyRequest
from strongroom.operations.re_key import ReKeyRequest
from strongroom.operations.re_key_key_pair import ReKeyKeyPairRequest
from strongroom.operations.recover import RecoverRequest
from strongroom.operations.rng_retrieve import RNGRetrieveRequest
from strongroom.operations.rng_seed import RNGSeedRequest
from strongroom.operations.set_attribute import SetAttributeRequest
from strongroom.operations.set_constraints import SetConstraintsRequest
from strongroom.operations.set_defaults import SetDefaultsRequest
from strongroom.operations.set_endpoint_role import SetEndpointRoleRequest
from strongroom.operations.sign import SignRequest
from strongroom.operations.signature_verify import SignatureVerifyRequest
from strongroom.operations.validate import ValidateRequest
from strongroom.registry import (
    V2_0,
    V2_1,
    V3_0,
    VERSIONS,
    AdjustmentType,
    BlockCipherMode,
    CancellationResult,
    CredentialType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DerivationMethod,
    EndpointRole,
    HashingAlgorithm,
    InteropFunction,
    ObjectType,
    Operation,
    PaddingMethod,
    PKCS11Function,
    QueryFunction,
    ResultReason,
    ResultStatus,
    State,
    Tag,
    TicketType,
    UsageLimitsUnit,
    Version,
)
from strongroom.registry.names import VALUES
from tests.certificates import authority, issued_by, leaf, subject
from tests.expect import (
    AES_128,
    EVERY_USE,
    MISSING,
    active_key,
    allowed_reasons,
    archived_key,
    key,
    key_in,
    key_pair,
    mask,
    named,
    pair_request,
    raw_key,
    register_key,
    register_opaque,
    registration,
    revoke,
)
from tests.kms import attribute, template
from tests.over_tls import OverTls
from tests.unit.operations.splits import join_request, split, split_request

R = ResultReason
Make = Callable[[OverTls], Request[Any]]


class Row(NamedTuple):
    """What succeeds, what is refused, and why: in 1.x, and since 2.0."""

    succeeds: Make
    refused: Make | None  # None: the request of `succeeds` with an item that does not belong there
    older: ResultReason = R.ITEM_NOT_FOUND
    newer: ResultReason = R.OBJECT_NOT_FOUND


def of(request: Callable[..., Request[Any]], make: Callable[[OverTls], str], **fields: Any) -> Row:
    """Return the row of an operation on one object: this one, and one that does not exist."""
    return Row(
        lambda kms: request(unique_identifier=UniqueIdentifier(make(kms)), **fields),
        lambda kms: request(unique_identifier=MISSING, **fields),
    )


SHA_256 = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)
ECB = CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB, padding_method=PaddingMethod.PKCS5)
HMAC = CryptographicParameters(cryptographic_algorithm=CryptographicAlgorithm.HMAC_SHA256)
DATA = SecretBytes(b"sixteen bytes...")
USE = CryptographicUsageMask
BY_HMAC = DerivationParameters(
    cryptographic_parameters=SHA_256, derivation_data=(SecretBytes(b"derived from"),)
)
NO_TICKET = Ticket(ticket_type=TicketType.LOGIN, ticket_value=SecretBytes(bytes(32)))
CONTACT = attribute(Tag.CONTACT_INFORMATION, "somebody")
COMMENT = attribute(Tag.COMMENT, "one")
PASSWORD = PasswordCredential(password=SecretBytes(b"correct horse"))


def active(usage: CryptographicUsageMask, material: bytes = AES_128) -> Callable[[OverTls], str]:
    def make(kms: OverTls) -> str:
        made = register_key(kms, material=material, usage=usage)
        kms.call(ActivateRequest(unique_identifier=made))
        return made

    return make


def contacted(kms: OverTls) -> str:
    return key(kms, CONTACT)


def limited(kms: OverTls) -> str:
    limits = UsageLimits(usage_limits_total=100, usage_limits_unit=UsageLimitsUnit.BYTE)
    return active_key(kms, attribute(Tag.USAGE_LIMITS, limits))


def derivation(base: str) -> DeriveKeyRequest:
    return DeriveKeyRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        unique_identifier=(UniqueIdentifier(base),),
        derivation_method=DerivationMethod.HMAC,
        derivation_parameters=BY_HMAC,
        attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),
            mask(EVERY_USE),
        ),
    )


def signing_pair(kms: OverTls) -> tuple[UniqueIdentifier, UniqueIdentifier]:
    made = key_pair(kms)
    for one in made:
        kms.call(ActivateRequest(unique_identifier=one))
    return made


def hmac_key(kms: OverTls) -> str:
    block = raw_key(bytes(32), cryptographic_algorithm=CryptographicAlgorithm.HMAC_SHA256)
    usage = mask(USE.MAC_GENERATE | USE.MAC_VERIFY)
    made = kms.call(registration(ObjectType.SYMMETRIC_KEY, block, usage)).unique_identifier
    kms.call(ActivateRequest(unique_identifier=made))
    return made


def import_of(kms: OverTls, value: Any, where: str | None = None) -> ImportRequest:
    return ImportRequest(
        unique_identifier=UniqueIdentifier(where or kms.fresh("imported")),
        object_type=ObjectType.SYMMETRIC_KEY if kms.version >= V2_0 else None,
        attributes=template(mask(EVERY_USE)),
        managed_object=value,
    )


def re_key_pair(kms: OverTls, private: str) -> ReKeyKeyPairRequest:
    if kms.version >= V3_0:
        return ReKeyKeyPairRequest(unique_identifier=UniqueIdentifier(private))
    return ReKeyKeyPairRequest(private_key_unique_identifier=UniqueIdentifier(private))


def deletion(kms: OverTls, of: str, what: Tag) -> DeleteAttributeRequest:
    if kms.version >= V2_0:
        return DeleteAttributeRequest(unique_identifier=UniqueIdentifier(of), attribute_reference=what)
    return DeleteAttributeRequest(unique_identifier=UniqueIdentifier(of), attribute_name=what)


ROWS: dict[Operation, Row] = {
    Operation.CREATE: Row(
        lambda kms: CreateRequest(
            object_type=ObjectType.SYMMETRIC_KEY,
            attributes=template(
                attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
                attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256),
                mask(EVERY_USE),
            ),
        ),
        lambda kms: CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=template(mask(EVERY_USE))),
        R.INVALID_FIELD,
        R.INVALID_FIELD,
    ),
    Operation.CREATE_KEY_PAIR: Row(
        lambda kms: pair_request(),
        lambda kms: pair_request(attribute(Tag.CRYPTOGRAPHIC_LENGTH, 255)),
        R.INVALID_FIELD,
        R.INVALID_FIELD,
    ),
    Operation.REGISTER: Row(
        lambda kms: registration(ObjectType.SYMMETRIC_KEY, raw_key(), mask(EVERY_USE)),
        lambda kms: registration(ObjectType.SECRET_DATA, raw_key(), mask(EVERY_USE)),
        R.INVALID_FIELD,
        R.INVALID_OBJECT_TYPE,
    ),
    Operation.RE_KEY: of(ReKeyRequest, key),
    Operation.DERIVE_KEY: Row(
        lambda kms: derivation(active(USE.DERIVE_KEY)(kms)),
        lambda kms: derivation(MISSING),
    ),
    Operation.CERTIFY: Row(
        lambda kms: CertifyRequest(
            unique_identifier=key_pair(kms)[1],
            attributes=template(issued_by(authority(kms, "Root")), subject("leaf")),
        ),
        lambda kms: CertifyRequest(unique_identifier=MISSING, attributes=template(subject("leaf"))),
        newer=R.ITEM_NOT_FOUND,
    ),
    Operation.RE_CERTIFY: of(ReCertifyRequest, lambda kms: leaf(kms, authority(kms, "Root"))),
    Operation.LOCATE: Row(
        lambda kms: LocateRequest(attributes=template(named("nobody"))),
        lambda kms: LocateRequest(maximum_items=-1),
        R.INVALID_FIELD,
        R.INVALID_FIELD,
    ),
    Operation.CHECK: of(CheckRequest, key),
    Operation.GET: of(GetRequest, key),
    Operation.GET_ATTRIBUTES: of(GetAttributesRequest, key),
    Operation.GET_ATTRIBUTE_LIST: of(GetAttributeListRequest, key),
    Operation.ADD_ATTRIBUTE: of(AddAttributeRequest, key, new_attribute=CONTACT),
    Operation.MODIFY_ATTRIBUTE: of(ModifyAttributeRequest, contacted, new_attribute=CONTACT),
    Operation.DELETE_ATTRIBUTE: Row(
        lambda kms: deletion(kms, contacted(kms), Tag.CONTACT_INFORMATION),
        lambda kms: deletion(kms, MISSING, Tag.CONTACT_INFORMATION),
    ),
    Operation.OBTAIN_LEASE: of(ObtainLeaseRequest, key),
    Operation.GET_USAGE_ALLOCATION: of(GetUsageAllocationRequest, limited, usage_limits_count=10),
    Operation.ACTIVATE: of(ActivateRequest, key),
    Operation.REVOKE: Row(lambda kms: revoke(active_key(kms)), lambda kms: revoke(MISSING)),
    Operation.DESTROY: of(DestroyRequest, key),
    Operation.ARCHIVE: of(ArchiveRequest, key),
    Operation.RECOVER: of(RecoverRequest, archived_key),
    Operation.VALIDATE: Row(
        lambda kms: ValidateRequest(unique_identifier=(authority(kms, "Root").certificate,)),
        lambda kms: ValidateRequest(unique_identifier=(MISSING,)),
        R.INVALID_MESSAGE,
    ),
    Operation.QUERY: Row(
        lambda kms: QueryRequest(query_function=(QueryFunction.QUERY_OPERATIONS,)),
        None,
        R.INVALID_FIELD,
        R.INVALID_FIELD,
    ),
    Operation.CANCEL: Row(
        lambda kms: CancelRequest(asynchronous_correlation_value=kms.waiting()),
        lambda kms: CancelRequest(asynchronous_correlation_value=bytes(16)),
        R.ITEM_NOT_FOUND,
        R.INVALID_ASYNCHRONOUS_CORRELATION_VALUE,
    ),
    Operation.POLL: Row(
        lambda kms: PollRequest(asynchronous_correlation_value=kms.waiting()),
        lambda kms: PollRequest(asynchronous_correlation_value=bytes(16)),
        R.ITEM_NOT_FOUND,
        R.INVALID_ASYNCHRONOUS_CORRELATION_VALUE,
    ),
    Operation.RE_KEY_KEY_PAIR: Row(
        lambda kms: re_key_pair(kms, key_pair(kms)[0]), lambda kms: re_key_pair(kms, MISSING)
    ),
    Operation.DISCOVER_VERSIONS: Row(
        lambda kms: DiscoverVersionsRequest(),
        None,
        R.INVALID_FIELD,
        R.INVALID_FIELD,
    ),
    Operation.ENCRYPT: of(EncryptRequest, active(EVERY_USE), cryptographic_parameters=ECB, data=DATA),
    Operation.DECRYPT: of(
        DecryptRequest,
        active(EVERY_USE),
        cryptographic_parameters=CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB),
        data=AES_128,
    ),
    Operation.SIGN: of(
        SignRequest, lambda kms: signing_pair(kms)[0], cryptographic_parameters=SHA_256, data=DATA
    ),
    Operation.SIGNATURE_VERIFY: of(
        SignatureVerifyRequest,
        lambda kms: signing_pair(kms)[1],
        cryptographic_parameters=SHA_256,
        data=DATA,
        signature_data=b"no signature",
    ),
    Operation.MAC: of(MACRequest, hmac_key, cryptographic_parameters=HMAC, data=DATA),
    Operation.MAC_VERIFY: of(
        MACVerifyRequest, hmac_key, cryptographic_parameters=HMAC, data=DATA, mac_data=bytes(32)
    ),
    Operation.RNG_RETRIEVE: Row(
        lambda kms: RNGRetrieveRequest(data_length=16),
        lambda kms: RNGRetrieveRequest(data_length=-1),
        R.INVALID_FIELD,
        R.INVALID_FIELD,
    ),
    Operation.RNG_SEED: Row(
        lambda kms: RNGSeedRequest(data=DATA),
        None,
        R.INVALID_FIELD,
        R.INVALID_FIELD,
    ),
    Operation.HASH: Row(
        lambda kms: HashRequest(cryptographic_parameters=SHA_256, data=DATA),
        lambda kms: HashRequest(
            cryptographic_parameters=CryptographicParameters(hashing_algorithm=HashingAlgorithm.TIGER),
            data=DATA,
        ),
        R.FEATURE_NOT_SUPPORTED,
        R.FEATURE_NOT_SUPPORTED,
    ),
    Operation.CREATE_SPLIT_KEY: Row(
        lambda kms: split_request(key(kms)), lambda kms: split_request(MISSING), newer=R.ITEM_NOT_FOUND
    ),
    Operation.JOIN_SPLIT_KEY: Row(
        lambda kms: join_request(split(kms, key(kms))), lambda kms: join_request([MISSING, MISSING])
    ),
    Operation.IMPORT: Row(
        lambda kms: import_of(kms, raw_key()),
        lambda kms: import_of(kms, raw_key(), key(kms)),
        R.OBJECT_ALREADY_EXISTS,
        R.OBJECT_ALREADY_EXISTS,
    ),
    Operation.EXPORT: of(ExportRequest, key),
    Operation.LOG: Row(
        lambda kms: LogRequest(log_message="hello"),
        lambda kms: LogRequest(log_message="x" * (MAXIMUM_LENGTH + 1)),
        newer=R.INVALID_FIELD,
    ),
    Operation.LOGIN: Row(
        lambda kms: LoginRequest(), lambda kms: LoginRequest(request_count=-1), newer=R.INVALID_FIELD
    ),
    Operation.LOGOUT: Row(
        lambda kms: LogoutRequest(ticket=kms.call(LoginRequest(), version=kms.version).ticket),
        lambda kms: LogoutRequest(ticket=NO_TICKET),
        newer=R.INVALID_TICKET,
    ),
    Operation.DELEGATED_LOGIN: Row(
        lambda kms: DelegatedLoginRequest(rights=Rights(right=(Right(),))),
        lambda kms: DelegatedLoginRequest(rights=Rights()),
        newer=R.INVALID_FIELD,
    ),
    Operation.ADJUST_ATTRIBUTE: of(
        AdjustAttributeRequest,
        key,
        attribute_reference=Tag.SENSITIVE,
        adjustment_type=AdjustmentType.NEGATE,
    )._replace(newer=R.ITEM_NOT_FOUND),
    Operation.SET_ATTRIBUTE: of(SetAttributeRequest, key, new_attribute=COMMENT),
    Operation.PKCS_11: Row(
        lambda kms: PKCS11Request(pkcs_11_function=PKCS11Function.C_GETINFO),
        lambda kms: PKCS11Request(pkcs_11_interface="1.0", pkcs_11_function=PKCS11Function.C_GETINFO),
        newer=R.PKCS_11_INVALID_INTERFACE,
    ),
    Operation.INTEROP: Row(
        lambda kms: InteropRequest(interop_function=InteropFunction.BEGIN, interop_identifier="C"),
        lambda kms: InteropRequest(interop_function=InteropFunction.RESET, interop_identifier="C"),
        newer=R.PERMISSION_DENIED,
    ),
    Operation.SET_DEFAULTS: Row(
        lambda kms: SetDefaultsRequest(),
        lambda kms: SetDefaultsRequest(
            defaults_information=DefaultsInformation(
                object_defaults=(ObjectDefaults(attributes=template(COMMENT)),)
            )
        ),
        newer=R.INVALID_FIELD,
    ),
    Operation.SET_ENDPOINT_ROLE: Row(
        lambda kms: SetEndpointRoleRequest(endpoint_role=EndpointRole.SERVER), None, newer=R.INVALID_FIELD
    ),
    Operation.SET_CONSTRAINTS: Row(lambda kms: SetConstraintsRequest(), None, newer=R.INVALID_FIELD),
    Operation.GET_CONSTRAINTS: Row(lambda kms: GetConstraintsRequest(), None, newer=R.INVALID_FIELD),
    Operation.QUERY_ASYNCHRONOUS_REQUESTS: Row(
        lambda kms: QueryAsynchronousRequestsRequest(),
        None,
        newer=R.INVALID_FIELD,
    ),
    Operation.PROCESS: Row(
        lambda kms: ProcessRequest(asynchronous_correlation_value=kms.waiting()),
        lambda kms: ProcessRequest(asynchronous_correlation_value=bytes(16)),
        newer=R.INVALID_ASYNCHRONOUS_CORRELATION_VALUE,
    ),
    Operation.PING: Row(lambda kms: PingRequest(), None, newer=R.INVALID_FIELD),
    Operation.CREATE_GROUP: Row(
        lambda kms: CreateGroupRequest(attributes=template(named(kms.fresh("group")))),
        lambda kms: CreateGroupRequest(attributes=template(attribute(Tag.STATE, 1))),
        newer=R.READ_ONLY_ATTRIBUTE,
    ),
    Operation.OBLITERATE: of(ObliterateRequest, key),
    Operation.CREATE_USER: Row(
        lambda kms: CreateUserRequest(attributes=template(named(kms.fresh("user")))),
        lambda kms: CreateUserRequest(
            attributes=template(named(kms.fresh("user")), attribute(Tag.GROUP_LINK, MISSING))
        ),
    ),
    Operation.CREATE_CREDENTIAL: Row(
        lambda kms: CreateCredentialRequest(
            credential_type=CredentialType.PASSWORD, attributes=template(), managed_object=PASSWORD
        ),
        lambda kms: CreateCredentialRequest(
            credential_type=CredentialType.DEVICE, attributes=template(), managed_object=PASSWORD
        ),
        newer=R.INVALID_FIELD,
    ),
    Operation.DEACTIVATE: of(DeactivateRequest, active_key),
}

ELSEWHERE = {
    Operation.RE_PROVISION: "it ends the connection that it came by: `tests/e2e/test_re_provision.py`"
}
"""What this client cannot play."""


DRAFT = {R.OBJECT_NOT_FOUND: {R.ITEM_NOT_FOUND}}
"""What the cases of 3.0, a draft without error tables, print for some operations."""

TABLES: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "data" / "registry.json").read_text(encoding="utf-8")
)["error_table"]


def played() -> list[Any]:
    """Return each operation with the versions in which it is played."""
    return [
        pytest.param(spec.operation, version, id=f"{spec.operation.name}-{version}")
        for spec in all_operations().values()
        if spec.operation not in ELSEWHERE
        for version in versions_of(spec)
    ]


def versions_of(spec: Any) -> list[Version]:
    """Return the oldest, the newest, and the newest with error tables."""
    found = [version for version in VERSIONS if spec.in_version(version)]
    return [v for v in found if v in (found[0], V2_1, found[-1])]


def always_answers(operation: Operation, version: Version) -> bool:
    """Tell whether an operation refuses nothing: Cancel says Unavailable in 1.x (KMIP 1.4 §4.27)."""
    return operation is Operation.CANCEL and version < V2_0


def test_every_operation_has_a_row() -> None:
    assert set(ROWS) | set(ELSEWHERE) == set(all_operations())


@pytest.mark.parametrize(("operation", "version"), played())
def test_an_operation_succeeds_and_is_refused_over_the_wire(
    kms: OverTls, operation: Operation, version: Version
) -> None:
    row = ROWS[operation]
    kms.version = version
    done = kms.outcome(row.succeeds(kms))
    assert done.result_status is ResultStatus.SUCCESS, done.result_message
    if operation is not Operation.POLL:  # which answers what the other operation answers
        decoder(all_operations()[operation].response, version)(done.response_payload or [])
    wrong = None if always_answers(operation, version) else row.refused
    misplaced = wrong is None
    refused = kms.outcome((wrong or row.succeeds)(kms), misplaced=misplaced)
    assert refused.result_status is ResultStatus.OPERATION_FAILED
    expected = {row.newer if version >= V2_0 else row.older}
    if always_answers(operation, version):
        expected = {R.INVALID_FIELD}
    if version >= V3_0:
        expected |= DRAFT.get(row.newer, set())
    assert refused.result_reason in expected, refused.result_message
    name = VALUES["Operation"][operation].name
    if name in TABLES.get(str(version), ()) and not misplaced:
        assert VALUES["ResultReason"][refused.result_reason].name in allowed_reasons(name, version)


NOTHING: dict[str, Any] = {
    "unique_identifier": MISSING,
    "private_key_unique_identifier": MISSING,
    "asynchronous_correlation_value": bytes(20),
    "ticket": NO_TICKET,
}
"""The fields that name something of a client, and a value that names nothing."""

CHOSEN = {Operation.IMPORT: "the identifier is the client's choice; decision 0020 says what is told of it"}


def naming() -> list[Any]:
    """Return each operation that names something of a client, with the versions in which it is played."""
    return [
        one
        for one in played()
        if one.values[0] not in CHOSEN
        and any(field.name in NOTHING for field in all_operations()[one.values[0]].request.fields)
    ]


@pytest.mark.parametrize(("operation", "version"), naming())
def test_what_is_another_clients_is_answered_like_what_does_not_exist(
    kms: OverTls, stranger: OverTls, operation: Operation, version: Version
) -> None:
    kms.version = stranger.version = version
    request = ROWS[operation].succeeds(kms)
    named_here = [name for name in NOTHING if getattr(request, name, None)]
    if not named_here:
        pytest.skip("in this version the operation needs to name nothing")
    nothing = {
        name: (NOTHING[name],) if isinstance(getattr(request, name), tuple) else NOTHING[name]
        for name in named_here
    }
    foreign, missing = stranger.outcome(request), stranger.outcome(request.replace(**nothing))
    if always_answers(operation, version):
        for answer in (foreign, missing):
            result = (int(Tag.CANCELLATION_RESULT), 5, int(CancellationResult.UNAVAILABLE))
            assert (answer.response_payload or [])[1:] == [result]
        return
    assert foreign.result_status is ResultStatus.OPERATION_FAILED
    assert (foreign.result_reason, foreign.result_message) == (missing.result_reason, missing.result_message)


def on_objects() -> list[Any]:
    """Return each operation on one object, with the versions in which it is played."""
    names = {"unique_identifier", "private_key_unique_identifier"}
    return [
        one
        for one in naming()
        if any(f.name in names and not f.repeated for f in all_operations()[one.values[0]].request.fields)
    ]


def with_object(kms: OverTls, operation: Operation, identifier: str) -> Request[Any] | None:
    """Return the request of a row about another object, None where it names none in this version."""
    request = ROWS[operation].succeeds(kms)
    for name in ("unique_identifier", "private_key_unique_identifier"):
        if isinstance(getattr(request, name, None), str):
            return request.replace(**{name: UniqueIdentifier(identifier)})
    return None


def assert_in_tables(operation: Operation, version: Version, reason: ResultReason | None) -> None:
    name = VALUES["Operation"][operation].name
    if reason is not None and name in TABLES.get(str(version), ()):
        assert VALUES["ResultReason"][reason].name in allowed_reasons(name, version)


ABOUT_ANY_OBJECT = frozenset(
    {
        Operation.ACTIVATE,
        Operation.ADD_ATTRIBUTE,
        Operation.ADJUST_ATTRIBUTE,
        Operation.ARCHIVE,
        Operation.CHECK,
        Operation.CREATE_SPLIT_KEY,
        Operation.DESTROY,
        Operation.EXPORT,
        Operation.GET,
        Operation.GET_ATTRIBUTE_LIST,
        Operation.GET_ATTRIBUTES,
        Operation.OBLITERATE,
        Operation.OBTAIN_LEASE,
        Operation.RECOVER,
        Operation.SET_ATTRIBUTE,
    }
)
"""Operations that need no key: an Opaque Object has a State, attributes and something to give out, too."""

ABOUT_WHAT_IS_DESTROYED = frozenset(
    {Operation.EXPORT, Operation.GET_ATTRIBUTE_LIST, Operation.GET_ATTRIBUTES, Operation.OBLITERATE}
)
"""Operations on what is left of an object: its attributes."""


@pytest.mark.parametrize(("operation", "version"), on_objects())
def test_an_object_of_the_wrong_type_is_refused(kms: OverTls, operation: Operation, version: Version) -> None:
    kms.version = version
    request = with_object(kms, operation, register_opaque(kms))
    if request is None:
        pytest.skip("in this version the operation names no object")
    outcome = kms.outcome(request)
    done = outcome.result_status is ResultStatus.SUCCESS
    assert done is (operation in ABOUT_ANY_OBJECT), outcome.result_message
    assert_in_tables(operation, version, outcome.result_reason)


@pytest.mark.parametrize(("operation", "version"), on_objects())
def test_an_object_in_the_wrong_state_is_refused(
    kms: OverTls, operation: Operation, version: Version
) -> None:
    kms.version = version
    request = with_object(kms, operation, key_in(kms, State.DESTROYED))
    if request is None:
        pytest.skip("in this version the operation names no object")
    outcome = kms.outcome(request)
    done = outcome.result_status is ResultStatus.SUCCESS
    assert done is (operation in ABOUT_WHAT_IS_DESTROYED), outcome.result_message
    assert_in_tables(operation, version, outcome.result_reason)


USES = {
    Operation.ENCRYPT,
    Operation.DECRYPT,
    Operation.SIGN,
    Operation.SIGNATURE_VERIFY,
    Operation.MAC,
    Operation.MAC_VERIFY,
}


@pytest.mark.parametrize(("operation", "version"), [one for one in on_objects() if one.values[0] in USES])
def test_a_key_is_used_for_what_its_mask_says_alone(
    kms: OverTls, operation: Operation, version: Version
) -> None:
    kms.version = version
    request = with_object(kms, operation, active(USE.EXPORT)(kms))
    assert request is not None
    outcome = kms.outcome(request)
    assert outcome.result_status is ResultStatus.OPERATION_FAILED
    if version >= V2_0:
        assert outcome.result_reason is R.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK
    assert_in_tables(operation, version, outcome.result_reason)
