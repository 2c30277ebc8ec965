"""Tickets (KMIP 2.1 §6.1.12 Delegated Login, §6.1.30 Login, §6.1.31 Logout, §7.34 Right)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom.domain import turn
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response
from strongroom.domain.permission import Permission
from strongroom.domain.rights import compile_rights
from strongroom.domain.store import Changes, LostRace
from strongroom.domain.tickets import MOST, GivenTicket
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.convert import decoder, encoder
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.messages import (
    Authentication,
    Credential,
    ResponseBatchItem,
    Ticket,
    TicketCredential,
    UsernameAndPassword,
)
from strongroom.model.rights import ObjectGroups, Objects, Operations, Right, Rights
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Seconds
from strongroom.model.structures import UsageLimits
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.cancel import CancelRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.delegated_login import MOST_NAMED, DelegatedLoginRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.locate import LocateRequest, LocateResponse
from strongroom.operations.login import LoginRequest
from strongroom.operations.logout import LogoutRequest, LogoutResponse
from strongroom.operations.pkcs_11 import PKCS11Request, PKCS11Response
from strongroom.operations.poll import PollRequest
from strongroom.operations.process import ProcessRequest
from strongroom.operations.query import QueryRequest
from strongroom.operations.query_asynchronous_requests import QueryAsynchronousRequestsRequest
from strongroom.operations.re_key import ReKeyRequest
from strongroom.operations.set_constraints import SetConstraintsRequest
from strongroom.operations.set_defaults import SetDefaultsRequest
from strongroom.registry import (
    V2_0,
    V2_1,
    V3_0,
    AsynchronousIndicator,
    BatchErrorContinuationOption,
    CredentialType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectGroupMember,
    ObjectType,
    Operation,
    PKCS11Function,
    PKCS11ReturnCode,
    QueryFunction,
    ResultReason,
    ResultStatus,
    Tag,
    TicketType,
    UsageLimitsUnit,
    Version,
)
from strongroom.store.repository import Repository
from tests.expect import MISSING, key, raw_key, refusal
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, request_message, template
from tests.wrapping import NIST, specification, wrapping_key

QUERY = QueryRequest(query_function=(QueryFunction.QUERY_OPERATIONS,))
EMPTY = Ticket(ticket_type=TicketType.LOGIN, ticket_value=SecretBytes(bytes(32)))


def header(ticket: Ticket, version: Version = V2_1) -> Authentication:
    value = encoder(TicketCredential, version)(TicketCredential(ticket=ticket))
    return Authentication(
        credential=(Credential(credential_type=CredentialType.TICKET, credential_value=value),)
    )


def with_password_beside(ticket: Ticket, username: str, password: bytes) -> Authentication:
    """Return a ticket and a password, as a header has both."""
    own = UsernameAndPassword(username=username, password=SecretBytes(password))
    value = encoder(UsernameAndPassword, V2_1)(own)
    kind = CredentialType.USERNAME_AND_PASSWORD
    return Authentication(
        credential=(*header(ticket).credential, Credential(credential_type=kind, credential_value=value))
    )


def login(kms: TestKms, *, caller: ClientIdentity = ALICE, **given: Any) -> Ticket:
    return kms.call(LoginRequest(**given), version=V2_1, caller=caller).ticket


def delegate(kms: TestKms, *rights: Right, **given: Any) -> Ticket:
    request = DelegatedLoginRequest(rights=Rights(right=rights), **given)
    return kms.call(request, version=V2_1).ticket


def right(*operations: Operation, objects: Sequence[str] | None = None, **given: Any) -> Right:
    if objects is not None:
        given["objects"] = Objects(unique_identifier=tuple(map(UniqueIdentifier, objects)))
    return Right(operations=Operations(operation=operations) if operations else None, **given)


def using(
    kms: TestKms, ticket: Ticket, request: Request[Any], *, caller: ClientIdentity = BOB, **given: Any
) -> Response | Refused:
    (result,) = kms.batch(request, version=V2_1, caller=caller, authentication=header(ticket), **given)
    return result


def reason(result: Response | Refused) -> ResultReason | None:
    assert isinstance(result, Refused)
    return result.reason


def get(identifier: str) -> GetRequest:
    return GetRequest(unique_identifier=UniqueIdentifier(identifier))


def create_request(*attributes: AttributeInstance) -> CreateRequest:
    given = (
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
        attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),
        attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.ENCRYPT),
        *attributes,
    )
    return CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=template(*given))


@pytest.mark.parametrize("version", [V2_0, V2_1, V3_0])
def test_a_ticket_of_login_authenticates_the_client_that_logged_in(kms: TestKms, version: Version) -> None:
    ticket = kms.call(LoginRequest(), version=version).ticket
    assert ticket.ticket_type is TicketType.LOGIN
    made = key(kms)
    answer = kms.call(get(made), version=version, authentication=header(ticket, version))
    assert answer.unique_identifier == made


def test_a_ticket_stands_in_for_the_password(kms: TestKms) -> None:
    ticket = login(kms)
    with_password = ClientIdentity(
        client=ALICE.client, tenant=ALICE.tenant, name="alice", username="u", password_hash="$argon2id$"
    )
    assert refusal(kms, QUERY, caller=with_password).reason is ResultReason.AUTHENTICATION_NOT_SUCCESSFUL
    assert isinstance(using(kms, ticket, QUERY, caller=with_password), Response)


def test_a_password_beside_a_ticket_has_to_be_right(kms: TestKms) -> None:
    """KMIP 2.1 §9.4: of several credentials, all must be satisfied."""
    kms.dispatcher._authenticator._check = lambda _, password: password == b"right"
    ticket = login(kms)
    with_password = ClientIdentity(
        client=ALICE.client, tenant=ALICE.tenant, name="alice", username="u", password_hash="$argon2id$"
    )

    def ask(password: bytes) -> Response | Refused:
        (result,) = kms.batch(
            QUERY,
            version=V2_1,
            caller=with_password,
            authentication=with_password_beside(ticket, "u", password),
        )
        return result

    assert reason(ask(b"wrong")) is ResultReason.AUTHENTICATION_NOT_SUCCESSFUL
    assert isinstance(ask(b"right"), Response)


def test_a_request_comes_with_one_ticket(kms: TestKms) -> None:
    first, second = header(login(kms)), header(login(kms))
    both = Authentication(credential=(*first.credential, *second.credential))
    (result,) = kms.batch(QUERY, version=V2_1, authentication=both)
    assert reason(result) is ResultReason.INVALID_TICKET


def test_a_ticket_of_login_is_of_no_use_to_another_client(kms: TestKms) -> None:
    assert reason(using(kms, login(kms), QUERY, caller=BOB)) is ResultReason.INVALID_TICKET


def test_an_unknown_ticket_is_invalid(kms: TestKms) -> None:
    assert reason(using(kms, EMPTY, QUERY)) is ResultReason.INVALID_TICKET


def test_requests_are_counted_also_those_that_fail(kms: TestKms) -> None:
    ticket = login(kms, request_count=2)
    assert reason(using(kms, ticket, get(MISSING), caller=ALICE)) is ResultReason.OBJECT_NOT_FOUND
    assert isinstance(using(kms, ticket, QUERY, caller=ALICE), Response)
    assert reason(using(kms, ticket, QUERY, caller=ALICE)) is ResultReason.USAGE_LIMIT_EXCEEDED


def test_zero_is_no_limit_of_requests_and_no_end_but_the_policys(kms: TestKms) -> None:
    ticket = login(kms, request_count=0, lease_time=Seconds(0))
    kms.clock.pass_time(seconds=86_399)
    assert isinstance(using(kms, ticket, QUERY, caller=ALICE), Response)
    kms.clock.pass_time(seconds=1)
    assert reason(using(kms, ticket, QUERY, caller=ALICE)) is ResultReason.INVALID_TICKET


@pytest.mark.parametrize("as_date", [False, True])
def test_a_ticket_ends_with_its_lease(kms: TestKms, as_date: bool) -> None:
    lease = kms.clock.now() + timedelta(seconds=60) if as_date else Seconds(60)
    ticket = login(kms, lease_time=lease)
    kms.clock.pass_time(seconds=59)
    assert isinstance(using(kms, ticket, QUERY, caller=ALICE), Response)
    kms.clock.pass_time(seconds=1)
    assert reason(using(kms, ticket, QUERY, caller=ALICE)) is ResultReason.INVALID_TICKET
    kms.run(kms.dispatcher.tickets.tidy(kms.clock.now() + timedelta(seconds=1)))
    assert kms.run(kms.repository.entries_of(GivenTicket, ALICE.tenant, ALICE.client)) == []


def test_a_lease_longer_than_the_policy_allows_ends_with_the_policys(kms: TestKms) -> None:
    ticket = login(kms, lease_time=Seconds(2**31))
    kms.clock.pass_time(seconds=86_400)
    assert reason(using(kms, ticket, QUERY, caller=ALICE)) is ResultReason.INVALID_TICKET


@pytest.mark.parametrize(
    "given",
    [
        {"request_count": -1},
        {"usage_limits": UsageLimits(usage_limits_total=1, usage_limits_unit=UsageLimitsUnit.BYTE)},
    ],
)
def test_what_a_ticket_cannot_mean_is_refused(kms: TestKms, given: dict[str, Any]) -> None:
    assert refusal(kms, LoginRequest(**given), version=V2_1).reason is ResultReason.INVALID_FIELD


def test_what_a_right_cannot_mean_is_refused(kms: TestKms) -> None:
    limits = UsageLimits(usage_limits_total=1, usage_limits_unit=UsageLimitsUnit.BYTE)
    request = DelegatedLoginRequest(rights=Rights(right=(Right(), Right(usage_limits=limits))))
    assert refusal(kms, request, version=V2_1).reason is ResultReason.INVALID_FIELD


def test_a_lease_that_is_over_is_refused(kms: TestKms) -> None:
    request = LoginRequest(lease_time=kms.clock.now())
    assert refusal(kms, request, version=V2_1).reason is ResultReason.INVALID_FIELD


def test_usage_limits_count_the_operations_that_succeed(kms: TestKms) -> None:
    limits = UsageLimits(usage_limits_total=1, usage_limits_unit=UsageLimitsUnit.OBJECT)
    ticket = login(kms, usage_limits=limits)
    assert reason(using(kms, ticket, get(MISSING), caller=ALICE)) is ResultReason.OBJECT_NOT_FOUND
    assert isinstance(using(kms, ticket, QUERY, caller=ALICE), Response)
    assert reason(using(kms, ticket, QUERY, caller=ALICE)) is ResultReason.USAGE_LIMIT_EXCEEDED


def test_logout_ends_a_ticket(kms: TestKms) -> None:
    ticket = login(kms)
    kms.call(LogoutRequest(ticket=ticket), version=V2_1)
    assert reason(using(kms, ticket, QUERY, caller=ALICE)) is ResultReason.INVALID_TICKET
    assert refusal(kms, LogoutRequest(ticket=ticket), version=V2_1).reason is ResultReason.INVALID_TICKET


@pytest.mark.parametrize("operations", [(), (Operation.GET, Operation.LOGOUT)])
def test_who_was_given_a_ticket_may_end_it(kms: TestKms, operations: tuple[Operation, ...]) -> None:
    made = key(kms)
    ticket = delegate(kms, right(*operations))
    assert isinstance(using(kms, ticket, get(made)), Response)
    assert isinstance(using(kms, ticket, LogoutRequest(ticket=ticket)), Response)
    assert reason(using(kms, ticket, get(made))) is ResultReason.INVALID_TICKET


def test_a_ticket_that_was_ended_is_of_no_use_to_the_rest_of_the_batch(kms: TestKms) -> None:
    ticket, made = login(kms), key(kms)
    ended, result = kms.batch(
        LogoutRequest(ticket=ticket), get(made), version=V2_1, authentication=header(ticket)
    )
    assert isinstance(ended, LogoutResponse)
    assert reason(result) is ResultReason.INVALID_TICKET


def test_nobody_ends_the_ticket_of_another(kms: TestKms) -> None:
    ticket = login(kms)
    refused = refusal(kms, LogoutRequest(ticket=ticket), version=V2_1, caller=BOB)
    unknown = refusal(kms, LogoutRequest(ticket=EMPTY), version=V2_1, caller=BOB)
    assert (refused.reason, refused.message) == (unknown.reason, unknown.message)
    assert isinstance(using(kms, ticket, QUERY, caller=ALICE), Response)


def test_the_holder_of_a_delegated_ticket_acts_for_who_gave_it(kms: TestKms) -> None:
    made = key(kms)
    ticket = delegate(kms, right(Operation.GET))
    answer = using(kms, ticket, get(made), caller=BOB)
    assert isinstance(answer, Response)
    assert answer.unique_identifier == made  # type: ignore[attr-defined]
    assert refusal(kms, get(made), version=V2_1, caller=BOB).reason is ResultReason.OBJECT_NOT_FOUND


def test_an_operation_that_no_right_covers_is_denied(kms: TestKms) -> None:
    made = key(kms)
    ticket = delegate(kms, right(Operation.GET_ATTRIBUTES))
    for request in (get(made), DestroyRequest(unique_identifier=made), QUERY):
        assert reason(using(kms, ticket, request)) is ResultReason.PERMISSION_DENIED


def test_query_lists_the_operations_of_the_ticket(kms: TestKms) -> None:
    ticket = delegate(kms, right(Operation.QUERY), right(Operation.GET, objects=[key(kms)]))
    answer = using(kms, ticket, QUERY)
    assert set(answer.operation) == {Operation.QUERY, Operation.GET}  # type: ignore[union-attr]


def test_an_object_that_no_right_covers_is_denied_whether_it_exists_or_not(kms: TestKms) -> None:
    covered, other = key(kms), key(kms)
    ticket = delegate(kms, right(Operation.GET, objects=[covered]), right(Operation.QUERY))
    assert isinstance(using(kms, ticket, get(covered)), Response)
    exists, missing = using(kms, ticket, get(other)), using(kms, ticket, get(MISSING))
    assert isinstance(exists, Refused)
    assert isinstance(missing, Refused)
    assert exists.reason is ResultReason.PERMISSION_DENIED
    assert (exists.reason, exists.message) == (missing.reason, missing.message)


def test_a_right_on_one_operation_does_not_lend_its_objects_to_another(kms: TestKms) -> None:
    first, second = key(kms), key(kms)
    ticket = delegate(
        kms, right(Operation.GET, objects=[first]), right(Operation.GET_ATTRIBUTES, objects=[second])
    )
    assert reason(using(kms, ticket, get(second))) is ResultReason.PERMISSION_DENIED
    attributes = GetAttributesRequest(unique_identifier=second)
    assert isinstance(using(kms, ticket, attributes), Response)


def test_a_right_may_name_a_group(kms: TestKms) -> None:
    inside = key(kms, attribute(Tag.OBJECT_GROUP, "red"))
    outside = key(kms, attribute(Tag.OBJECT_GROUP, "blue"))
    ticket = delegate(kms, right(Operation.GET, object_groups=ObjectGroups(object_group=("red",))))
    assert isinstance(using(kms, ticket, get(inside)), Response)
    assert reason(using(kms, ticket, get(outside))) is ResultReason.PERMISSION_DENIED
    assert reason(using(kms, ticket, get(MISSING))) is ResultReason.PERMISSION_DENIED


def test_a_right_to_change_attributes_does_not_widen_itself(kms: TestKms) -> None:
    """Neither for the ticket, nor for what rules grant to its holder."""
    made = key(kms)
    ticket = delegate(
        kms,
        right(Operation.ADD_ATTRIBUTE, objects=[made]),
        right(Operation.GET, object_groups=ObjectGroups(object_group=("red",))),
    )
    add = [
        AddAttributeRequest(unique_identifier=made, new_attribute=attribute(tag, value))
        for tag, value in ((Tag.OBJECT_GROUP, "red"), (Tag.CONTACT_INFORMATION, "somebody"))
    ]
    assert reason(using(kms, ticket, add[0])) is ResultReason.PERMISSION_DENIED
    assert isinstance(using(kms, ticket, add[1]), Response)
    assert isinstance(using(kms, ticket, get(made)), Refused)


def test_locate_finds_what_the_ticket_covers(kms: TestKms) -> None:
    keys = [key(kms) for _ in range(4)]
    ticket = delegate(kms, right(Operation.LOCATE, objects=keys[:3]))
    found = using(kms, ticket, LocateRequest())
    assert set(found.unique_identifier) == set(keys[:3])  # type: ignore[union-attr]
    page = using(kms, ticket, LocateRequest(maximum_items=1, offset_items=2))
    assert page.unique_identifier == (keys[0],)  # type: ignore[union-attr]


def test_the_usage_limits_of_a_right_count_its_operations(kms: TestKms) -> None:
    limits = UsageLimits(usage_limits_total=2, usage_limits_unit=UsageLimitsUnit.OBJECT)
    made = key(kms)
    ticket = delegate(kms, right(Operation.GET, usage_limits=limits), right(Operation.QUERY))
    for _ in range(2):
        assert isinstance(using(kms, ticket, get(made)), Response)
    assert reason(using(kms, ticket, get(made))) is ResultReason.USAGE_LIMIT_EXCEEDED
    assert isinstance(using(kms, ticket, QUERY), Response)


def test_where_one_right_is_used_up_the_next_one_counts(kms: TestKms) -> None:
    once, twice = (
        UsageLimits(usage_limits_total=count, usage_limits_unit=UsageLimitsUnit.OBJECT) for count in (1, 2)
    )
    made = key(kms)
    ticket = delegate(kms, *(right(Operation.GET, usage_limits=limits) for limits in (once, twice)))
    for _ in range(3):
        assert isinstance(using(kms, ticket, get(made)), Response)
    assert reason(using(kms, ticket, get(made))) is ResultReason.USAGE_LIMIT_EXCEEDED


@pytest.mark.parametrize("other", [None, 5])
def test_the_usage_limits_of_a_right_count_what_is_done_with_its_objects(
    kms: TestKms, other: int | None
) -> None:
    """A right to do the same with something else has nothing to do with it (KMIP 2.1 §7.34)."""

    def limited(identifier: str, uses: int | None) -> Right:
        unit = UsageLimitsUnit.OBJECT
        limits = None if uses is None else UsageLimits(usage_limits_total=uses, usage_limits_unit=unit)
        return right(Operation.GET, objects=[identifier], usage_limits=limits)

    first, second = key(kms), key(kms)
    ticket = delegate(kms, limited(second, other), limited(first, 1))
    assert isinstance(using(kms, ticket, get(first)), Response)
    for _ in range(2):
        assert reason(using(kms, ticket, get(first))) is ResultReason.USAGE_LIMIT_EXCEEDED
    for _ in range(other or 7):
        assert isinstance(using(kms, ticket, get(second)), Response)
    assert isinstance(using(kms, ticket, get(second)), Response) is (other is None)


def test_the_usage_limits_of_a_right_count_what_is_made_in_its_groups(kms: TestKms) -> None:
    def limited(group: str, uses: int | None) -> Right:
        unit = UsageLimitsUnit.OBJECT
        limits = None if uses is None else UsageLimits(usage_limits_total=uses, usage_limits_unit=unit)
        groups = ObjectGroups(object_group=(group,))
        return right(Operation.CREATE, object_groups=groups, usage_limits=limits)

    ticket = delegate(kms, limited("blue", None), limited("red", 1))
    red, blue = (create_request(attribute(Tag.OBJECT_GROUP, group)) for group in ("red", "blue"))
    assert isinstance(using(kms, ticket, red), Response)
    assert reason(using(kms, ticket, red)) is ResultReason.USAGE_LIMIT_EXCEEDED
    assert isinstance(using(kms, ticket, blue), Response)


def test_an_object_that_its_giver_may_not_see_cannot_be_delegated(kms: TestKms) -> None:
    foreign = key(kms, caller=BOB)
    request = DelegatedLoginRequest(rights=Rights(right=(right(Operation.GET, objects=[foreign]),)))
    assert refusal(kms, request, version=V2_1).reason is ResultReason.OBJECT_NOT_FOUND


def test_rights_without_a_right_are_refused(kms: TestKms) -> None:
    request = DelegatedLoginRequest(rights=Rights())
    assert refusal(kms, request, version=V2_1).reason is ResultReason.INVALID_FIELD


@pytest.mark.parametrize("request_", [LoginRequest(), DelegatedLoginRequest(rights=Rights(right=(Right(),)))])
def test_a_delegated_ticket_is_not_passed_on(kms: TestKms, request_: Request[Any]) -> None:
    ticket = delegate(kms, Right())
    assert reason(using(kms, ticket, request_)) is ResultReason.PERMISSION_DENIED


@pytest.mark.parametrize("request_", [LoginRequest(), DelegatedLoginRequest(rights=Rights(right=(Right(),)))])
def test_a_ticket_of_login_gives_no_other_that_outlasts_it(kms: TestKms, request_: Request[Any]) -> None:
    """Neither its lease, nor its counts, nor its Logout would end the one that came of it."""
    ticket = login(kms, lease_time=Seconds(60), request_count=5)
    result = using(kms, ticket, request_, caller=ALICE)
    assert reason(result) is ResultReason.PERMISSION_DENIED
    assert len(kms.run(kms.repository.entries_of(GivenTicket, ALICE.tenant, ALICE.client))) == 1
    assert isinstance(using(kms, ticket, QUERY, caller=ALICE), Response)


def test_a_delegated_ticket_does_not_escape_into_the_background(kms: TestKms) -> None:
    ticket = delegate(kms, right(Operation.GET))
    made = get(key(kms))
    result = using(kms, ticket, made, asynchronous_indicator=AsynchronousIndicator.MANDATORY)
    assert reason(result) is ResultReason.FEATURE_NOT_SUPPORTED
    at_once = using(kms, ticket, made, asynchronous_indicator=AsynchronousIndicator.OPTIONAL)
    assert isinstance(at_once, Response)


def test_a_ticket_ends_with_the_client_that_gave_it(kms: TestKms) -> None:
    ticket = delegate(kms, right(Operation.QUERY))
    del kms.clients[ALICE.client]
    assert reason(using(kms, ticket, QUERY)) is ResultReason.INVALID_TICKET


def test_nobody_has_more_than_so_many_tickets(kms: TestKms) -> None:
    for _ in range(MOST):
        login(kms)
    assert refusal(kms, LoginRequest(), version=V2_1).reason is ResultReason.SERVER_LIMIT_EXCEEDED


def test_the_store_does_not_know_the_ticket(kms: TestKms, tmp_path: Path) -> None:
    value = login(kms).ticket_value.reveal()
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("**/strongroom.db*"))
    assert value not in stored
    assert value.hex().encode() not in stored


def test_a_ticket_for_one_object_neither_wraps_with_another_nor_replaces_it(kms: TestKms) -> None:
    made, kek = key(kms), wrapping_key(kms, NIST)
    ticket = delegate(kms, right(Operation.GET, Operation.IMPORT, objects=[made]))
    wrapped = GetRequest(unique_identifier=made, key_wrapping_specification=specification(kek))
    assert reason(using(kms, ticket, wrapped)) is ResultReason.PERMISSION_DENIED
    replacing = ImportRequest(
        unique_identifier=kek,
        object_type=ObjectType.SYMMETRIC_KEY,
        replace_existing=True,
        managed_object=raw_key(),
    )
    assert reason(using(kms, ticket, replacing)) is ResultReason.PERMISSION_DENIED
    other = replacing.replace(unique_identifier=UniqueIdentifier("another"))
    assert reason(using(kms, ticket, other)) is ResultReason.PERMISSION_DENIED
    assert isinstance(using(kms, ticket, replacing.replace(unique_identifier=made)), Response)


def test_an_operation_as_part_of_another_needs_a_right_of_its_own(kms: TestKms) -> None:
    """PKCS#11 does Hash and RNG Retrieve as parts of itself: each is covered, and counted, by the rights."""

    def call(function: PKCS11Function, *parameters: bytes) -> PKCS11Response:
        request = PKCS11Request(
            pkcs_11_function=function,
            correlation_value=value,
            pkcs_11_input_parameters=SecretBytes(b"".join(parameters)),
        )
        made = using(kms, ticket, request)
        assert isinstance(made, PKCS11Response)
        return made

    value: bytes | None = None
    once = UsageLimits(usage_limits_total=1, usage_limits_unit=UsageLimitsUnit.OBJECT)
    ticket = delegate(kms, right(Operation.PKCS_11), right(Operation.HASH, usage_limits=once))
    value = call(PKCS11Function.C_INITIALIZE, b"\1").correlation_value
    opened = call(PKCS11Function.C_OPENSESSION, bytes(7), b"\1", bytes(7), b"\6").pkcs_11_output_parameters
    assert opened is not None
    session = opened.reveal()
    into_64_bytes = session + bytes(4) + b"\1" + bytes(3) + b"\x40"
    sha_256 = session + (0x250).to_bytes(8, "big") + b"\0"
    codes = []
    for _ in range(2):
        assert call(PKCS11Function.C_DIGESTINIT, sha_256).pkcs_11_return_code is PKCS11ReturnCode.CKR_OK
        codes.append(call(PKCS11Function.C_DIGEST, into_64_bytes).pkcs_11_return_code)
    assert codes == [PKCS11ReturnCode.CKR_OK, PKCS11ReturnCode.CKR_KEY_FUNCTION_NOT_PERMITTED]
    random = call(PKCS11Function.C_GENERATERANDOM, session, bytes(3) + b"\1")
    assert random.pkcs_11_return_code is PKCS11ReturnCode.CKR_KEY_FUNCTION_NOT_PERMITTED


def test_what_its_giver_waits_for_is_beyond_a_delegated_ticket(kms: TestKms) -> None:
    """The answer would be of an object that the ticket does not reach."""
    secret, covered = key(kms), key(kms)
    (item,) = kms.send(
        request_message(get(secret), version=V2_1, asynchronous_indicator=AsynchronousIndicator.MANDATORY)
    )[2][1:]
    value = decoder(ResponseBatchItem, V2_1)(item[2]).asynchronous_correlation_value
    assert value is not None
    ticket = delegate(kms, right(objects=[covered]))
    listed = using(kms, ticket, QueryAsynchronousRequestsRequest())
    assert listed.asynchronous_request == ()  # type: ignore[union-attr]
    for kind in (ProcessRequest, PollRequest, CancelRequest):
        refused = using(kms, ticket, kind(asynchronous_correlation_value=value))
        assert reason(refused) is ResultReason.INVALID_ASYNCHRONOUS_CORRELATION_VALUE
    kms.call(ProcessRequest(asynchronous_correlation_value=value), version=V2_1)
    assert (
        reason(using(kms, ticket, PollRequest(asynchronous_correlation_value=value)))
        is ResultReason.INVALID_ASYNCHRONOUS_CORRELATION_VALUE
    )


@pytest.mark.parametrize("request_", [SetDefaultsRequest(), SetConstraintsRequest()])
def test_rights_on_some_objects_are_none_on_what_all_new_ones_get(
    kms: TestKms, request_: Request[Any]
) -> None:
    assert reason(using(kms, delegate(kms, right(objects=[key(kms)])), request_)) is (
        ResultReason.PERMISSION_DENIED
    )
    assert isinstance(using(kms, delegate(kms, Right()), request_), Response)


def test_rights_on_some_objects_make_no_others(kms: TestKms) -> None:
    made = key(kms)
    group = ObjectGroups(object_group=("g",))
    in_group = create_request(attribute(Tag.OBJECT_GROUP, "g"))
    for rights in (right(objects=[made]), right(object_groups=group)):
        ticket = delegate(kms, rights)
        assert reason(using(kms, ticket, create_request())) is ResultReason.PERMISSION_DENIED
    assert isinstance(using(kms, delegate(kms, right(object_groups=group)), in_group), Response)
    assert isinstance(using(kms, delegate(kms, right(Operation.CREATE)), create_request()), Response)
    ticket = delegate(kms, right(Operation.RE_KEY, objects=[made]))
    assert isinstance(using(kms, ticket, ReKeyRequest(unique_identifier=made)), Response)


def test_an_undone_batch_makes_no_exception(kms: TestKms) -> None:
    made = key(kms)
    ticket = delegate(kms, right(objects=[made]))
    results = kms.batch(
        get(made),
        create_request(),
        version=V2_1,
        caller=BOB,
        authentication=header(ticket),
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    assert reason(results[-1]) is ResultReason.PERMISSION_DENIED


def test_a_search_for_fresh_members_makes_none_for_a_delegate(kms: TestKms) -> None:
    request = LocateRequest(
        object_group_member=ObjectGroupMember.GROUP_MEMBER_FRESH,
        attributes=template(attribute(Tag.OBJECT_GROUP, "default")),
    )
    ticket = delegate(kms, right(Operation.LOCATE))
    (found,) = kms.batch(request, version=V2_0, caller=BOB, authentication=header(ticket, V2_0))
    assert found.unique_identifier == ()  # type: ignore[union-attr]
    assert len(kms.call(request, version=V2_0).unique_identifier) == 1


def test_pages_of_1_3_begin_with_the_oldest_within_a_ticket_too(kms: TestKms) -> None:
    keys = [key(kms) for _ in range(3)]
    member = LocateRequest(object_group_member=ObjectGroupMember.GROUP_MEMBER_DEFAULT)
    (found,) = kms.batch(
        member,
        version=V2_0,
        caller=BOB,
        authentication=header(delegate(kms, right(Operation.LOCATE, objects=keys)), V2_0),
    )
    assert found.unique_identifier == (keys[0],)  # type: ignore[union-attr]


def test_what_waits_is_paid_for_with_the_ticket_when_it_is_sent(kms: TestKms) -> None:
    limits = UsageLimits(usage_limits_total=1, usage_limits_unit=UsageLimitsUnit.OBJECT)
    ticket = login(kms, usage_limits=limits)
    sent = request_message(
        get(key(kms)),
        version=V2_1,
        authentication=header(ticket),
        asynchronous_indicator=AsynchronousIndicator.MANDATORY,
    )
    first, second = (decoder(ResponseBatchItem, V2_1)(kms.send(sent)[2][1][2]) for _ in "12")
    assert first.result_status is ResultStatus.OPERATION_PENDING
    assert second.result_reason is ResultReason.USAGE_LIMIT_EXCEEDED


def test_what_waits_is_paid_for_also_while_the_ticket_pays_for_something_else(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = UsageLimits(usage_limits_total=9, usage_limits_unit=UsageLimitsUnit.OBJECT)
    ticket, identifier = login(kms, usage_limits=limits), key(kms)
    commit, races = Repository.commit, [LostRace()]

    async def lose_the_first(store: Repository, changes: Changes) -> None:
        if races:
            raise races.pop()
        await commit(store, changes)

    monkeypatch.setattr(Repository, "commit", lose_the_first)
    (result,) = kms.batch(
        get(identifier),
        version=V2_1,
        authentication=header(ticket),
        asynchronous_indicator=AsynchronousIndicator.MANDATORY,
    )
    assert isinstance(result, Refused)  # as everything that is no success yet
    assert result.reason is None
    assert not races


def test_who_brings_a_delegated_ticket_still_needs_its_own_password(kms: TestKms) -> None:
    kms.dispatcher._authenticator._check = lambda _, password: password == b"right"
    ticket = delegate(kms, right(Operation.QUERY))
    with_password = ClientIdentity(
        client=BOB.client, tenant=BOB.tenant, name="bob", username="b", password_hash="$argon2id$"
    )

    def ask(password: bytes | None) -> Response | Refused:
        given = header(ticket) if password is None else with_password_beside(ticket, "b", password)
        (result,) = kms.batch(QUERY, version=V2_1, caller=with_password, authentication=given)
        return result

    for wrong in (None, b"wrong"):
        assert reason(ask(wrong)) is ResultReason.AUTHENTICATION_NOT_SUCCESSFUL
    assert isinstance(ask(b"right"), Response)


class OnlyDestroys:
    """A restriction (see `domain.rights.Restriction`)."""

    def permits(self, permission: Permission, obj: ManagedObject) -> bool:
        return permission is Permission.DESTROY


class Anything:
    """A restriction that forbids nothing."""

    def permits(self, permission: Permission, obj: ManagedObject) -> bool:
        return True


@pytest.mark.parametrize("both", [False, True])
def test_what_is_forbidden_to_who_brings_a_delegated_ticket_stays_so(kms: TestKms, both: bool) -> None:
    made, ticket = key(kms), delegate(kms, right())
    bound = replace(BOB, access=compile_rights(BOB.client, (), (), OnlyDestroys()))
    if both:
        giver = compile_rights(ALICE.client, (), (), OnlyDestroys())
        kms.clients[ALICE.client] = replace(ALICE, access=giver)
    assert reason(using(kms, ticket, get(made), caller=bound)) is ResultReason.OBJECT_NOT_FOUND
    found = using(kms, ticket, LocateRequest(), caller=bound)
    assert isinstance(found, LocateResponse)
    assert found.unique_identifier == ()
    assert not isinstance(using(kms, ticket, DestroyRequest(unique_identifier=made), caller=bound), Refused)


def test_what_is_forbidden_to_who_gave_a_ticket_is_so_to_who_brings_it(kms: TestKms) -> None:
    made, ticket = key(kms), delegate(kms, right())
    giver = compile_rights(ALICE.client, (), (), OnlyDestroys())
    kms.clients[ALICE.client] = replace(ALICE, access=giver)
    for caller in (BOB, replace(BOB, access=compile_rights(BOB.client, (), (), Anything()))):
        assert reason(using(kms, ticket, get(made), caller=caller)) is ResultReason.OBJECT_NOT_FOUND


def test_rights_are_not_endless(kms: TestKms) -> None:
    many = DelegatedLoginRequest(rights=Rights(right=(right(objects=[key(kms)] * MOST_NAMED),)))
    assert refusal(kms, many, version=V2_1).reason is ResultReason.INVALID_FIELD


class CountedLine:
    """Gives everybody their turn at once."""

    def __init__(self) -> None:
        self.turns = 0

    async def turn_of(self, client: int) -> None:
        self.turns += 1


def test_many_objects_are_looked_up_in_slices(kms: TestKms, monkeypatch: pytest.MonkeyPatch) -> None:
    made, waits = [key(kms) for _ in range(5)], CountedLine()
    monkeypatch.setattr(turn, "SLICE", -1.0)
    token = turn.line.set(waits)
    try:
        delegate(kms, right(Operation.GET, objects=made))
    finally:
        turn.line.reset(token)
    assert waits.turns >= len(made)


def test_a_search_within_rights_on_objects_reads_none_of_the_others(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [key(kms) for _ in range(5)]
    ticket = delegate(kms, right(Operation.LOCATE, objects=keys[:1]))

    async def load(_: str) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr(kms.repository, "load", load)
    found = using(kms, ticket, LocateRequest())
    assert found.unique_identifier == (keys[0],)  # type: ignore[union-attr]
