"""Re-Provision (KMIP 2.1 §6.1.48). The authority and the client records are real; there is one worker."""

import dataclasses
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key
from cryptography.x509.oid import NameOID

from strongroom.domain.clients import ClientRecord
from strongroom.domain.identity import DEFAULT_TENANT, ClientIdentity
from strongroom.domain.provisioning import LinkCredential
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import Certificate, CertificateRequest
from strongroom.model.structures import RevocationReason
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.operations.re_provision import ReProvisionRequest
from strongroom.operations.revoke import RevokeRequest
from strongroom.registry import (
    V1_4,
    V2_1,
    V3_0,
    CertificateRequestType,
    CertificateType,
    KeyFormatType,
    ObjectType,
    ResultReason,
    RevocationReasonCode,
    State,
    Tag,
)
from strongroom.rootkey.file import FileRootKey
from strongroom.server.administration.command import perform
from strongroom.server.certificates.ca import (
    Authority,
    create_authority,
    fingerprint,
    new_key,
    open_authority,
)
from strongroom.server.clients import provisioning
from strongroom.server.clients.directory import Refusal
from strongroom.server.clients.provisioning import ClientProvisioning
from strongroom.server.clients.records import known_certificate
from strongroom.server.clients.records import renew as renew_by_administrator
from strongroom.server.clients.stored import StoredClients
from strongroom.server.data_directory import DataDirectory
from tests.expect import assert_refused, raw_key, refusal
from tests.kms import ALICE, BOB, TestKms, attribute, template
from tests.unit.engine.test_tickets import delegate, reason, right, using
from tests.unit.server.test_administration import administrator

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

COMPROMISED = RevocationReason(revocation_reason_code=RevocationReasonCode.KEY_COMPROMISE)


@pytest.fixture
def authority(tmp_path: Path, kms: TestKms) -> Authority:
    """Make the key manager one that can let clients in."""
    root_key = FileRootKey(kms.directory / "root.key")
    directory = DataDirectory.create(tmp_path / "authority")
    made = create_authority(directory, root_key, kms.clock.now())
    clients = StoredClients(kms.repository)
    for client in (ALICE, BOB):
        record = ClientRecord(
            client=client.client,
            tenant=DEFAULT_TENANT,
            name=client.name,
            fingerprint=fingerprint(new_key().public_key()),
            groups=(),
            username=None,
            password_hash=None,
            enrolled_at=kms.clock.now(),
        )
        kms.run(clients.put(record))
    kms.let_in(
        ClientProvisioning(clients, lambda: open_authority(directory, root_key), lambda: [made.certificate])
    )
    return made


def fingerprint_of(kms: TestKms, number: int = ALICE.client) -> str:
    records = kms.run(StoredClients(kms.repository).clients())
    return next(record.fingerprint for record in records if record.client == number)


def csr(
    key: Key, *, broken: bool = False, kind: CertificateRequestType = CertificateRequestType.PKCS_10
) -> Any:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whoever")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    value = bytearray(made.public_bytes(Encoding.DER))
    value[-1] ^= broken
    request = CertificateRequest(certificate_request_type=kind, certificate_request_value=bytes(value))
    return ReProvisionRequest(certificate_request=request)


def with_certificate(value: x509.Certificate) -> ReProvisionRequest:
    der = value.public_bytes(Encoding.DER)
    return ReProvisionRequest(
        certificate=Certificate(certificate_type=CertificateType.X_509, certificate_value=der)
    )


def stored_certificate(kms: TestKms, identifier: UniqueIdentifier) -> x509.Certificate:
    found = kms.call(GetRequest(unique_identifier=identifier), version=V2_1).managed_object
    assert isinstance(found, Certificate)
    return x509.load_der_x509_certificate(found.certificate_value)


def renew(kms: TestKms, request: ReProvisionRequest) -> UniqueIdentifier:
    identifier = kms.call(request, version=V2_1).unique_identifier
    assert identifier is not None
    return identifier


def test_a_request_is_signed_and_its_key_is_the_credential(kms: TestKms, authority: Authority) -> None:
    """The name in the certificate is the client's, whatever the request says."""
    key = new_key()
    certificate = stored_certificate(kms, renew(kms, csr(key)))
    certificate.verify_directly_issued_by(authority.certificate)
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string() == "CN=alice"
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert fingerprint_of(kms) == fingerprint(key.public_key())
    assert fingerprint_of(kms, BOB.client) != fingerprint(key.public_key())


def say_by_rule(kms: TestKms, whose: ClientIdentity | Refusal) -> None:
    """Have the rules for certificates of other authorities say of each whose it is."""
    own = kms.dispatcher._services.provisioning
    assert isinstance(own, ClientProvisioning)
    own.by_rule = lambda _: whose


def test_a_certificate_that_a_rule_gives_to_the_client_is_adopted(kms: TestKms, authority: Authority) -> None:
    key = new_key()
    own = authority.client_certificate(key.public_key(), "alice", kms.clock.now())
    say_by_rule(kms, ALICE)
    assert stored_certificate(kms, renew(kms, with_certificate(own))) == own
    assert fingerprint_of(kms) == fingerprint(key.public_key())


@pytest.mark.parametrize("whose", [BOB, Refusal.UNKNOWN, Refusal.AMBIGUOUS, Refusal.REVOKED])
def test_a_certificate_that_no_rule_gives_to_the_client_is_not_adopted(
    kms: TestKms, authority: Authority, whose: ClientIdentity | Refusal
) -> None:
    """Certificates are no secrets: whoever shows its own would be taken for the client that adopted it.

    One of the internal authority proves no more: it may be an invitation's, which anybody could see.
    """
    before = fingerprint_of(kms)
    another = authority.client_certificate(new_key().public_key(), "alice", kms.clock.now())
    say_by_rule(kms, whose)
    assert_refused(kms, with_certificate(another), ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)
    assert fingerprint_of(kms) == before
    assert not kms.run(kms.repository.entries_of(LinkCredential, ALICE.tenant, ALICE.client))


@pytest.mark.parametrize("asked", ["request", "certificate", "nothing"])
def test_a_client_that_a_rule_lets_in_is_renewed_by_its_own_authority(
    kms: TestKms, authority: Authority, asked: str
) -> None:
    """The old credential could not be ended, and the new one would outlast its revocation."""
    say_by_rule(kms, ALICE)
    own = authority.client_certificate(new_key().public_key(), "alice", kms.clock.now())
    request = {
        "request": csr(new_key()),
        "certificate": with_certificate(own),
        "nothing": ReProvisionRequest(),
    }[asked]
    before = fingerprint_of(kms)
    got = refusal(kms, request, version=V2_1, caller=dataclasses.replace(ALICE, mapped=True))
    assert got.reason is ResultReason.PERMISSION_DENIED
    assert fingerprint_of(kms) == before


def test_a_renewal_ends_every_older_key_too(kms: TestKms, authority: Authority) -> None:
    """One that the administrator has replaced, and that was good for a while yet."""
    clients, now = StoredClients(kms.repository), kms.clock.now()
    made = authority.client_certificate(new_key().public_key(), "alice", now)
    year = now + dt.timedelta(days=365)
    kms.run(renew_by_administrator(clients, "alice", known_certificate(made, None), old_until=year))
    made = authority.client_certificate(new_key().public_key(), "alice", now)
    kms.run(renew_by_administrator(clients, "alice", known_certificate(made, None), old_until=year))
    record = next(one for one in kms.run(clients.clients()) if one.client == ALICE.client)
    assert list(record.retired(now))
    renew(kms, csr(new_key()))
    record = next(one for one in kms.run(clients.clients()) if one.client == ALICE.client)
    assert list(record.retired(now)) == []


def test_without_either_the_server_makes_a_key_that_the_client_can_get(
    kms: TestKms, authority: Authority
) -> None:
    private = renew(kms, ReProvisionRequest())
    got = kms.call(
        GetRequest(unique_identifier=private, key_format_type=KeyFormatType.PKCS_8), version=V2_1
    ).managed_object
    key = load_der_private_key(got.key_block.key_value.key_material.reveal(), None)  # type: ignore[attr-defined]
    assert fingerprint_of(kms) == fingerprint(key.public_key())


def test_a_credential_is_renewed_again_and_again(kms: TestKms, authority: Authority) -> None:
    seen = {fingerprint_of(kms)}
    for _ in range(3):
        renew(kms, csr(new_key()))
        seen.add(fingerprint_of(kms))
    assert len(seen) == 4


def test_a_client_does_not_make_its_record_longer_for_ever(
    kms: TestKms, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its keys stay in the record, which every worker reads."""
    monkeypatch.setattr(provisioning, "MOST_KEYS", 3)
    for _ in range(2):
        renew(kms, csr(new_key()))
    assert refusal(kms, csr(new_key()), version=V2_1).reason is ResultReason.SERVER_LIMIT_EXCEEDED


def test_the_workers_are_told_after_the_commit(kms: TestKms, authority: Authority) -> None:
    told: list[str] = []

    async def on_change() -> None:
        records = await StoredClients(kms.repository).clients()
        told.append(records[0].fingerprint)

    own = kms.dispatcher._services.provisioning
    assert isinstance(own, ClientProvisioning)
    own.on_change = on_change
    key = new_key()
    renew(kms, csr(key))
    assert told == [fingerprint(key.public_key())]


def test_a_revoked_certificate_renews_nothing(kms: TestKms, authority: Authority) -> None:
    """KMIP 2.1 §6.1.48: SHALL fail if the certificate has been revoked or compromised."""
    current = renew(kms, csr(new_key()))
    kms.call(RevokeRequest(unique_identifier=current, revocation_reason=COMPROMISED), version=V2_1)
    before = fingerprint_of(kms)
    refused = ResultReason.PERMISSION_DENIED
    assert_refused(kms, csr(new_key()), refused, refused)
    assert fingerprint_of(kms) == before


def test_a_certificate_that_is_gone_renews_nothing_either(kms: TestKms, authority: Authority) -> None:
    """Whoever has stolen the credential may do with the object what the client may."""
    current = renew(kms, csr(new_key()))
    kms.call(RevokeRequest(unique_identifier=current, revocation_reason=COMPROMISED), version=V2_1)
    kms.call(ObliterateRequest(unique_identifier=current), version=V3_0)
    assert_refused(kms, csr(new_key()), ResultReason.PERMISSION_DENIED, ResultReason.PERMISSION_DENIED)


def test_one_that_was_revoked_and_then_destroyed_renews_nothing(kms: TestKms, authority: Authority) -> None:
    current = renew(kms, csr(new_key()))
    over = RevocationReason(revocation_reason_code=RevocationReasonCode.CESSATION_OF_OPERATION)
    kms.call(RevokeRequest(unique_identifier=current, revocation_reason=over), version=V2_1)
    kms.call(DestroyRequest(unique_identifier=current), version=V2_1)
    assert_refused(kms, csr(new_key()), ResultReason.PERMISSION_DENIED, ResultReason.PERMISSION_DENIED)


@pytest.mark.parametrize("obliterated", [False, True])
def test_nothing_takes_the_place_of_a_certificate_that_was_revoked(
    kms: TestKms, authority: Authority, obliterated: bool
) -> None:
    """Not the same certificate, nor a key; not by the client itself, nor by another one."""
    current = renew(kms, csr(new_key()))
    certificate = kms.call(GetRequest(unique_identifier=current), version=V2_1).managed_object
    kms.call(RevokeRequest(unique_identifier=current, revocation_reason=COMPROMISED), version=V2_1)
    if obliterated:
        kms.call(ObliterateRequest(unique_identifier=current), version=V3_0)
    active = attribute(Tag.STATE, State.ACTIVE)
    again = ImportRequest(
        unique_identifier=current,
        object_type=ObjectType.CERTIFICATE,
        replace_existing=True,
        managed_object=certificate,
        attributes=template(active),
    )
    key = again.replace(object_type=ObjectType.SYMMETRIC_KEY, managed_object=raw_key(bytes(16)))
    assert refusal(kms, again, version=V2_1).reason is ResultReason.PERMISSION_DENIED
    if obliterated:
        assert refusal(kms, key, version=V2_1).reason is ResultReason.PERMISSION_DENIED
        taken = refusal(kms, again, version=V2_1, caller=BOB)
        assert taken.reason is ResultReason.OBJECT_ALREADY_EXISTS
    assert_refused(kms, csr(new_key()), ResultReason.PERMISSION_DENIED, ResultReason.PERMISSION_DENIED)


def test_a_certificate_of_the_past_is_an_object_like_any_other(kms: TestKms, authority: Authority) -> None:
    past, current = renew(kms, csr(new_key())), renew(kms, csr(new_key()))
    kms.call(RevokeRequest(unique_identifier=past, revocation_reason=COMPROMISED), version=V2_1)
    kms.call(ObliterateRequest(unique_identifier=past), version=V3_0)
    kms.call(ArchiveRequest(unique_identifier=current), version=V2_1)
    renew(kms, csr(new_key()))


def test_a_new_credential_of_the_administrator_is_in_good_standing_where_it_ends_the_old_one(
    kms: TestKms, authority: Authority
) -> None:
    current = renew(kms, csr(new_key()))
    kms.call(RevokeRequest(unique_identifier=current, revocation_reason=COMPROMISED), version=V2_1)
    kms.call(ObliterateRequest(unique_identifier=current), version=V3_0)

    def renew_by_command(*, now: bool) -> None:
        admin = dataclasses.replace(
            administrator(kms),
            clients=StoredClients(kms.repository),
            directory=DataDirectory(kms.directory.parent / "authority"),
            root_key=FileRootKey(kms.directory / "root.key"),  # type: ignore[arg-type]
        )
        spki = new_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        request = {"command": "client.renew", "name": "alice", "public_key": spki.decode(), "now": now}
        kms.run(perform(admin, request))

    renew_by_command(now=False)
    assert_refused(kms, csr(new_key()), ResultReason.PERMISSION_DENIED, ResultReason.PERMISSION_DENIED)
    renew_by_command(now=True)
    renew(kms, csr(new_key()))


def expired(authority: Authority, now: dt.datetime) -> ReProvisionRequest:
    old = authority.client_certificate(new_key().public_key(), "alice", now - dt.timedelta(days=3000))
    return with_certificate(old)


def of_a_stranger(authority: Authority, now: dt.datetime) -> ReProvisionRequest:
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
    own = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return with_certificate(own)


def of_a_server(authority: Authority, now: dt.datetime) -> ReProvisionRequest:
    key = new_key().public_key()
    builder = authority._leaf("alice", key, x509.oid.ExtendedKeyUsageOID.SERVER_AUTH)
    return with_certificate(authority._sign(builder, now, dt.timedelta(days=1)))


@pytest.mark.parametrize("made", [expired, of_a_stranger, of_a_server])
def test_a_certificate_that_would_shut_the_client_out_is_refused(
    kms: TestKms, authority: Authority, made: Callable[[Authority, dt.datetime], ReProvisionRequest]
) -> None:
    before = fingerprint_of(kms)
    say_by_rule(kms, ALICE)
    request = made(authority, kms.clock.now())
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)
    assert fingerprint_of(kms) == before


def test_bad_requests_are_refused(kms: TestKms, authority: Authority) -> None:
    short = rsa.generate_private_key(65537, 1024)
    garbage = CertificateRequest(
        certificate_request_type=CertificateRequestType.PKCS_10, certificate_request_value=b"garbage"
    )
    both = csr(new_key()).replace(certificate=expired(authority, kms.clock.now()).certificate)
    for request, expected in (
        (csr(new_key(), broken=True), ResultReason.CRYPTOGRAPHIC_FAILURE),
        (ReProvisionRequest(certificate_request=garbage), ResultReason.INVALID_FIELD),
        (csr(short), ResultReason.INVALID_FIELD),
        (csr(new_key(), kind=CertificateRequestType.CRMF), ResultReason.FEATURE_NOT_SUPPORTED),
        (both, ResultReason.INVALID_FIELD),
    ):
        assert_refused(kms, request, expected, expected)


def test_a_key_that_is_known_already_is_refused(kms: TestKms, authority: Authority) -> None:
    """The credential would stay what it was, or be somebody else's."""
    key = new_key()
    renew(kms, csr(key))
    assert_refused(kms, csr(key), ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


def test_a_user_of_the_client_does_not_renew_its_credential(kms: TestKms, authority: Authority) -> None:
    user = dataclasses.replace(ALICE, user="somebody")
    got = refusal(kms, ReProvisionRequest(), version=V2_1, caller=user)
    assert got.reason is ResultReason.PERMISSION_DENIED


def test_nobody_renews_for_another_with_a_ticket(kms: TestKms, authority: Authority) -> None:
    ticket = delegate(kms, right())
    before = [fingerprint_of(kms, client.client) for client in (ALICE, BOB)]
    assert reason(using(kms, ticket, ReProvisionRequest())) is ResultReason.PERMISSION_DENIED
    assert [fingerprint_of(kms, client.client) for client in (ALICE, BOB)] == before


def test_a_server_without_an_authority_says_so(kms: TestKms) -> None:
    unsupported = ResultReason.FEATURE_NOT_SUPPORTED
    assert_refused(kms, ReProvisionRequest(), unsupported, unsupported)


def test_1_4_has_no_such_operation(kms: TestKms) -> None:
    assert refusal(kms, ReProvisionRequest(), version=V1_4).reason is ResultReason.OPERATION_NOT_SUPPORTED
