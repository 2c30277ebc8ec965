"""What certificates and certificate requests tell."""

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from strongroom.crypto import openpgp
from strongroom.crypto.certificates.contents import MAXIMUM_PARTS
from strongroom.crypto.certificates.names import MAXIMUM_ALTERNATIVE_NAMES
from strongroom.crypto.cryptographer import Cryptographer
from strongroom.domain.crypto import ObjectFacts
from strongroom.domain.errors import InvalidField, ServerLimitExceeded
from strongroom.model.objects import Certificate, CertificateRequest
from strongroom.model.structures import (
    CertificateIdentifier,
    CertificateIssuer,
    CertificateSubject,
    X509CertificateIdentifier,
    X509CertificateIssuer,
    X509CertificateSubject,
)
from strongroom.registry import CertificateRequestType, CertificateType, Tag
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import DigitalSignatureAlgorithm as Signature
from tests.unit.crypto.build import Pairs

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ISSUER = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "AU"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Kmip Test"),
        x509.NameAttribute(NameOID.COMMON_NAME, "Inter"),
    ]
)
SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CH"),
        x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Bern"),
        x509.NameAttribute(NameOID.LOCALITY_NAME, "Thun"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Keys"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Locks"),
        x509.NameAttribute(NameOID.TITLE, "Dr"),
        x509.NameAttribute(NameOID.SERIAL_NUMBER, "17"),
        x509.NameAttribute(NameOID.DN_QUALIFIER, "one"),
        x509.NameAttribute(NameOID.USER_ID, "jane"),
        x509.NameAttribute(NameOID.EMAIL_ADDRESS, "jane@example.org"),
        x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "example"),
        x509.NameAttribute(NameOID.PSEUDONYM, "nobody asks"),
        x509.NameAttribute(NameOID.COMMON_NAME, "Jane"),
    ]
)
NAMES: list[x509.GeneralName] = [
    x509.DNSName("keys.example.org"),
    x509.RFC822Name("jane@example.org"),
    x509.UniformResourceIdentifier("https://example.org/"),
    x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
    x509.DirectoryName(ISSUER),
    x509.RegisteredID(ObjectIdentifier("1.2.3.4")),
    x509.OtherName(ObjectIdentifier("1.2.3.5"), bytes.fromhex("0c0178")),
]


def made(
    pairs: Pairs,
    name: str = "p256",
    *,
    subject: x509.Name = SUBJECT,
    serial: int = 0x3132333435363738,
    extensions: tuple[x509.ExtensionType, ...] = (),
    pss: bool = False,
) -> bytes:
    """Return a certificate for a key, signed by that key itself."""
    key = pairs[name]
    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ISSUER)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    signed_with = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    pss_padding = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if pss else None
    return builder.sign(key, signed_with, rsa_padding=pss_padding).public_bytes(Encoding.DER)


async def facts_of(crypto: Cryptographer, value: bytes) -> ObjectFacts:
    return await crypto.examine(Certificate(certificate_type=CertificateType.X_509, certificate_value=value))


def values(facts: ObjectFacts, tag: Tag) -> list[object]:
    return [a.value for a in facts.attributes if a.key is tag]


async def test_a_certificate_tells_type_length_and_who_is_who(crypto: Cryptographer, pairs: Pairs) -> None:
    """The forms of OASIS TC-CERTATTR-1: serial numbers as DER and in hexadecimal, names by RFC 4514."""
    value = made(pairs)
    facts = await facts_of(crypto, value)
    assert (facts.cryptographic_algorithm, facts.cryptographic_length) == (Algorithm.EC, 256)
    assert values(facts, Tag.CERTIFICATE_TYPE) == [CertificateType.X_509]
    assert values(facts, Tag.CERTIFICATE_LENGTH) == [len(value)]
    assert values(facts, Tag.DIGITAL_SIGNATURE_ALGORITHM) == [Signature.ECDSA_WITH_SHA256]
    issuer = bytes.fromhex(
        "3031310b30090603550406130241553112301006035504"
        "0a0c094b6d69702054657374310e300c06035504030c05496e746572"
    )
    assert values(facts, Tag.X_509_CERTIFICATE_IDENTIFIER) == [
        X509CertificateIdentifier(
            issuer_distinguished_name=issuer, certificate_serial_number=bytes.fromhex("02083132333435363738")
        )
    ]
    assert values(facts, Tag.X_509_CERTIFICATE_ISSUER) == [
        X509CertificateIssuer(issuer_distinguished_name=issuer)
    ]
    assert values(facts, Tag.X_509_CERTIFICATE_SUBJECT) == [
        X509CertificateSubject(subject_distinguished_name=SUBJECT.public_bytes())
    ]
    assert values(facts, Tag.CERTIFICATE_IDENTIFIER) == [
        CertificateIdentifier(issuer="CN=Inter,O=Kmip Test,C=AU", serial_number="3132333435363738")
    ]
    assert values(facts, Tag.CERTIFICATE_ISSUER) == [
        CertificateIssuer(certificate_issuer_distinguished_name="CN=Inter,O=Kmip Test,C=AU")
    ]
    assert values(facts, Tag.CERTIFICATE_SUBJECT) == [
        CertificateSubject(certificate_subject_distinguished_name=SUBJECT.rfc4514_string())
    ]


async def test_parts_of_the_names_are_attributes_of_their_own(crypto: Cryptographer, pairs: Pairs) -> None:
    """KMIP 2.1 §4.6; a part that stands twice has two values."""
    facts = await facts_of(crypto, made(pairs))
    expected = {
        Tag.CERTIFICATE_SUBJECT_CN: ["Jane"],
        Tag.CERTIFICATE_SUBJECT_O: ["Example"],
        Tag.CERTIFICATE_SUBJECT_OU: ["Keys", "Locks"],
        Tag.CERTIFICATE_SUBJECT_EMAIL: ["jane@example.org"],
        Tag.CERTIFICATE_SUBJECT_C: ["CH"],
        Tag.CERTIFICATE_SUBJECT_ST: ["Bern"],
        Tag.CERTIFICATE_SUBJECT_L: ["Thun"],
        Tag.CERTIFICATE_SUBJECT_UID: ["jane"],
        Tag.CERTIFICATE_SUBJECT_SERIAL_NUMBER: ["17"],
        Tag.CERTIFICATE_SUBJECT_TITLE: ["Dr"],
        Tag.CERTIFICATE_SUBJECT_DC: ["example"],
        Tag.CERTIFICATE_SUBJECT_DN_QUALIFIER: ["one"],
        Tag.CERTIFICATE_SUBJECT_DN: [SUBJECT.rfc4514_string()],
        Tag.CERTIFICATE_ISSUER_CN: ["Inter"],
        Tag.CERTIFICATE_ISSUER_O: ["Kmip Test"],
        Tag.CERTIFICATE_ISSUER_OU: [],
        Tag.CERTIFICATE_ISSUER_C: ["AU"],
        Tag.CERTIFICATE_ISSUER_DN: ["CN=Inter,O=Kmip Test,C=AU"],
    }
    assert {tag: values(facts, tag) for tag in expected} == expected


async def test_alternative_names_are_der_in_the_x_509_attributes_and_text_in_the_old_ones(
    crypto: Cryptographer, pairs: Pairs
) -> None:
    extensions = (x509.SubjectAlternativeName(NAMES), x509.IssuerAlternativeName(NAMES[:1]))
    facts = await facts_of(crypto, made(pairs, extensions=extensions))
    (subject,) = values(facts, Tag.X_509_CERTIFICATE_SUBJECT)
    assert isinstance(subject, X509CertificateSubject)
    assert subject.subject_alternative_name[0] == b"\x82\x10keys.example.org"
    assert subject.subject_alternative_name[3] == bytes.fromhex("8704c0000201")
    assert len(subject.subject_alternative_name) == len(NAMES)
    (text,) = values(facts, Tag.CERTIFICATE_SUBJECT)
    assert isinstance(text, CertificateSubject)
    assert text.certificate_subject_alternative_name == (
        "keys.example.org",
        "jane@example.org",
        "https://example.org/",
        "192.0.2.1",
        "CN=Inter,O=Kmip Test,C=AU",
        "1.2.3.4",
        "1.2.3.5:0c0178",
    )
    (issuer,) = values(facts, Tag.X_509_CERTIFICATE_ISSUER)
    assert isinstance(issuer, X509CertificateIssuer)
    assert issuer.issuer_alternative_name == (b"\x82\x10keys.example.org",)


async def test_an_empty_subject_is_an_empty_string(crypto: Cryptographer, pairs: Pairs) -> None:
    """KMIP 1.4 §3.11: allowed where the alternative names are critical."""
    names = (x509.SubjectAlternativeName(NAMES[:1]),)
    facts = await facts_of(crypto, made(pairs, subject=x509.Name([]), extensions=names))
    (subject,) = values(facts, Tag.X_509_CERTIFICATE_SUBJECT)
    assert isinstance(subject, X509CertificateSubject)
    assert subject.subject_distinguished_name == b""


@pytest.mark.parametrize(
    ("serial", "text", "der"), [(1, "01", "020101"), (0xFFF, "0fff", "02020fff"), (255, "ff", "020200ff")]
)
async def test_serial_numbers_come_in_whole_bytes(
    crypto: Cryptographer, pairs: Pairs, serial: int, text: str, der: str
) -> None:
    facts = await facts_of(crypto, made(pairs, serial=serial))
    (identifier,) = values(facts, Tag.CERTIFICATE_IDENTIFIER)
    assert isinstance(identifier, CertificateIdentifier)
    assert identifier.serial_number == text
    (binary,) = values(facts, Tag.X_509_CERTIFICATE_IDENTIFIER)
    assert isinstance(binary, X509CertificateIdentifier)
    assert binary.certificate_serial_number.hex() == der


@pytest.mark.parametrize(
    ("name", "pss", "algorithm", "length", "signature"),
    [
        ("rsa", False, Algorithm.RSA, 2048, [Signature.SHA_256_WITH_RSA_ENCRYPTION]),
        ("rsa", True, Algorithm.RSA, 2048, [Signature.RSASSA_PSS]),
        ("p521", False, Algorithm.EC, 521, [Signature.ECDSA_WITH_SHA256]),
        ("ed25519", False, Algorithm.ED25519, 256, []),
    ],
)
async def test_key_and_signature_are_named_where_kmip_has_a_name(
    crypto: Cryptographer,
    pairs: Pairs,
    name: str,
    pss: bool,
    algorithm: Algorithm,
    length: int,
    signature: list[Signature],
) -> None:
    facts = await facts_of(crypto, made(pairs, name, pss=pss))
    assert (facts.cryptographic_algorithm, facts.cryptographic_length) == (algorithm, length)
    assert values(facts, Tag.DIGITAL_SIGNATURE_ALGORITHM) == signature


async def test_a_damaged_certificate_is_refused(crypto: Cryptographer, pairs: Pairs) -> None:
    good = made(pairs)
    with pytest.raises(InvalidField, match="DER-encoded"):
        await facts_of(crypto, good[:-1])
    with pytest.raises(InvalidField, match="DER-encoded"):
        await facts_of(crypto, good.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020107")))


async def test_what_a_certificate_tells_is_bounded(crypto: Cryptographer, pairs: Pairs) -> None:
    """Each part of a name may become an attribute, and nothing has counted them before."""
    part = x509.NameAttribute(NameOID.COMMON_NAME, "a")
    most = MAXIMUM_PARTS - len(ISSUER)
    names = [x509.DNSName(f"a{number}") for number in range(MAXIMUM_ALTERNATIVE_NAMES + 1)]
    allowed = made(pairs, subject=x509.Name([part] * most), extensions=(_alternative(names[1:]),))
    facts = await facts_of(crypto, allowed)
    assert len(values(facts, Tag.CERTIFICATE_SUBJECT_CN)) == most
    with pytest.raises(ServerLimitExceeded, match="parts"):
        await facts_of(crypto, made(pairs, subject=x509.Name([part] * (most + 1))))
    with pytest.raises(ServerLimitExceeded, match="alternative names"):
        await facts_of(crypto, made(pairs, extensions=(_alternative(names),)))


def _alternative(names: list[x509.DNSName]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(names)


async def test_a_pgp_certificate_tells_type_and_length(
    crypto: Cryptographer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the library that reads it; with it, see test_openpgp.py."""
    monkeypatch.setattr(openpgp, "INSTALLED", False)
    value = Certificate(certificate_type=CertificateType.PGP, certificate_value=b"openpgp")
    facts = await crypto.examine(value)
    assert [(a.key, a.value) for a in facts.attributes] == [
        (Tag.CERTIFICATE_TYPE, CertificateType.PGP),
        (Tag.CERTIFICATE_LENGTH, 7),
    ]


async def test_certificate_requests_are_checked_where_the_library_reads_them(
    crypto: Cryptographer, pairs: Pairs
) -> None:
    key = pairs["p256"]
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    request = x509.CertificateSigningRequestBuilder().subject_name(SUBJECT).sign(key, hashes.SHA256())
    for kind, value, good in (
        (CertificateRequestType.PKCS_10, request.public_bytes(Encoding.DER), True),
        (CertificateRequestType.PKCS_10, request.public_bytes(Encoding.PEM), False),
        (CertificateRequestType.PEM, request.public_bytes(Encoding.PEM), True),
        (CertificateRequestType.PEM, request.public_bytes(Encoding.DER), False),
        (CertificateRequestType.CRMF, b"anything", True),
        (CertificateRequestType.PGP, b"anything", True),
    ):
        it = CertificateRequest(certificate_request_type=kind, certificate_request_value=value)
        if good:
            assert await crypto.examine(it) == ObjectFacts()
        else:
            with pytest.raises(InvalidField, match="certificate request"):
                await crypto.examine(it)
