"""Damaged requests, certificates and revocation lists: refused or judged, never a crash."""

import contextlib
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.crypto.certificates.contents import examine_certificate, examine_request
from strongroom.crypto.certificates.issuing import issue
from strongroom.crypto.certificates.validation import validate
from strongroom.domain.certification import Candidate, CertificateOrder, Issuer
from strongroom.domain.errors import KmipError
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import Certificate, CertificateRequest, PrivateKey
from strongroom.model.secret import SecretBytes
from strongroom.registry import CertificateRequestType, CertificateType, KeyFormatType
from tests.certificates import KEY, csr, name_of, self_signed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = x509.SubjectAlternativeName([x509.DNSName("a.example"), x509.RFC822Name("a@b.example")])
REQUEST = csr((NAMES, False), (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False))
ROOT = self_signed()
LEAF = self_signed("leaf", issuer=("outside", KEY), ca=False, extensions=[(NAMES, False)])
REVOCATIONS = (
    x509.CertificateRevocationListBuilder(
        issuer_name=name_of("outside"), last_update=NOW, next_update=NOW + timedelta(days=1)
    )
    .add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(5).revocation_date(NOW).build())
    .sign(KEY, hashes.SHA256())
    .public_bytes(Encoding.DER)
)
PRIVATE = PrivateKey(
    key_block=KeyBlock(
        key_format_type=KeyFormatType.PKCS_8,
        key_value=KeyValue(
            key_material=SecretBytes(KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
        ),
    )
)

damage = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4)


def damaged(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    changed = bytearray(data)
    for position, value in changes:
        changed[position % len(changed)] = value
    return bytes(changed)


def certificate(data: bytes) -> Certificate:
    return Certificate(certificate_type=CertificateType.X_509, certificate_value=data)


@settings(max_examples=300, deadline=None)
@given(changes=damage)
def test_a_damaged_request_is_refused(changes: list[tuple[int, int]]) -> None:
    value = damaged(REQUEST, changes)
    request = CertificateRequest(
        certificate_request_type=CertificateRequestType.PKCS_10, certificate_request_value=value
    )
    order = CertificateOrder(request=request, name="n", not_before=NOW, lifetime=timedelta(days=1))
    with contextlib.suppress(KmipError):
        examine_request(request)
    with contextlib.suppress(KmipError):
        issue(order, Issuer(private_key=PRIVATE, certificate=ROOT))
        assert value == REQUEST


@settings(max_examples=300, deadline=None)
@given(changes=damage)
def test_a_damaged_certificate_is_refused_or_not_relied_on(changes: list[tuple[int, int]]) -> None:
    for part, whole in ((LEAF, ROOT), (ROOT, LEAF)):
        bad = certificate(damaged(part.certificate_value, changes))
        with contextlib.suppress(KmipError):
            examine_certificate(bad)
        with contextlib.suppress(KmipError):
            chain = [Candidate(certificate=bad, asked=True), Candidate(certificate=whole, asked=True)]
            validate(chain, NOW)
        with contextlib.suppress(KmipError):
            issue(
                CertificateOrder(previous=bad, name="n", not_before=NOW),
                Issuer(private_key=PRIVATE, certificate=bad),
            )


@settings(max_examples=200, deadline=None)
@given(changes=damage)
def test_a_damaged_revocation_list_is_passed_over(changes: list[tuple[int, int]]) -> None:
    lists = (damaged(REVOCATIONS, changes),)
    chain = [
        Candidate(certificate=LEAF, asked=True),
        Candidate(certificate=ROOT, asked=False, trusted=True, revocation_lists=lists),
    ]
    validate(chain, NOW)
