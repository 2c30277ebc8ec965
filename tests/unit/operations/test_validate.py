"""Validate: Valid, Invalid and Unknown, with certificates by value and by identifier."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.crypto.certificates import validation
from strongroom.domain.operation import Request
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import Certificate, OpaqueObject
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import RevocationReason
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.revoke import RevokeRequest
from strongroom.operations.validate import ValidateRequest
from strongroom.procedures.chains import MAXIMUM_KEYS
from strongroom.registry import (
    V2_1,
    VERSIONS,
    CertificateType,
    LinkType,
    ObjectType,
    OpaqueDataType,
    ResultReason,
    RevocationReasonCode,
    ValidityIndicator,
    Version,
)
from tests.certificates import KEY, Authority, authority, leaf, link_to, load, name_of, self_signed
from tests.expect import MISSING, assert_refused, key, later, refusal, registration, revoke
from tests.kms import BOB, TestKms

VALID, INVALID, UNKNOWN = ValidityIndicator
OTHER = ec.derive_private_key(11, ec.SECP256R1())
LEAF = ec.derive_private_key(13, ec.SECP256R1())
COMPROMISE = RevocationReasonCode.KEY_COMPROMISE
MESSAGE, FIELD = ResultReason.INVALID_MESSAGE, ResultReason.INVALID_FIELD


def judged(
    kms: TestKms,
    *chain: Certificate | str,
    at: datetime | None = None,
    version: Version = V2_1,
    **given: Any,
) -> ValidityIndicator:
    return kms.call(chain_request(*chain, at=at), version=version, **given).validity_indicator


def chain_request(*chain: Certificate | str, at: datetime | None = None) -> ValidateRequest:
    return ValidateRequest(
        certificate=tuple(c for c in chain if isinstance(c, Certificate)),
        unique_identifier=tuple(UniqueIdentifier(c) for c in chain if isinstance(c, str)),
        validity_date=at,
    )


def register(kms: TestKms, certificate: Certificate, *, active: bool = True) -> UniqueIdentifier:
    made = kms.call(registration(ObjectType.CERTIFICATE, certificate)).unique_identifier
    if active:
        kms.call(ActivateRequest(unique_identifier=made))
    return made


def by_value(kms: TestKms, identifier: UniqueIdentifier) -> Certificate:
    value = kms.call(GetRequest(unique_identifier=identifier)).managed_object
    assert isinstance(value, Certificate)
    return value


def issued(common_name: str = "leaf", **fields: Any) -> Certificate:
    """Return a certificate issued by "outside" with KEY."""
    fields.setdefault("key", LEAF)
    fields.setdefault("ca", False)
    fields.setdefault("issuer", ("outside", KEY))
    return self_signed(common_name, **fields)


@pytest.fixture
def root(kms: TestKms) -> Authority:
    return authority(kms)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_chain_of_managed_certificates_is_valid_in_every_version(
    kms: TestKms, root: Authority, version: Version
) -> None:
    below = authority(kms, "Below", below=root)
    assert judged(kms, leaf(kms, below), below.certificate, root.certificate, version=version) is VALID


def test_the_rest_of_the_path_is_found_among_the_callers_certificates(kms: TestKms, root: Authority) -> None:
    below = authority(kms, "Below", below=root)
    end = leaf(kms, below)
    assert judged(kms, end) is VALID
    assert judged(kms, by_value(kms, end)) is VALID
    assert judged(kms, by_value(kms, end), by_value(kms, below.certificate), root.certificate) is VALID


def test_the_order_and_repetitions_do_not_matter(kms: TestKms, root: Authority) -> None:
    end = leaf(kms, root)
    assert judged(kms, root.certificate, end, by_value(kms, end), end) is VALID


def test_trust_is_what_the_caller_keeps_and_has_activated(kms: TestKms) -> None:
    """A root that only the request brings is nobody's trust anchor."""
    assert judged(kms, issued(), self_signed()) is UNKNOWN
    anchor = register(kms, self_signed(serial=1), active=False)
    assert judged(kms, issued()) is UNKNOWN
    kms.call(ActivateRequest(unique_identifier=anchor))
    assert judged(kms, issued()) is VALID
    assert judged(kms, issued(), caller=BOB) is UNKNOWN


def test_a_chain_without_its_root_is_unknown(kms: TestKms) -> None:
    assert judged(kms, issued()) is UNKNOWN


def test_a_self_signed_certificate_is_valid_where_it_is_trusted(kms: TestKms) -> None:
    own = self_signed(ca=False)
    assert judged(kms, own) is UNKNOWN
    register(kms, own)
    assert judged(kms, own) is VALID


def test_every_certificate_is_valid_at_the_validity_date(kms: TestKms, root: Authority) -> None:
    end = leaf(kms, root)
    certificate = load(kms, end)
    assert judged(kms, end, at=certificate.not_valid_after_utc) is VALID
    assert judged(kms, end, at=certificate.not_valid_after_utc + timedelta(seconds=1)) is INVALID
    assert judged(kms, end, at=certificate.not_valid_before_utc - timedelta(seconds=1)) is INVALID
    kms.clock.pass_time(days=500)
    assert judged(kms, end) is INVALID
    assert judged(kms, end, at=certificate.not_valid_before_utc) is VALID


def test_an_issuer_out_of_date_makes_the_chain_invalid(kms: TestKms) -> None:
    register(kms, self_signed(days=30))
    assert judged(kms, issued()) is INVALID
    assert judged(kms, issued(), at=datetime(2025, 1, 15, tzinfo=UTC)) is VALID


def test_a_revoked_certificate_is_invalid_from_then_on(kms: TestKms, root: Authority) -> None:
    end = leaf(kms, root)
    kms.call(ActivateRequest(unique_identifier=end))
    kms.clock.pass_time(days=1)
    kms.call(revoke(end))
    assert judged(kms, end) is INVALID
    assert judged(kms, by_value(kms, end), root.certificate) is INVALID
    assert judged(kms, end, at=later(kms, hours=-1)) is VALID


def test_a_compromised_certificate_was_never_valid_unless_it_is_known_since_when(
    kms: TestKms, root: Authority
) -> None:
    first, second = leaf(kms, root), leaf(kms, root)
    kms.clock.pass_time(days=10)
    kms.call(revoke(first, COMPROMISE))
    kms.call(
        RevokeRequest(
            unique_identifier=second,
            revocation_reason=RevocationReason(revocation_reason_code=COMPROMISE),
            compromise_occurrence_date=later(kms, days=-2),
        )
    )
    assert judged(kms, first) is INVALID
    assert judged(kms, second) is INVALID
    assert judged(kms, second, at=later(kms, days=-1)) is INVALID
    assert judged(kms, second, at=later(kms, days=-3)) is VALID


@pytest.mark.parametrize(
    "put_away", [ArchiveRequest, DestroyRequest, None], ids=["archive", "destroy", "again"]
)
def test_a_compromised_certificate_stays_so_whatever_becomes_of_its_object(
    kms: TestKms, root: Authority, put_away: type[ArchiveRequest] | type[DestroyRequest] | None
) -> None:
    """Also where another object of the same certificate is in order."""
    below = authority(kms, "Below", below=root)
    issuer = by_value(kms, below.certificate)
    end = by_value(kms, leaf(kms, below))
    assert judged(kms, end, issuer) is VALID
    kms.call(revoke(below.certificate, COMPROMISE))
    if put_away is None:
        register(kms, issuer)
    else:
        request: Request[Any] = put_away(unique_identifier=below.certificate)
        kms.call(request)
    assert judged(kms, end, issuer) is INVALID


def test_a_retired_certificate_stays_so_when_its_object_is_destroyed(kms: TestKms) -> None:
    register(kms, self_signed())
    end = issued()
    retired, never_used = register(kms, end), issued("another")
    kms.call(revoke(retired))
    kms.call(DestroyRequest(unique_identifier=retired))
    assert judged(kms, end) is INVALID
    kms.call(DestroyRequest(unique_identifier=register(kms, never_used, active=False)))
    assert judged(kms, never_used) is VALID


def test_an_anchor_that_was_archived_is_not_trusted(kms: TestKms) -> None:
    anchor = self_signed()
    kms.call(ArchiveRequest(unique_identifier=register(kms, anchor)))
    assert judged(kms, issued(), anchor) is UNKNOWN


def test_a_revoked_issuer_makes_the_chain_invalid(kms: TestKms, root: Authority) -> None:
    below = authority(kms, "Below", below=root)
    end = leaf(kms, below)
    kms.call(revoke(below.certificate, COMPROMISE))
    assert judged(kms, end) is INVALID


def test_a_compromised_key_makes_its_certificates_invalid(kms: TestKms, root: Authority) -> None:
    end = leaf(kms, root)
    kms.call(revoke(root.private, COMPROMISE))
    assert judged(kms, end) is INVALID


def test_keys_that_are_linked_in_a_circle_are_each_looked_at_once(kms: TestKms, root: Authority) -> None:
    circle = link_to(LinkType.PRIVATE_KEY_LINK, root.public)
    kms.call(AddAttributeRequest(unique_identifier=root.public, new_attribute=circle))
    end = leaf(kms, root)
    assert judged(kms, end) is VALID
    kms.call(revoke(root.private, COMPROMISE))
    assert judged(kms, end) is INVALID


def test_of_more_keys_than_are_looked_at_the_worst_is_assumed(kms: TestKms, root: Authority) -> None:
    end = leaf(kms, root)
    for more in range(MAXIMUM_KEYS):
        assert judged(kms, end) is (VALID if more < MAXIMUM_KEYS - 1 else INVALID)
        another = link_to(LinkType.PRIVATE_KEY_LINK, UniqueIdentifier(f"{more}"))
        kms.call(AddAttributeRequest(unique_identifier=root.public, new_attribute=another))


def test_a_retired_key_leaves_what_it_signed_valid(kms: TestKms, root: Authority) -> None:
    end = leaf(kms, root)
    kms.call(revoke(root.private))
    assert judged(kms, end) is VALID


def revocation_list(
    *serials: int, key: Any = KEY, issuer: str = "outside", encoding: Encoding = Encoding.DER
) -> OpaqueObject:
    day = datetime(2025, 6, 1, tzinfo=UTC)
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=name_of(issuer), last_update=day, next_update=day + timedelta(days=900)
    )
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(day).build()
        builder = builder.add_revoked_certificate(entry)
    data = builder.sign(key, hashes.SHA256()).public_bytes(encoding)
    return OpaqueObject(
        opaque_data_type=cast(OpaqueDataType, 0x80000001), opaque_data_value=SecretBytes(data)
    )


@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM])
def test_a_revocation_list_linked_to_the_issuer_counts(kms: TestKms, encoding: Encoding) -> None:
    anchor = register(kms, self_signed())
    linked = link_to(LinkType.CERTIFICATE_LINK, anchor)
    listed = revocation_list(5, encoding=encoding)
    kms.call(registration(ObjectType.OPAQUE_OBJECT, listed, linked))
    assert judged(kms, issued(serial=5)) is INVALID
    assert judged(kms, issued(serial=6)) is VALID
    assert judged(kms, issued(serial=5), at=datetime(2025, 5, 1, tzinfo=UTC)) is VALID


@pytest.mark.parametrize(
    "useless",
    [
        revocation_list(5, key=OTHER),
        revocation_list(5, issuer="elsewhere"),
        OpaqueObject(
            opaque_data_type=cast(OpaqueDataType, 0x80000001), opaque_data_value=SecretBytes(b"\x30\x80")
        ),
    ],
    ids=["signature", "issuer", "malformed"],
)
def test_a_revocation_list_that_the_issuer_did_not_sign_says_nothing(
    kms: TestKms, useless: OpaqueObject
) -> None:
    anchor = register(kms, self_signed())
    kms.call(registration(ObjectType.OPAQUE_OBJECT, useless, link_to(LinkType.CERTIFICATE_LINK, anchor)))
    assert judged(kms, issued(serial=5)) is VALID


def test_the_revocation_lists_of_an_issuer_are_checked_once(
    kms: TestKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever keeps certificates of one name makes many paths, and a list takes long to check."""
    read: list[bytes] = []
    once = validation._revocation_list

    def noting(data: bytes) -> x509.CertificateRevocationList:
        read.append(data)
        return once(data)

    monkeypatch.setattr(validation, "_revocation_list", noting)
    issuers = [register(kms, self_signed(serial=serial), active=False) for serial in (1, 2, 3, 4)]
    links = [link_to(LinkType.CERTIFICATE_LINK, issuer) for issuer in issuers]
    kms.call(registration(ObjectType.OPAQUE_OBJECT, revocation_list(5), *links))
    assert judged(kms, issued(serial=6)) is UNKNOWN
    assert len(read) == len(issuers)


def test_a_forged_link_in_the_chain_is_invalid(kms: TestKms) -> None:
    """The issuer has the right name, but the signature is another's."""
    forged = issued(issuer=("outside", OTHER))
    assert judged(kms, forged, self_signed()) is INVALID


def test_an_unrelated_certificate_of_the_issuers_name_says_nothing(kms: TestKms) -> None:
    register(kms, self_signed())
    register(kms, self_signed(key=OTHER))
    assert judged(kms, issued()) is VALID
    assert judged(kms, issued(issuer=("outside", LEAF))) is UNKNOWN


def key_usage(**bits: bool) -> tuple[x509.ExtensionType, bool]:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: bits.get(name, False) for name in names}), True


NAMES = x509.NameConstraints(permitted_subtrees=[x509.DNSName("good.example")], excluded_subtrees=None)


@pytest.mark.parametrize(
    "anchor",
    [
        self_signed(ca=False),
        self_signed(extensions=[key_usage(digital_signature=True)]),
        self_signed(extensions=[(NAMES, True)]),
    ],
    ids=["no authority", "key usage", "name constraints"],
)
def test_an_issuer_that_may_not_issue_this_makes_the_chain_invalid(kms: TestKms, anchor: Certificate) -> None:
    register(kms, anchor)
    names = x509.SubjectAlternativeName([x509.DNSName("bad.example")])
    assert judged(kms, issued(extensions=[(names, False)])) is INVALID


def test_names_within_the_constraints_are_valid(kms: TestKms) -> None:
    register(kms, self_signed(extensions=[(NAMES, True), key_usage(key_cert_sign=True)]))
    names = x509.SubjectAlternativeName([x509.DNSName("www.good.example")])
    assert judged(kms, issued(extensions=[(names, False)])) is VALID


def test_name_constraints_hold_below_an_authority_too_and_for_ends_without_alternative_names(
    kms: TestKms,
) -> None:
    register(kms, self_signed())
    below = issued("Below", key=OTHER, ca=True, extensions=[(NAMES, True), key_usage(key_cert_sign=True)])
    bad = x509.SubjectAlternativeName([x509.DNSName("bad.example")])
    assert judged(kms, below, issued(issuer=("Below", OTHER))) is VALID
    assert judged(kms, below, issued(issuer=("Below", OTHER), extensions=[(bad, False)])) is INVALID


def test_a_path_that_is_longer_than_an_authority_allows_is_invalid(kms: TestKms) -> None:
    register(kms, self_signed(path_length=0))
    below = issued("Below", key=OTHER, ca=True)
    assert judged(kms, below) is VALID
    assert judged(kms, below, issued(issuer=("Below", OTHER))) is INVALID


def test_a_critical_extension_that_nobody_understands_is_invalid(kms: TestKms) -> None:
    register(kms, self_signed())
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    assert judged(kms, issued(extensions=[(strange, True)])) is INVALID
    assert judged(kms, issued(extensions=[(strange, False)])) is VALID


SHA_1_ROOT = b64decode(
    "MIIBWzCCAQKgAwIBAgIBATAKBggqhkjOPQQDAjAMMQowCAYDVQQDDAFyMCAXDTI2MTEyNzAxMjI0MFoYDzIxMjYxMTAzMDEy"
    "MjQwWjAMMQowCAYDVQQDDAFyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9kwYGCe8s1tXssm2gfNVwFx+XumjX0gNlPZD"
    "rQwCqpFuN2gE4M/EbtogK/x1HBnivSL5XYKqibGs7ng8OGc/cKNTMFEwHQYDVR0OBBYEFCypAOSOkOnhOBgLh6Y3O4A0/EpN"
    "MB8GA1UdIwQYMBaAFCypAOSOkOnhOBgLh6Y3O4A0/EpNMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgL9Z5"
    "Jtj2aR4cuQfndeACRpfNcvrS6FylgoRGHR/WoG0CIA4UOa7eFVHJExX1V/mRxZ66SCKM7CXFGjflTZeo74qC"
)
SHA_1_LEAF = b64decode(
    "MIIBADCBpwIBAjAJBgcqhkjOPQQBMAwxCjAIBgNVBAMMAXIwIBcNMjYxMTI3MDEyMjQwWhgPMjEyNjExMDMwMTIyNDBaMAwx"
    "CjAIBgNVBAMMAWwwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASGpyfH7SnSzBdTyLrkZg3J0NWZDWBt6lAqcnTSvKmQxKIF"
    "3RXI1YKdSkyfiseK65ncf90+X3lwGVLD9f4nd0NXMAkGByqGSM49BAEDSQAwRgIhALkkuNg1lf8xT2aEBLuNLiMp2NUEFHS7"
    "Sf1Ntj0rIFZFAiEAwXFjirqahUUjKxqjWMxlJ+Cpn52MRn5i944rHP57MTE="
)
"""A root and what it signed with SHA-1, made with OpenSSL 3.0, since the library refuses to."""


def test_a_signature_over_sha_1_proves_nothing(kms: TestKms) -> None:
    root, old = (
        Certificate(certificate_type=CertificateType.X_509, certificate_value=value)
        for value in (SHA_1_ROOT, SHA_1_LEAF)
    )
    kms.clock.pass_time(days=400)
    register(kms, root)
    assert judged(kms, old) is UNKNOWN


def test_a_path_of_more_than_ten_certificates_is_unknown(kms: TestKms) -> None:
    register(kms, self_signed())
    chain, above = [], ("outside", KEY)
    for number in range(12):
        own = ec.derive_private_key(100 + number, ec.SECP256R1())
        chain.append(self_signed(f"ca {number}", key=own, issuer=above))
        above = (f"ca {number}", own)
    assert judged(kms, *chain[:9]) is VALID
    assert judged(kms, *chain) is UNKNOWN


def test_certificates_that_are_no_chain_are_an_invalid_message(kms: TestKms, root: Authority) -> None:
    """KMIP 1.4 §11.25."""
    assert_refused(kms, ValidateRequest(), MESSAGE, MESSAGE)
    two = chain_request(leaf(kms, root), leaf(kms, root))
    assert_refused(kms, two, MESSAGE, MESSAGE)
    a, b = self_signed("a", issuer=("b", OTHER)), self_signed("b", key=OTHER, issuer=("a", KEY))
    assert_refused(kms, chain_request(a, b), MESSAGE, MESSAGE)
    assert_refused(kms, chain_request(*[self_signed(f"c{i}") for i in range(33)]), MESSAGE, MESSAGE)


@pytest.mark.parametrize("bad", [b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", bytes(100_000), b"-----BEGIN"])
def test_what_is_no_certificate_is_an_invalid_field(kms: TestKms, bad: bytes) -> None:
    value = Certificate(certificate_type=CertificateType.X_509, certificate_value=bad)
    assert_refused(kms, chain_request(value), FIELD, FIELD)


def test_other_objects_are_refused(kms: TestKms, root: Authority) -> None:
    for identifier in (key(kms), root.public):
        assert_refused(kms, chain_request(identifier), MESSAGE, ResultReason.INVALID_OBJECT_TYPE)


def test_unknown_and_foreign_certificates_are_not_found(kms: TestKms, root: Authority) -> None:
    """The table of 1.x has no reason for them but that the list is none."""
    missing = ResultReason.OBJECT_NOT_FOUND
    assert_refused(kms, chain_request(MISSING), MESSAGE, missing)
    assert_refused(kms, chain_request(root.certificate), MESSAGE, missing, caller=BOB)


def test_archived_and_destroyed_certificates_are_refused(kms: TestKms, root: Authority) -> None:
    archived, destroyed = leaf(kms, root), leaf(kms, root)
    kms.call(ArchiveRequest(unique_identifier=archived))
    kms.call(DestroyRequest(unique_identifier=destroyed))
    reason = ResultReason.OBJECT_ARCHIVED
    assert_refused(kms, chain_request(archived), reason, reason)
    assert_refused(kms, chain_request(destroyed), MESSAGE, ResultReason.OBJECT_DESTROYED)


def test_pgp_certificates_are_not_validated(kms: TestKms) -> None:
    pgp = Certificate(certificate_type=CertificateType.PGP, certificate_value=b"anything")
    assert refusal(kms, chain_request(pgp), version=V2_1).reason is FIELD
