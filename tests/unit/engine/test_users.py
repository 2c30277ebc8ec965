"""Users and credentials as objects (KMIP 3.0), and requests that come from users (2.1 §9.11).

Vectors: RFC 4226 appendix D (HOTP), RFC 6238 appendix B (TOTP).
"""

import asyncio
import hashlib
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom.domain import turn
from strongroom.domain.identity import ClientIdentity, Connection
from strongroom.domain.operation import Request, Response
from strongroom.engine import backlog
from strongroom.engine.authenticate import MOST_CREDENTIALS
from strongroom.engine.guesses import FAILURES, WAIT
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.convert import decoder, encoder
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.messages import (
    Authentication,
    Credential,
    Device,
    HashedPassword,
    OneTimePassword,
    ResponseHeader,
    Ticket,
    TicketCredential,
    UsernameAndPassword,
)
from strongroom.model.objects import (
    DeviceCredential,
    HashedPasswordCredential,
    ManagedObjectStruct,
    OTPCredential,
    PasswordCredential,
)
from strongroom.model.rights import Right, Rights
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Seconds, Struct
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.create_credential import CreateCredentialRequest
from strongroom.operations.create_group import CreateGroupRequest
from strongroom.operations.create_user import CreateUserRequest
from strongroom.operations.delegated_login import DelegatedLoginRequest, DelegatedLoginResponse
from strongroom.operations.delete_attribute import DeleteAttributeRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.discover_versions import DiscoverVersionsRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.login import LoginRequest, LoginResponse
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.operations.ping import PingRequest
from strongroom.operations.query import QueryRequest
from strongroom.registry import (
    V2_0,
    V2_1,
    V3_0,
    AsynchronousIndicator,
    CredentialType,
    CryptographicAlgorithm,
    HashingAlgorithm,
    ObjectType,
    OTPAlgorithm,
    QueryFunction,
    ResultReason,
    ResultStatus,
    RevocationReasonCode,
    State,
    Tag,
    Version,
)
from strongroom.server import guesses
from strongroom.wire import binary
from tests.expect import MISSING, key, named, refusal, revoke, state_of, values
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, request_message, template

NAME, PASSWORD = "carol", b"correct horse"


def credential(
    kms: TestKms,
    kind: CredentialType,
    value: ManagedObjectStruct,
    *attributes: AttributeInstance,
    caller: ClientIdentity = ALICE,
) -> UniqueIdentifier:
    request = CreateCredentialRequest(
        credential_type=kind, attributes=template(*attributes), managed_object=value
    )
    return kms.call(request, version=V3_0, caller=caller).unique_identifier


def user(
    kms: TestKms,
    *credentials: UniqueIdentifier,
    name: str = NAME,
    caller: ClientIdentity = ALICE,
) -> UniqueIdentifier:
    links = [attribute(Tag.CREDENTIAL_LINK, one) for one in credentials]
    request = CreateUserRequest(attributes=template(*links, named(name)))
    return kms.call(request, version=V3_0, caller=caller).unique_identifier


def password(kms: TestKms, text: bytes = PASSWORD, **given: Any) -> UniqueIdentifier:
    value = PasswordCredential(password=SecretBytes(text))
    return credential(kms, CredentialType.PASSWORD, value, **given)


def header(*values: Struct, version: Version = V3_0) -> Authentication:
    kinds = {
        UsernameAndPassword: CredentialType.USERNAME_AND_PASSWORD,
        Device: CredentialType.DEVICE,
        OneTimePassword: CredentialType.ONE_TIME_PASSWORD,
        HashedPassword: CredentialType.HASHED_PASSWORD,
        TicketCredential: CredentialType.TICKET,
    }
    return Authentication(
        credential=tuple(
            Credential(
                credential_type=kinds[type(value)],
                credential_value=encoder(type(value), version)(value),
            )
            for value in values
        )
    )


def log_in(kms: TestKms, *values: Struct, version: Version = V3_0, caller: ClientIdentity = ALICE) -> bool:
    """Tell whether a request with these credentials is answered."""
    (result,) = kms.batch(
        DiscoverVersionsRequest(),
        version=version,
        caller=caller,
        authentication=header(*values, version=version),
    )
    if isinstance(result, Refused):
        assert result.reason is ResultReason.AUTHENTICATION_NOT_SUCCESSFUL
        return False
    return True


def by_password(text: bytes = PASSWORD, name: str = NAME) -> UsernameAndPassword:
    return UsernameAndPassword(username=name, password=SecretBytes(text))


def test_a_user_logs_in_with_the_password_of_its_credential(kms: TestKms) -> None:
    user(kms, password(kms))
    assert log_in(kms, by_password())
    assert log_in(kms, by_password(), version=V2_0)
    assert not log_in(kms, by_password(b"wrong"))
    assert not log_in(kms, UsernameAndPassword(username=NAME))


def test_a_password_that_was_right_is_not_right_for_another_user(kms: TestKms) -> None:
    user(kms, password(kms))
    user(kms, password(kms, b"another"), name="dave")
    assert log_in(kms, by_password())
    assert not log_in(kms, by_password(name="dave"))


def test_who_is_no_user_of_the_client_is_the_client_itself(kms: TestKms) -> None:
    """A client enrolled without a user name: a credential is ignored (design.md section 3)."""
    user(kms, password(kms))
    assert log_in(kms, by_password(b"anything", "nobody"))
    assert log_in(kms, by_password(b"anything"), caller=BOB)


def test_any_of_several_passwords_will_do(kms: TestKms) -> None:
    user(kms, password(kms), password(kms, b"second"))
    assert log_in(kms, by_password())
    assert log_in(kms, by_password(b"second"))


def test_the_password_is_not_kept(kms: TestKms, tmp_path: Path) -> None:
    made = password(kms, b"a password that is easy to find")
    kept = kms.call(GetRequest(unique_identifier=made), version=V3_0).managed_object
    assert isinstance(kept, PasswordCredential)
    assert kept.password is None
    assert kept.salted_password is not None
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("**/strongroom.db*"))
    assert b"easy to find" not in stored


def test_a_password_may_come_salted(kms: TestKms) -> None:
    salted = hashlib.pbkdf2_hmac("sha256", PASSWORD, b"salt and more", 1000, 32)
    value = PasswordCredential(
        password_salt=b"salt and more",
        password_salt_algorithm=CryptographicAlgorithm.HMAC_SHA256,
        salted_password=SecretBytes(salted),
        iteration_count=1000,
    )
    user(kms, credential(kms, CredentialType.PASSWORD, value))
    assert log_in(kms, by_password())
    assert not log_in(kms, by_password(b"wrong"))


@pytest.mark.parametrize(
    "value",
    [
        PasswordCredential(),
        PasswordCredential(password=SecretBytes(b"")),
        PasswordCredential(password_salt=b"12345678", salted_password=SecretBytes(bytes(32))),
        PasswordCredential(
            password_salt=b"12345678",
            password_salt_algorithm=CryptographicAlgorithm.HMAC_SHA256,
            salted_password=SecretBytes(bytes(32)),
            iteration_count=2**31 - 1,
        ),
        OTPCredential(otp_algorithm=OTPAlgorithm.HOTP),
        OTPCredential(otp_algorithm=OTPAlgorithm.HOTP, otp_seed=SecretBytes(bytes(20)), otp_digits=3),
    ],
)
def test_a_credential_that_cannot_be_checked_is_refused(kms: TestKms, value: ManagedObjectStruct) -> None:
    kind = (
        CredentialType.PASSWORD if isinstance(value, PasswordCredential) else CredentialType.ONE_TIME_PASSWORD
    )
    request = CreateCredentialRequest(credential_type=kind, managed_object=value)
    assert refusal(kms, request, version=V3_0).reason is ResultReason.INVALID_FIELD


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (CredentialType.DEVICE, ResultReason.INVALID_FIELD),
        (CredentialType.TICKET, ResultReason.FEATURE_NOT_SUPPORTED),
        (CredentialType.USERNAME_AND_PASSWORD, ResultReason.FEATURE_NOT_SUPPORTED),
    ],
)
def test_the_type_is_that_of_the_credential(kms: TestKms, kind: CredentialType, reason: ResultReason) -> None:
    value = PasswordCredential(password=SecretBytes(PASSWORD))
    request = CreateCredentialRequest(credential_type=kind, managed_object=value)
    assert refusal(kms, request, version=V3_0).reason is reason


def test_a_user_links_to_its_own_clients_credentials_only(kms: TestKms) -> None:
    foreign = password(kms, caller=BOB)
    for target, reason in (
        (foreign, ResultReason.OBJECT_NOT_FOUND),
        (MISSING, ResultReason.OBJECT_NOT_FOUND),
        (key(kms), ResultReason.INVALID_FIELD),
    ):
        request = CreateUserRequest(attributes=template(attribute(Tag.CREDENTIAL_LINK, target)))
        assert refusal(kms, request, version=V3_0).reason is reason


def test_a_user_may_belong_to_groups(kms: TestKms) -> None:
    group = kms.call(CreateGroupRequest(attributes=template(named("red"))), version=V3_0).unique_identifier
    request = CreateUserRequest(attributes=template(attribute(Tag.GROUP_LINK, group), named(NAME)))
    made = kms.call(request, version=V3_0).unique_identifier
    assert values(kms, made, Tag.GROUP_LINK, version=V3_0) == [group]
    wrong = CreateUserRequest(attributes=template(attribute(Tag.GROUP_LINK, key(kms))))
    assert refusal(kms, wrong, version=V3_0).reason is ResultReason.INVALID_FIELD


def test_two_users_of_a_client_do_not_have_one_name(kms: TestKms) -> None:
    user(kms)
    request = CreateUserRequest(attributes=template(named(NAME)))
    assert refusal(kms, request, version=V3_0).reason is ResultReason.NON_UNIQUE_NAME_ATTRIBUTE
    user(kms, caller=BOB)


@pytest.mark.parametrize("which", ["user", "credential"])
def test_nobody_logs_in_with_what_was_revoked_or_destroyed(kms: TestKms, which: str) -> None:
    secret = password(kms)
    made = user(kms, secret)
    target = made if which == "user" else secret
    assert log_in(kms, by_password())
    kms.call(DestroyRequest(unique_identifier=target), version=V3_0)
    # A destroyed user has no name any more, and who names nobody is the client itself.
    assert log_in(kms, by_password(b"wrong")) is (which == "user")


def test_a_compromised_user_is_locked_out(kms: TestKms) -> None:
    made = user(kms, password(kms))
    kms.call(revoke(made, RevocationReasonCode.KEY_COMPROMISE), version=V3_0)
    assert not log_in(kms, by_password())


def test_a_credential_that_waits_for_its_date_is_not_good_yet(kms: TestKms) -> None:
    tomorrow = attribute(Tag.ACTIVATION_DATE, kms.clock.now() + timedelta(days=1))
    value = PasswordCredential(password=SecretBytes(PASSWORD))
    user(kms, credential(kms, CredentialType.PASSWORD, value, tomorrow))
    assert not log_in(kms, by_password())
    kms.clock.pass_time(days=1)
    assert log_in(kms, by_password())


def hotp(**given: Any) -> OTPCredential:
    return OTPCredential(
        otp_algorithm=OTPAlgorithm.HOTP, otp_seed=SecretBytes(b"12345678901234567890"), **given
    )


def code(text: bytes, secret: bytes | None = None) -> OneTimePassword:
    return OneTimePassword(
        username=NAME,
        password=None if secret is None else SecretBytes(secret),
        one_time_password=SecretBytes(text),
    )


def test_a_counted_code_is_good_once_and_in_order(kms: TestKms) -> None:
    user(kms, credential(kms, CredentialType.ONE_TIME_PASSWORD, hotp()))
    assert log_in(kms, code(b"755224"))
    assert not log_in(kms, code(b"755224"))
    assert log_in(kms, code(b"969429"))  # counter 3: the button was pressed twice for nothing
    assert not log_in(kms, code(b"287082"))  # counter 1 is over
    assert not log_in(kms, code(b"000000"))


def test_the_counter_of_the_last_code_is_shown(kms: TestKms) -> None:
    """3.0: OTP Counter, set by the server; codes that go by the clock have none."""
    made = credential(kms, CredentialType.ONE_TIME_PASSWORD, hotp())
    user(kms, made)
    assert values(kms, made, Tag.OTP_COUNTER, version=V3_0) == []
    assert log_in(kms, code(b"969429"))
    assert values(kms, made, Tag.OTP_COUNTER, version=V3_0) == [(3).to_bytes(8)]
    assert not log_in(kms, code(b"969429"))


def test_a_code_may_need_the_password_too(kms: TestKms) -> None:
    user(kms, password(kms), credential(kms, CredentialType.ONE_TIME_PASSWORD, hotp()))
    assert not log_in(kms, code(b"755224", b"wrong"))
    assert log_in(kms, code(b"755224", PASSWORD))


def test_of_several_credentials_each_has_to_be_right(kms: TestKms) -> None:
    """KMIP 2.1 §9.4: if there are several, all must be satisfied."""
    user(kms, password(kms), credential(kms, CredentialType.ONE_TIME_PASSWORD, hotp()))
    for version in (V2_0, V2_1, V3_0):
        assert not log_in(kms, by_password(), code(b"000000"), version=version)
        assert not log_in(kms, by_password(), by_password(b"wrong"), version=version)
    assert not log_in(kms, by_password(b"wrong"), code(b"755224"))
    assert log_in(kms, by_password(), code(b"755224"))


def test_several_credentials_are_those_of_one_user(kms: TestKms) -> None:
    user(kms, password(kms))
    user(kms, password(kms, b"another"), name="dave")
    assert not log_in(kms, by_password(), by_password(b"another", "dave"))


def test_so_many_credentials_are_looked_at_and_no_more(kms: TestKms) -> None:
    user(kms, password(kms))
    assert log_in(kms, *[by_password()] * MOST_CREDENTIALS)
    too_many = header(*[by_password()] * (MOST_CREDENTIALS + 1))
    (result,) = kms.batch(DiscoverVersionsRequest(), version=V3_0, authentication=too_many)
    assert isinstance(result, Refused)
    assert result.reason is ResultReason.SERVER_LIMIT_EXCEEDED


def test_what_comes_with_a_ticket_has_to_be_right_too(kms: TestKms) -> None:
    user(kms, password(kms))
    user(kms, password(kms, b"another"), name="dave")
    ticket = TicketCredential(
        ticket=kms.call(LoginRequest(), version=V3_0, authentication=header(by_password())).ticket
    )
    assert log_in(kms, ticket)
    assert log_in(kms, ticket, by_password())
    assert not log_in(kms, ticket, by_password(b"wrong"))
    assert not log_in(kms, ticket, by_password(b"another", "dave"))


def test_a_timed_code_is_good_once_around_its_time(kms: TestKms) -> None:
    value = OTPCredential(
        otp_algorithm=OTPAlgorithm.TOTP,
        otp_seed=SecretBytes(b"12345678901234567890"),
        otp_digest=CryptographicAlgorithm.HMAC_SHA1,
        otp_interval=Seconds(30),
        otp_digits=8,
    )
    kms.clock.time = datetime.fromtimestamp(1111111109, UTC)
    user(kms, credential(kms, CredentialType.ONE_TIME_PASSWORD, value))
    assert log_in(kms, code(b"07081804"))
    assert not log_in(kms, code(b"07081804"))
    kms.clock.time = datetime.fromtimestamp(1111111111, UTC)
    assert log_in(kms, code(b"14050471"))
    kms.clock.pass_time(minutes=5)
    assert not log_in(kms, code(b"14050471"))


def hashed(stamp: datetime, secret: bytes = PASSWORD) -> tuple[HashedPassword, bytes]:
    """Return the credential of a client, and what proves the server (KMIP 2.1 §9.11 and §8.4)."""
    name = NAME.encode()
    first, second = hashlib.sha256(name + secret).digest(), hashlib.sha256(secret + name).digest()
    at = round((stamp - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6).to_bytes(8, "big")
    login = HashedPassword(
        username=NAME,
        time_stamp=stamp,
        hashing_algorithm=HashingAlgorithm.SHA_256,
        hashed_password=SecretBytes(hashlib.sha256(first + at).digest() + second),
    )
    return login, hashlib.sha256(at + first + hashlib.sha256(second).digest()).digest()


def hashed_credential() -> HashedPasswordCredential:
    name = NAME.encode()
    return HashedPasswordCredential(
        hashing_algorithm=HashingAlgorithm.SHA_256,
        hashed_username_password=SecretBytes(hashlib.sha256(name + PASSWORD).digest()),
        hashed_password_username=SecretBytes(hashlib.sha256(PASSWORD + name).digest()),
    )


@pytest.mark.parametrize("version", [V2_1, V3_0])
def test_a_hashed_password_is_good_once_and_the_server_proves_itself(kms: TestKms, version: Version) -> None:
    user(kms, credential(kms, CredentialType.HASHED_PASSWORD, hashed_credential()))
    login, proof = hashed(kms.clock.now())
    root = request_message(PingRequest(), version=version, authentication=header(login, version=version))
    answer = kms.send(root)
    head = decoder(ResponseHeader, version)(answer[2][0][2])
    assert head.server_hashed_password == proof
    assert not log_in(kms, login, version=version)
    later, _ = hashed(kms.clock.now() + timedelta(milliseconds=1))
    assert log_in(kms, later, version=version)


def test_a_hashed_password_of_another_time_or_password_is_wrong(kms: TestKms) -> None:
    user(kms, credential(kms, CredentialType.HASHED_PASSWORD, hashed_credential()))
    now = kms.clock.now()
    for stamp in (now - timedelta(minutes=6), now + timedelta(minutes=6)):
        assert not log_in(kms, hashed(stamp)[0])
    assert not log_in(kms, hashed(now, b"wrong")[0])
    assert log_in(kms, hashed(now)[0])


def test_a_device_is_known_by_all_that_its_credential_says(kms: TestKms) -> None:
    value = DeviceCredential(device_serial_number="S1", machine_identifier="M1")
    device = credential(kms, CredentialType.DEVICE, value)
    user(kms, device, password(kms))
    fits = Device(device_serial_number="S1", machine_identifier="M1", network_identifier="any")
    assert log_in(kms, fits)
    assert log_in(kms, fits.replace(password=SecretBytes(PASSWORD)))
    assert not log_in(kms, fits.replace(password=SecretBytes(b"wrong")))


class CountedLine:
    """Gives everybody their turn at once."""

    def __init__(self) -> None:
        self.turns = 0

    async def turn_of(self, client: int) -> None:
        self.turns += 1


def test_a_device_is_looked_for_in_slices(kms: TestKms, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        credential(kms, CredentialType.DEVICE, DeviceCredential(device_serial_number=f"S{number}"))
    waits = CountedLine()
    monkeypatch.setattr(turn, "SLICE", -1.0)
    token = turn.line.set(waits)
    try:
        assert log_in(kms, Device(device_serial_number="another"))
    finally:
        turn.line.reset(token)
    assert waits.turns >= 3


def test_who_is_wrong_too_often_has_to_wait(kms: TestKms) -> None:
    user(kms, credential(kms, CredentialType.ONE_TIME_PASSWORD, hotp()))
    for _ in range(FAILURES):
        assert not log_in(kms, code(b"000000"))
    assert not log_in(kms, code(b"755224"))
    kms.clock.pass_time(seconds=WAIT.total_seconds())
    assert log_in(kms, code(b"755224"))


def test_guesses_that_come_at_once_are_counted_too(kms: TestKms) -> None:
    user(kms, password(kms))
    checks = kms.dispatcher._authenticator._users._checks
    tried = []
    fits = checks.password_fits

    async def counting(credential: PasswordCredential, password: SecretBytes) -> bool:
        tried.append(password)
        return await fits(credential, password)

    checks.password_fits = counting  # type: ignore[method-assign]
    connection = Connection(client=ALICE, peer="127.0.0.1:1")

    async def log_in_at_once(*texts: bytes) -> None:
        messages = [
            binary.encode(
                request_message(
                    DiscoverVersionsRequest(), version=V3_0, authentication=header(by_password(text))
                )
            )
            for text in texts
        ]
        await asyncio.gather(*(kms.dispatcher.handle(message, connection) for message in messages))

    kms.run(log_in_at_once(*[PASSWORD] * (FAILURES + 5)))
    assert len(tried) == 1  # nobody who is right gets in the way of the others
    kms.run(log_in_at_once(*[b"guess %d" % n for n in range(FAILURES + 5)]))
    assert len(tried) == 1 + FAILURES
    assert not log_in(kms, by_password())


def test_a_client_with_many_users_locks_out_nobody_elses(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "BUCKETS", 1)
    for number in range(guesses.WAYS + 1):
        user(kms, credential(kms, CredentialType.ONE_TIME_PASSWORD, hotp()), name=f"user {number}")
        wrong = OneTimePassword(username=f"user {number}", one_time_password=SecretBytes(b"000000"))
        assert not log_in(kms, wrong)
    own = credential(kms, CredentialType.ONE_TIME_PASSWORD, hotp(), caller=BOB)
    user(kms, own, caller=BOB)
    assert not log_in(kms, code(b"000000"), caller=BOB)
    assert log_in(kms, code(b"755224"), caller=BOB)


def test_the_audit_event_names_the_user(kms: TestKms, tmp_path: Path) -> None:
    made = user(kms, password(kms))
    kms.call(
        CreateGroupRequest(attributes=template(named("g"))),
        version=V3_0,
        authentication=header(by_password()),
    )
    (database,) = tmp_path.glob("**/strongroom.db")
    connection = sqlite3.connect(database)
    events = [event for (event,) in connection.execute("SELECT event FROM audit ORDER BY sequence")]
    connection.close()
    assert made.encode() in events[-1]
    assert b'"user"' not in events[0]


def test_query_lists_users_and_groups_in_3_0_alone(kms: TestKms) -> None:
    query = QueryRequest(query_function=(QueryFunction.QUERY_OBJECTS,))
    newest = kms.call(query, version=V3_0).object_type
    assert {ObjectType.USER, ObjectType.GROUP} <= set(newest)
    assert ObjectType.USER not in kms.call(query, version=V2_1).object_type


def test_a_user_is_read_by_its_owner_alone(kms: TestKms) -> None:
    made = user(kms, password(kms))
    request = GetAttributesRequest(unique_identifier=made)
    assert kms.call(request, version=V3_0).unique_identifier == made
    assert refusal(kms, request, version=V3_0, caller=BOB).reason is ResultReason.ITEM_NOT_FOUND


def with_ticket(
    kms: TestKms, ticket: Ticket, request: Request[Any], *, caller: ClientIdentity = ALICE
) -> Any:
    value = encoder(TicketCredential, V3_0)(TicketCredential(ticket=ticket))
    proof = Credential(credential_type=CredentialType.TICKET, credential_value=value)
    authentication = Authentication(credential=(proof,))
    (result,) = kms.batch(request, version=V3_0, authentication=authentication, caller=caller)
    return result


def test_a_ticket_that_a_user_gave_to_another_client_ends_with_the_user(kms: TestKms) -> None:
    """Else whoever had got hold of the user's password would keep what it was good for."""
    who = user(kms, password(kms))
    log = header(UsernameAndPassword(username=NAME, password=SecretBytes(PASSWORD)))
    request = DelegatedLoginRequest(rights=Rights(right=(Right(),)))
    ticket = kms.call(request, version=V3_0, authentication=log).ticket
    activate = ActivateRequest(unique_identifier=key(kms))
    assert isinstance(with_ticket(kms, ticket, activate, caller=BOB), Response)
    events = [json.loads(row.event) for row in kms.run(kms.backend.audit_rows(0, 100))]
    assert [one.get("user") for one in events if one["operation"] == "Activate"] == [None]  # it was not there
    kms.call(revoke(who, RevocationReasonCode.KEY_COMPROMISE), version=V3_0)
    refused = with_ticket(kms, ticket, PingRequest(), caller=BOB)
    assert isinstance(refused, Refused)
    assert refused.reason is ResultReason.INVALID_TICKET


def test_a_ticket_that_a_user_got_stays_the_users(kms: TestKms) -> None:
    """The audit log names the user, and the ticket ends with it."""
    who = user(kms, password(kms))
    log = header(UsernameAndPassword(username=NAME, password=SecretBytes(PASSWORD)))
    ticket = kms.call(LoginRequest(), version=V3_0, authentication=log).ticket
    made = key(kms)
    assert isinstance(with_ticket(kms, ticket, ActivateRequest(unique_identifier=made)), Response)
    events = [json.loads(row.event) for row in kms.run(kms.backend.audit_rows(0, 100))]
    assert [one.get("user") for one in events if one["operation"] == "Activate"] == [who]
    kms.call(revoke(who, RevocationReasonCode.KEY_COMPROMISE), version=V3_0)
    refused = with_ticket(kms, ticket, PingRequest())
    assert isinstance(refused, Refused)
    assert refused.reason is ResultReason.INVALID_TICKET


@pytest.mark.parametrize("rights", [None, Rights(right=(Right(),))])
def test_a_ticket_ends_with_the_credential_that_it_was_got_with(kms: TestKms, rights: Rights | None) -> None:
    """Else whoever had got hold of the password would keep what it was good for."""
    lost, other = password(kms), password(kms, b"another")
    user(kms, lost, other)
    request: Request[Any] = LoginRequest() if rights is None else DelegatedLoginRequest(rights=rights)

    def ticket(text: bytes) -> Ticket:
        given = kms.call(request, version=V3_0, authentication=header(by_password(text)))
        assert isinstance(given, LoginResponse | DelegatedLoginResponse)
        return given.ticket

    gone, kept = ticket(PASSWORD), ticket(b"another")
    assert isinstance(with_ticket(kms, gone, PingRequest()), Response)
    kms.call(revoke(lost, RevocationReasonCode.KEY_COMPROMISE), version=V3_0)
    refused = with_ticket(kms, gone, PingRequest())
    assert isinstance(refused, Refused)
    assert refused.reason is ResultReason.INVALID_TICKET
    assert isinstance(with_ticket(kms, kept, PingRequest()), Response)


@pytest.mark.parametrize("which", ["user", "credential"])
def test_a_ticket_ends_with_the_date_that_ends_its_user_or_credential(kms: TestKms, which: str) -> None:
    hour = timedelta(hours=1)
    dates = [
        attribute(tag, kms.clock.now() + after)
        for tag, after in ((Tag.ACTIVATION_DATE, timedelta()), (Tag.DEACTIVATION_DATE, hour))
    ]
    value = PasswordCredential(password=SecretBytes(PASSWORD))
    secret = credential(kms, CredentialType.PASSWORD, value, *(dates if which == "credential" else ()))
    link = attribute(Tag.CREDENTIAL_LINK, secret)
    given = template(link, named(NAME), *(dates if which == "user" else ()))
    kms.call(CreateUserRequest(attributes=given), version=V3_0)
    ticket = kms.call(LoginRequest(), version=V3_0, authentication=header(by_password())).ticket
    assert isinstance(with_ticket(kms, ticket, PingRequest()), Response)
    kms.clock.pass_time(hours=1)
    assert isinstance(with_ticket(kms, ticket, PingRequest()), Refused)


@pytest.mark.parametrize("which", ["user", "credential"])
def test_a_ticket_ends_with_what_is_obliterated(kms: TestKms, which: str) -> None:
    secret = password(kms)
    target = {"user": user(kms, secret), "credential": secret}[which]
    ticket = kms.call(LoginRequest(), version=V3_0, authentication=header(by_password())).ticket
    kms.call(DestroyRequest(unique_identifier=target), version=V3_0)
    kms.call(ObliterateRequest(unique_identifier=target), version=V3_0)
    refused = with_ticket(kms, ticket, PingRequest())
    assert isinstance(refused, Refused)
    assert refused.reason is ResultReason.INVALID_TICKET


@pytest.mark.parametrize("which", ["device", "password"])
def test_a_ticket_got_with_two_credentials_ends_with_either(kms: TestKms, which: str) -> None:
    value = DeviceCredential(device_serial_number="S1")
    given = {"device": credential(kms, CredentialType.DEVICE, value), "password": password(kms)}
    user(kms, *given.values())
    log = header(Device(device_serial_number="S1", password=SecretBytes(PASSWORD)))
    ticket = kms.call(LoginRequest(), version=V3_0, authentication=log).ticket
    assert isinstance(with_ticket(kms, ticket, PingRequest()), Response)
    kms.call(DestroyRequest(unique_identifier=given[which]), version=V3_0)
    assert isinstance(with_ticket(kms, ticket, PingRequest()), Refused)


def test_a_ticket_ends_when_its_credential_is_the_users_no_more(kms: TestKms) -> None:
    secret = credential(kms, CredentialType.ONE_TIME_PASSWORD, hotp())
    who = user(kms, secret)
    ticket = kms.call(LoginRequest(), version=V3_0, authentication=header(code(b"755224"))).ticket
    assert isinstance(with_ticket(kms, ticket, PingRequest()), Response)
    taken = attribute(Tag.CREDENTIAL_LINK, secret)
    kms.call(DeleteAttributeRequest(unique_identifier=who, current_attribute=taken), version=V3_0)
    assert isinstance(with_ticket(kms, ticket, PingRequest()), Refused)


def test_what_a_user_waits_for_is_not_done_after_its_credential_is_gone(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "DELAY", 3600)
    secret, made = password(kms), key(kms)
    user(kms, secret)
    request = request_message(
        ActivateRequest(unique_identifier=made),
        version=V3_0,
        authentication=header(by_password()),
        asynchronous_indicator=AsynchronousIndicator.MANDATORY,
    )
    assert (int(Tag.RESULT_STATUS), 5, int(ResultStatus.OPERATION_PENDING)) in kms.send(request)[2][1][2]
    kms.call(DestroyRequest(unique_identifier=secret), version=V3_0)
    kms.clock.pass_time(seconds=backlog.TAKE_UP.total_seconds() + 1)
    kms.run(kms.dispatcher.transactions.backlog.tidy(kms.clock.now()))
    assert state_of(kms, made) is State.PRE_ACTIVE
