"""Certify: who is certified by whom, and what stands in the certificate."""

import ipaddress
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, x25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strongroom.domain.context import Policy
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import PublicKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import (
    CertificateSubject,
    CryptographicParameters,
    UsageLimits,
    X509CertificateSubject,
)
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.certify import CertifyRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.registry import (
    V1_0,
    V1_1,
    V1_4,
    V2_0,
    V2_1,
    V3_0,
    VERSIONS,
    CertificateRequestType,
    CertificateType,
    CryptographicAlgorithm,
    DigitalSignatureAlgorithm,
    HashingAlgorithm,
    KeyFormatType,
    LinkType,
    ObjectType,
    PaddingMethod,
    ResultReason,
    RevocationReasonCode,
    State,
    Tag,
    UsageLimitsUnit,
    Version,
)
from tests.certificates import (
    KEY,
    SIGNS,
    USE,
    Authority,
    authority,
    csr,
    issued_by,
    link_to,
    load,
    name_of,
    pair,
    private_key,
    public_key,
    request_object,
    self_signed,
    subject,
)
from tests.expect import (
    MISSING,
    assert_refused,
    key,
    mask,
    named,
    refusal,
    registration,
    revoke,
    state_of,
    value,
    values,
)
from tests.kms import BOB, Refused, TestKms, attribute, template

PKCS_10 = CertificateRequestType.PKCS_10
DENIED = ResultReason.PERMISSION_DENIED
FIELD = ResultReason.INVALID_FIELD
CSR = ResultReason.INVALID_CSR


@pytest.fixture
def root(kms: TestKms) -> Authority:
    return authority(kms)


def by_request(root: Authority, value: bytes, *attributes: object, **fields: object) -> CertifyRequest:
    """Return a Certify with a request in it, in the field that each version has for it."""
    return CertifyRequest(
        certificate_request_type=PKCS_10,
        certificate_request=value,
        certificate_request_value=value,
        attributes=template(issued_by(root), *attributes),  # type: ignore[arg-type]
        **fields,  # type: ignore[arg-type]
    )


def issue(kms: TestKms, request: CertifyRequest, version: Version = V2_1) -> x509.Certificate:
    return load(kms, kms.call(request, version=version).unique_identifier)


def extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.ExtensionType:
    return certificate.extensions.get_extension_for_class(kind).value


@pytest.mark.parametrize("version", VERSIONS)
def test_a_public_key_is_certified_in_every_version(kms: TestKms, root: Authority, version: Version) -> None:
    public = pair(kms).public
    wanted = template(
        attribute(Tag.CERTIFICATE_TYPE, CertificateType.X_509),
        attribute(
            Tag.CERTIFICATE_SUBJECT, CertificateSubject(certificate_subject_distinguished_name="CN=web,O=We")
        )
        if version < V2_0
        else attribute(Tag.CERTIFICATE_SUBJECT_CN, "web"),
        link_to(LinkType.CERTIFICATE_LINK, root.certificate)
        if version < V3_0
        else attribute(Tag.CERTIFICATE_LINK, root.certificate),
    )
    made = kms.call(CertifyRequest(unique_identifier=public, attributes=wanted), version=version)
    certificate = load(kms, made.unique_identifier)
    certificate.verify_directly_issued_by(load(kms, root.certificate))
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "web"
    assert state_of(kms, made.unique_identifier) is State.PRE_ACTIVE


@pytest.mark.parametrize("version", [V1_0, V1_1, V1_4])
def test_a_request_in_the_field_of_1_x_is_certified(kms: TestKms, root: Authority, version: Version) -> None:
    request = CertifyRequest(
        certificate_request_type=PKCS_10,
        certificate_request=csr(),
        attributes=template(issued_by(root)),
    )
    assert issue(kms, request, version).subject == name_of("requested")


def test_the_certificate_is_what_its_attributes_say(kms: TestKms, root: Authority) -> None:
    made = kms.call(by_request(root, csr(common_name="here"), named("web"))).unique_identifier
    certificate = load(kms, made)
    assert value(kms, made, Tag.CERTIFICATE_SUBJECT_CN) == "here"
    assert value(kms, made, Tag.CERTIFICATE_ISSUER_CN) == "Root"
    assert value(kms, made, Tag.DIGITAL_SIGNATURE_ALGORITHM) is DigitalSignatureAlgorithm.ECDSA_WITH_SHA256
    assert value(kms, made, Tag.CRYPTOGRAPHIC_LENGTH) == 256
    assert value(kms, made, Tag.CERTIFICATE_LENGTH) == len(certificate.public_bytes(Encoding.DER))
    assert value(kms, made, Tag.DIGEST).digest_value == certificate.fingerprint(hashes.SHA256())
    assert value(kms, made, Tag.NAME).name_value == "web"
    assert value(kms, made, Tag.CRYPTOGRAPHIC_USAGE_MASK) == USE.VERIFY
    identifier = value(kms, made, Tag.CERTIFICATE_IDENTIFIER, version=V1_4)
    assert int(identifier.serial_number, 16) == certificate.serial_number


def test_public_key_and_certificate_are_linked(kms: TestKms, root: Authority) -> None:
    """KMIP 2.1 §6.1.6; a key may have several certificates."""
    public = pair(kms).public
    request = CertifyRequest(unique_identifier=public, attributes=template(issued_by(root)))
    first, second = (kms.call(request).unique_identifier for _ in range(2))
    links = [(ln.link_type, ln.linked_object_identifier) for ln in values(kms, public, Tag.LINK)]
    assert {(LinkType.CERTIFICATE_LINK, first), (LinkType.CERTIFICATE_LINK, second)} < set(links)
    assert {(ln.link_type, ln.linked_object_identifier) for ln in values(kms, second, Tag.LINK)} == {
        (LinkType.PUBLIC_KEY_LINK, public),
        (LinkType.CERTIFICATE_LINK, root.certificate),
    }


def test_the_certificate_is_the_id_placeholder_of_what_follows(kms: TestKms, root: Authority) -> None:
    certified, got = kms.batch(by_request(root, csr()), GetRequest())
    assert isinstance(got, GetResponse)
    assert not isinstance(certified, Refused)
    assert got.unique_identifier == certified.unique_identifier  # type: ignore[attr-defined]


def test_without_an_issuer_a_key_certifies_itself(kms: TestKms) -> None:
    public = pair(kms).public
    certificate = issue(kms, CertifyRequest(unique_identifier=public))
    certificate.verify_directly_issued_by(certificate)
    assert certificate.subject == name_of(public)
    assert not extension(certificate, x509.BasicConstraints).ca  # type: ignore[attr-defined]


def test_the_configured_issuer_is_taken_when_none_is_named(kms: TestKms, root: Authority) -> None:
    other = TestKms(kms.directory, clock=kms.clock, policy=Policy(issuer=root.certificate))
    certificate = issue(other, CertifyRequest(unique_identifier=pair(other).public))
    assert certificate.issuer == name_of("Root")
    other.close()


def test_an_issuer_may_be_linked_to_its_key_directly(kms: TestKms) -> None:
    """A registered authority has no Public Key object in between."""
    private = kms.call(private_key(KEY)).unique_identifier
    kms.call(ActivateRequest(unique_identifier=private))
    certificate = registration(
        ObjectType.CERTIFICATE, self_signed("Bought"), link_to(LinkType.PRIVATE_KEY_LINK, private)
    )
    issuer = kms.call(certificate).unique_identifier
    kms.call(ActivateRequest(unique_identifier=issuer))
    made = issue(
        kms, by_request(Authority(issuer, private, MISSING), csr(key=ec.generate_private_key(ec.SECP256R1())))
    )
    assert made.issuer == name_of("Bought")


def test_a_key_may_be_named_that_the_issuing_certificate_is_not_linked_to(
    kms: TestKms, root: Authority
) -> None:
    wanted = template(issued_by(root), link_to(LinkType.PRIVATE_KEY_LINK, root.private))
    made = kms.call(CertifyRequest(unique_identifier=pair(kms).public, attributes=wanted)).unique_identifier
    load(kms, made).verify_directly_issued_by(load(kms, root.certificate))
    assert LinkType.PRIVATE_KEY_LINK not in {ln.link_type for ln in values(kms, made, Tag.LINK)}


def test_an_authority_below_an_authority_may_issue(kms: TestKms, root: Authority) -> None:
    below = authority(kms, "Below", below=root)
    certificate = issue(kms, by_request(below, csr()))
    certificate.verify_directly_issued_by(load(kms, below.certificate))
    load(kms, below.certificate).verify_directly_issued_by(load(kms, root.certificate))


def test_extensions_are_those_of_rfc_5280(kms: TestKms, root: Authority) -> None:
    certificate = issue(kms, by_request(root, csr()))
    issuer = load(kms, root.certificate)
    assert extension(certificate, x509.BasicConstraints) == x509.BasicConstraints(ca=False, path_length=None)
    assert extension(certificate, x509.KeyUsage).digital_signature  # type: ignore[attr-defined]
    assert extension(certificate, x509.SubjectKeyIdentifier) == x509.SubjectKeyIdentifier.from_public_key(
        KEY.public_key()
    )
    own = extension(issuer, x509.SubjectKeyIdentifier)
    assert isinstance(own, x509.SubjectKeyIdentifier)
    assert extension(
        certificate, x509.AuthorityKeyIdentifier
    ) == x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
    assert 64 < certificate.serial_number.bit_length() < 160
    assert extension(issuer, x509.BasicConstraints).ca  # type: ignore[attr-defined]


def test_what_a_request_asks_for_is_copied_and_takes_precedence(kms: TestKms, root: Authority) -> None:
    names = x509.SubjectAlternativeName(
        [x509.DNSName("a.example"), x509.IPAddress(ipaddress.ip_address("::1"))]
    )
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    extended = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    asked = csr((names, False), (usage, True), (extended, False))
    certificate = issue(kms, by_request(root, asked, subject("attribute"), mask(USE.ENCRYPT)))
    assert certificate.subject == name_of("requested")
    assert extension(certificate, x509.SubjectAlternativeName) == names
    assert extension(certificate, x509.KeyUsage) == usage
    assert extension(certificate, x509.ExtendedKeyUsage) == extended


def test_a_key_without_restrictions_gets_the_usage_of_its_kind(kms: TestKms, root: Authority) -> None:
    """KMIP 2.0 §12.1, Unrestricted; to be an authority has to be asked for all the same."""
    common = template(attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.ECDSA))
    unrestricted = template(mask(USE.UNRESTRICTED))
    made = kms.call(
        CreateKeyPairRequest(common_attributes=common, public_key_attributes=unrestricted), version=V2_1
    )
    request = CertifyRequest(
        unique_identifier=made.public_key_unique_identifier,
        attributes=template(issued_by(root), subject("free")),
    )
    usage = extension(issue(kms, request), x509.KeyUsage)
    assert isinstance(usage, x509.KeyUsage)
    assert usage.digital_signature
    assert not usage.key_cert_sign


def test_key_usage_is_what_the_kind_of_key_can_do(kms: TestKms, root: Authority) -> None:
    """RFC 8410 §5: nothing but Key Agreement for X25519, whatever the mask says."""
    public = public_key(x25519.X25519PrivateKey.generate().public_key())
    request = CertifyRequest(
        unique_identifier=kms.call(public).unique_identifier, attributes=template(issued_by(root))
    )
    usage = extension(issue(kms, request), x509.KeyUsage)
    assert isinstance(usage, x509.KeyUsage)
    assert usage.key_agreement
    assert not usage.digital_signature
    authority_ = request.replace(attributes=template(issued_by(root), mask(SIGNS)))
    assert_refused(kms, authority_, DENIED, DENIED)


@pytest.mark.parametrize(
    "algorithm",
    [CryptographicAlgorithm.ML_DSA_65, CryptographicAlgorithm.ED25519, CryptographicAlgorithm.ED448],
)
def test_keys_without_a_choice_of_hash_issue_too(kms: TestKms, algorithm: CryptographicAlgorithm) -> None:
    root = authority(kms, algorithm=algorithm, length=None, version=V3_0)
    certificate = issue(kms, by_request(root, csr()))
    certificate.verify_directly_issued_by(load(kms, root.certificate))


def test_a_request_without_a_subject_gets_that_of_the_attributes(kms: TestKms, root: Authority) -> None:
    certificate = issue(kms, by_request(root, csr(common_name=""), subject("attribute")))
    assert certificate.subject == name_of("attribute")


def test_alternative_names_alone_are_critical(kms: TestKms, root: Authority) -> None:
    """RFC 5280 §4.2.1.6."""
    names = x509.SubjectAlternativeName([x509.DNSName("a.example")])
    certificate = issue(kms, by_request(root, csr((names, False), common_name="")))
    assert list(certificate.subject) == []
    assert certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical


def test_names_may_come_as_parts_text_or_der(kms: TestKms, root: Authority) -> None:
    whole = x509.Name.from_rfc4514_string("CN=web,O=We,C=AU")
    names = x509.SubjectAlternativeName([x509.DNSName("a.example"), x509.RFC822Name("a@b.example")])
    forms = {
        V2_1: [
            subject("web"),
            attribute(Tag.CERTIFICATE_SUBJECT_C, "AU"),
            attribute(Tag.CERTIFICATE_SUBJECT_O, "We"),
        ],
        V1_0: [
            attribute(
                Tag.CERTIFICATE_SUBJECT,
                CertificateSubject(
                    certificate_subject_distinguished_name="CN=web,O=We,C=AU",
                    certificate_subject_alternative_name=("a.example", "a@b.example"),
                ),
            )
        ],
        V1_1: [
            attribute(
                Tag.X_509_CERTIFICATE_SUBJECT,
                X509CertificateSubject(
                    subject_distinguished_name=whole.public_bytes(),
                    subject_alternative_name=(b"\x82\x09a.example", b"\x81\x0ba@b.example"),
                ),
            )
        ],
        V3_0: [attribute(Tag.CERTIFICATE_SUBJECT_DN, "CN=web,O=We,C=AU")],
    }
    for version, attributes in forms.items():
        wanted = template(*attributes)
        certificate = issue(
            kms, CertifyRequest(unique_identifier=pair(kms).public, attributes=wanted), version
        )
        assert certificate.subject == whole, version
        if version < V2_0:
            assert extension(certificate, x509.SubjectAlternativeName) == names


@pytest.mark.parametrize(
    "wanted",
    [
        attribute(Tag.CERTIFICATE_SUBJECT_C, "Australia"),
        attribute(Tag.CERTIFICATE_SUBJECT_CN, ""),
        attribute(
            Tag.X_509_CERTIFICATE_SUBJECT, X509CertificateSubject(subject_distinguished_name=b"\x30\x03\x02")
        ),
        attribute(
            Tag.X_509_CERTIFICATE_SUBJECT,
            X509CertificateSubject(subject_distinguished_name=b"", subject_alternative_name=(b"\xa0\x00",)),
        ),
        attribute(Tag.CRYPTOGRAPHIC_LENGTH, 1024),
        attribute(Tag.CERTIFICATE_ISSUER_CN, "me"),
    ],
)
def test_attributes_that_cannot_be_are_refused(kms: TestKms, root: Authority, wanted: object) -> None:
    request = CertifyRequest(unique_identifier=root.public, attributes=template(issued_by(root), wanted))  # type: ignore[arg-type]
    assert refusal(kms, request, version=V2_1).reason is FIELD


def test_dates_of_the_request_are_those_of_the_certificate(kms: TestKms, root: Authority) -> None:
    start, end = kms.clock.now() + timedelta(days=1), kms.clock.now() + timedelta(days=30)
    dates = (attribute(Tag.ACTIVATION_DATE, start), attribute(Tag.DEACTIVATION_DATE, end))
    made = kms.call(by_request(root, csr(), *dates)).unique_identifier
    certificate = load(kms, made)
    assert (certificate.not_valid_before_utc, certificate.not_valid_after_utc) == (start, end)
    kms.clock.pass_time(days=2)
    assert state_of(kms, made) is State.ACTIVE


def test_a_certificate_never_outlasts_its_issuer(kms: TestKms, root: Authority) -> None:
    kms.clock.pass_time(days=100)
    certificate = issue(kms, by_request(root, csr()))
    end = load(kms, root.certificate).not_valid_after_utc
    assert certificate.not_valid_after_utc == end
    too_late = attribute(Tag.DEACTIVATION_DATE, end + timedelta(days=1))
    assert_refused(
        kms,
        CertifyRequest(unique_identifier=root.public, attributes=template(issued_by(root), too_late)),
        FIELD,
        FIELD,
    )


@pytest.mark.parametrize(
    ("algorithm", "length", "hashing"),
    [
        (CryptographicAlgorithm.RSA, 2048, hashes.SHA256),
        (CryptographicAlgorithm.ECDSA, 384, hashes.SHA384),
        (CryptographicAlgorithm.ECDSA, 521, hashes.SHA512),
    ],
)
def test_the_signature_suits_the_issuing_key(
    kms: TestKms, algorithm: CryptographicAlgorithm, length: int, hashing: type[hashes.HashAlgorithm]
) -> None:
    root = authority(kms, algorithm=algorithm, length=length)
    certificate = issue(kms, by_request(root, csr()))
    assert isinstance(certificate.signature_hash_algorithm, hashing)
    certificate.verify_directly_issued_by(load(kms, root.certificate))


def test_an_ed25519_key_issues(kms: TestKms) -> None:
    key_ = ed25519.Ed25519PrivateKey.generate()
    private = kms.call(private_key(key_)).unique_identifier
    kms.call(ActivateRequest(unique_identifier=private))
    public = kms.call(public_key(key_.public_key())).unique_identifier
    kms.call(
        AddAttributeRequest(
            unique_identifier=public, new_attribute=link_to(LinkType.PRIVATE_KEY_LINK, private)
        )
    )
    certificate = issue(kms, CertifyRequest(unique_identifier=public, attributes=template(subject("Ed"))))
    assert certificate.signature_hash_algorithm is None
    certificate.verify_directly_issued_by(certificate)


def test_the_request_chooses_the_signature_algorithm(kms: TestKms) -> None:
    root = authority(kms, algorithm=CryptographicAlgorithm.RSA, length=2048)
    wanted = DigitalSignatureAlgorithm.SHA_512_WITH_RSA_ENCRYPTION
    made = kms.call(
        by_request(root, csr(), attribute(Tag.DIGITAL_SIGNATURE_ALGORITHM, wanted))
    ).unique_identifier
    assert value(kms, made, Tag.DIGITAL_SIGNATURE_ALGORITHM) is wanted
    pss = issue(
        kms,
        by_request(
            root, csr(), attribute(Tag.DIGITAL_SIGNATURE_ALGORITHM, DigitalSignatureAlgorithm.RSASSA_PSS)
        ),
    )
    assert isinstance(pss.signature_algorithm_parameters, padding.PSS)
    pss.verify_directly_issued_by(load(kms, root.certificate))
    for refused in (
        DigitalSignatureAlgorithm.SHA_1_WITH_RSA_ENCRYPTION,
        DigitalSignatureAlgorithm.ECDSA_WITH_SHA256,
    ):
        request = CertifyRequest(
            unique_identifier=root.public,
            attributes=template(issued_by(root), attribute(Tag.DIGITAL_SIGNATURE_ALGORITHM, refused)),
        )
        assert_refused(kms, request, FIELD, FIELD, since=V1_1)


def test_the_parameters_of_the_issuing_key_count_when_the_request_is_silent(kms: TestKms) -> None:
    root = authority(kms, algorithm=CryptographicAlgorithm.RSA, length=2048)
    parameters = CryptographicParameters(
        padding_method=PaddingMethod.PSS, hashing_algorithm=HashingAlgorithm.SHA_384
    )
    kms.call(
        AddAttributeRequest(
            unique_identifier=root.private, new_attribute=attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, parameters)
        )
    )
    certificate = issue(kms, by_request(root, csr()))
    assert isinstance(certificate.signature_algorithm_parameters, padding.PSS)
    assert isinstance(certificate.signature_hash_algorithm, hashes.SHA384)


def test_a_certificate_request_object_is_certified(kms: TestKms, root: Authority) -> None:
    """KMIP 2.0 §6.1.6."""
    stored = kms.call(request_object(csr(common_name="stored")), version=V2_1).unique_identifier
    request = CertifyRequest(unique_identifier=stored, attributes=template(issued_by(root)))
    made = kms.call(request, version=V2_0).unique_identifier
    assert load(kms, made).subject == name_of("stored")
    assert value(kms, made, Tag.CERTIFICATE_REQUEST_LINK, version=V3_0) == stored


def test_a_pem_request_is_read(kms: TestKms, root: Authority) -> None:
    pem = CertificateRequestType.PEM
    request = by_request(root, csr(encoding=Encoding.PEM)).replace(certificate_request_type=pem)
    assert issue(kms, request).subject == name_of("requested")


def test_a_request_is_of_the_public_key_it_is_sent_for(kms: TestKms, root: Authority) -> None:
    public = kms.call(public_key(KEY.public_key())).unique_identifier
    made = kms.call(by_request(root, csr(), unique_identifier=public)).unique_identifier
    assert LinkType.PUBLIC_KEY_LINK in {ln.link_type for ln in values(kms, made, Tag.LINK)}
    other = by_request(root, csr(), unique_identifier=pair(kms).public)
    assert_refused(kms, other, FIELD, CSR)


def broken_signature() -> bytes:
    data = bytearray(csr())
    data[40] ^= 1  # inside the subject's common name
    return bytes(data)


@pytest.mark.parametrize(
    "bad",
    [
        b"\x30",
        b"\x00" * 100,
        b"\x30\x82\xff\xff" + b"\x00" * 20,
        broken_signature(),
        csr() + b"\x00",
        csr((x509.BasicConstraints(ca=True, path_length=None), True)),
        csr((x509.SubjectAlternativeName([x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))]), False)),
        csr((x509.SubjectAlternativeName([x509.DNSName(f"n{i}.example") for i in range(101)]), False)),
        csr((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)),
        csr(encoding=Encoding.PEM),
        bytes(70_000),
    ],
    ids=[
        "cut",
        "zeros",
        "too long",
        "signature",
        "trailing",
        "authority",
        "registered",
        "many",
        "critical",
        "pem",
        "huge",
    ],
)
def test_a_request_that_is_none_is_refused(kms: TestKms, root: Authority, bad: bytes) -> None:
    assert_refused(kms, by_request(root, bad), FIELD, CSR)


def test_types_of_request_that_are_not_read_are_features_not_supported(kms: TestKms, root: Authority) -> None:
    request = by_request(root, csr()).replace(certificate_request_type=CertificateRequestType.CRMF)
    reason = ResultReason.FEATURE_NOT_SUPPORTED
    assert_refused(kms, request, reason, reason, outside_table=True)
    pgp = request.replace(certificate_request_type=CertificateRequestType.PGP)
    assert refusal(kms, pgp, version=V1_4).reason is reason
    untyped = request.replace(certificate_request_type=None)
    assert_refused(kms, untyped, FIELD, FIELD)


def test_pgp_certificates_are_not_issued(kms: TestKms, root: Authority) -> None:
    wanted = attribute(Tag.CERTIFICATE_TYPE, CertificateType.PGP)
    request = CertifyRequest(unique_identifier=root.public, attributes=template(wanted))
    reason = ResultReason.FEATURE_NOT_SUPPORTED
    assert_refused(kms, request, reason, reason, outside_table=True)


def test_an_unknown_key_and_another_clients_key_are_not_found(kms: TestKms, root: Authority) -> None:
    item = ResultReason.ITEM_NOT_FOUND
    assert_refused(kms, CertifyRequest(unique_identifier=MISSING), item, item)
    assert_refused(kms, CertifyRequest(unique_identifier=root.public), item, item, caller=BOB)
    assert_refused(kms, CertifyRequest(), item, item)


def test_another_clients_authority_does_not_issue(kms: TestKms, root: Authority) -> None:
    public = pair(kms, caller=BOB).public
    item = ResultReason.ITEM_NOT_FOUND
    request = CertifyRequest(unique_identifier=public, attributes=template(issued_by(root)))
    assert_refused(kms, request, item, item, caller=BOB)


def test_only_public_keys_and_certificate_requests_are_certified(kms: TestKms, root: Authority) -> None:
    for identifier in (key(kms), root.private, root.certificate):
        request = CertifyRequest(unique_identifier=identifier, attributes=template(issued_by(root)))
        assert_refused(kms, request, DENIED, ResultReason.INVALID_OBJECT_TYPE)


def test_a_retired_key_is_not_certified(kms: TestKms, root: Authority) -> None:
    public = pair(kms).public
    kms.call(revoke(public, RevocationReasonCode.KEY_COMPROMISE))
    request = CertifyRequest(unique_identifier=public, attributes=template(issued_by(root)))
    assert_refused(kms, request, DENIED, DENIED)


def test_an_archived_and_a_destroyed_key_are_not_certified(kms: TestKms, root: Authority) -> None:
    public = pair(kms).public
    request = CertifyRequest(unique_identifier=public, attributes=template(issued_by(root)))
    kms.call(ArchiveRequest(unique_identifier=public))
    assert_refused(kms, request, ResultReason.OBJECT_ARCHIVED, ResultReason.OBJECT_ARCHIVED)
    gone = pair(kms).public
    kms.call(DestroyRequest(unique_identifier=gone))
    assert_refused(
        kms,
        CertifyRequest(unique_identifier=gone),
        ResultReason.ITEM_NOT_FOUND,
        ResultReason.OBJECT_DESTROYED,
    )


def test_nobody_to_issue_is_refused(kms: TestKms) -> None:
    request = CertifyRequest(
        certificate_request_type=PKCS_10, certificate_request=csr(), certificate_request_value=csr()
    )
    assert_refused(kms, request, DENIED, DENIED)


def test_an_issuing_key_is_used_like_any_other_key(kms: TestKms) -> None:
    """State, mask and usage limits: KMIP 2.1 §4.17, §4.57, §4.59."""
    root = authority(kms)
    request = by_request(root, csr())
    kms.call(revoke(root.private))
    assert_refused(kms, request, DENIED, DENIED)
    without_mask = pair(kms, usage=USE.DECRYPT)
    assert_refused(kms, CertifyRequest(unique_identifier=without_mask.public), DENIED, DENIED)
    inactive = pair(kms, usage=SIGNS, active=False)
    assert_refused(kms, CertifyRequest(unique_identifier=inactive.public), DENIED, DENIED)


def test_certifying_counts_against_the_usage_limits_of_the_issuing_key(kms: TestKms, root: Authority) -> None:
    limits = UsageLimits(usage_limits_total=1, usage_limits_count=1, usage_limits_unit=UsageLimitsUnit.OBJECT)
    kms.call(
        AddAttributeRequest(unique_identifier=root.private, new_attribute=attribute(Tag.USAGE_LIMITS, limits))
    )
    kms.call(by_request(root, csr()))
    assert_refused(kms, by_request(root, csr()), DENIED, DENIED)


def test_certifying_spends_the_bytes_of_the_certificate(kms: TestKms, root: Authority) -> None:
    limits = UsageLimits(
        usage_limits_total=9000, usage_limits_count=9000, usage_limits_unit=UsageLimitsUnit.BYTE
    )
    kms.call(
        AddAttributeRequest(unique_identifier=root.private, new_attribute=attribute(Tag.USAGE_LIMITS, limits))
    )
    certificate = issue(kms, by_request(root, csr()))
    spent = 9000 - value(kms, root.private, Tag.USAGE_LIMITS).usage_limits_count
    assert spent == len(certificate.public_bytes(Encoding.DER))


def test_a_key_that_only_signs_data_certifies_itself_but_nobody_else(kms: TestKms, root: Authority) -> None:
    other = pair(kms, usage=USE.SIGN)
    wanted = template(issued_by(root), link_to(LinkType.PRIVATE_KEY_LINK, other.private))
    assert_refused(kms, CertifyRequest(unique_identifier=other.public, attributes=wanted), DENIED, DENIED)


def test_an_issuing_certificate_is_an_active_current_authority_with_the_key(
    kms: TestKms, root: Authority
) -> None:
    leaf = kms.call(CertifyRequest(unique_identifier=root.public, attributes=template(subject("leaf"))))
    as_issuer = Authority(leaf.unique_identifier, root.private, root.public)
    assert_refused(kms, by_request(as_issuer, csr()), DENIED, DENIED)  # Pre-Active
    kms.call(ActivateRequest(unique_identifier=leaf.unique_identifier))
    assert_refused(kms, by_request(as_issuer, csr()), DENIED, DENIED)  # no authority
    other = pair(kms, usage=SIGNS)
    wrong_key = (link_to(LinkType.PRIVATE_KEY_LINK, other.private),)
    assert_refused(kms, by_request(root, csr(), *wrong_key), DENIED, DENIED)
    kms.clock.pass_time(days=400)
    assert_refused(kms, by_request(root, csr()), DENIED, DENIED)  # out of date


def test_a_path_length_of_zero_allows_no_authority_below(kms: TestKms) -> None:
    private = kms.call(private_key(KEY)).unique_identifier
    kms.call(ActivateRequest(unique_identifier=private))
    bought = self_signed("Short", path_length=0)
    issuer = kms.call(
        registration(ObjectType.CERTIFICATE, bought, link_to(LinkType.PRIVATE_KEY_LINK, private))
    ).unique_identifier
    kms.call(ActivateRequest(unique_identifier=issuer))
    short = Authority(issuer, private, MISSING)
    kms.call(by_request(short, csr()))
    assert_refused(kms, by_request(short, csr(), mask(SIGNS)), DENIED, DENIED)


def test_a_public_key_in_a_form_that_cannot_be_read_is_not_certified(kms: TestKms, root: Authority) -> None:
    block = KeyBlock(
        key_format_type=KeyFormatType.OPAQUE, key_value=KeyValue(key_material=SecretBytes(b"opaque"))
    )
    request = registration(ObjectType.PUBLIC_KEY, PublicKey(key_block=block), mask(USE.VERIFY))
    identifier = kms.call(request).unique_identifier
    certify = CertifyRequest(unique_identifier=identifier, attributes=template(issued_by(root)))
    assert_refused(kms, certify, DENIED, DENIED)
