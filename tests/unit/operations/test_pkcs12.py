"""PKCS#12 on Register and Get (KMIP 1.4 §3.45 and §4.11, 2.1 §4.39 and §6.1.19)."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    load_pkcs12,
    serialize_key_and_certificates,
)

from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import Certificate, PrivateKey, SecretData
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicDomainParameters, Link, UsageLimits
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.register import RegisterRequest
from strongroom.registry import (
    V1_4,
    CertificateType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    LinkType,
    ObjectType,
    RecommendedCurve,
    ResultReason,
    SecretDataType,
    Tag,
    UsageLimitsUnit,
)
from tests.expect import (
    MISSING,
    assert_refused,
    key,
    key_pair,
    mask,
    password,
    refusal,
    registration,
    value,
)
from tests.kms import BOB, Refused, TestKms, attribute

PASSWORD = b"correct horse"
DAY = datetime(2025, 1, 1, tzinfo=UTC)


class Chain(NamedTuple):
    """A key, its certificate and that of its issuer, as DER."""

    key: ec.EllipticCurvePrivateKey
    own: x509.Certificate
    issuer: x509.Certificate


def certificate(subject: str, key_: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey) -> Any:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    start = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name("issuer"))
    dated = start.not_valid_before(DAY).not_valid_after(DAY + timedelta(days=9999))
    return dated.public_key(key_.public_key()).serial_number(7).sign(by, hashes.SHA256())


@pytest.fixture(scope="module")
def chain() -> Chain:
    own, issuer = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    return Chain(own, certificate("own", own, issuer), certificate("issuer", issuer, issuer))


def der(of: x509.Certificate) -> bytes:
    return of.public_bytes(Encoding.DER)


def container(chain: Chain, *, name: bytes | None = b"mine", secret: bytes = PASSWORD) -> bytes:
    encryption = BestAvailableEncryption(secret)
    return serialize_key_and_certificates(name, chain.key, chain.own, [chain.issuer], encryption)


def private(material: bytes, key_format: KeyFormatType = KeyFormatType.PKCS_12) -> PrivateKey:
    return PrivateKey(
        key_block=KeyBlock(key_format_type=key_format, key_value=KeyValue(key_material=SecretBytes(material)))
    )


def link(link_type: LinkType, target: str) -> AttributeInstance:
    return attribute(Tag.LINK, Link(link_type=link_type, linked_object_identifier=UniqueIdentifier(target)))


def add_link(kms: TestKms, identifier: UniqueIdentifier, link_type: LinkType, target: str) -> None:
    kms.call(AddAttributeRequest(unique_identifier=identifier, new_attribute=link(link_type, target)))


def register_secret(kms: TestKms, value_: SecretData, *, active: bool = True) -> UniqueIdentifier:
    dates = [attribute(Tag.ACTIVATION_DATE, kms.clock.now())] if active else []
    request = registration(ObjectType.SECRET_DATA, value_, mask(CryptographicUsageMask.DERIVE_KEY), *dates)
    return kms.call(request).unique_identifier


def with_password(kms: TestKms, material: bytes, *attributes: AttributeInstance) -> RegisterRequest:
    secret = register_secret(kms, password(PASSWORD))
    return registration(
        ObjectType.PRIVATE_KEY,
        private(material),
        mask(CryptographicUsageMask.SIGN),
        link(LinkType.PKCS_12_PASSWORD_LINK, secret),
        *attributes,
    )


def get(kms: TestKms, identifier: UniqueIdentifier, key_format: KeyFormatType | None) -> KeyBlock:
    request = GetRequest(unique_identifier=identifier, key_format_type=key_format)
    got: Any = kms.call(request).managed_object
    block: KeyBlock = got.key_block
    return block


def material(block: KeyBlock) -> bytes:
    assert isinstance(block.key_value, KeyValue)
    assert isinstance(block.key_value.key_material, SecretBytes)
    return block.key_value.key_material.reveal()


def pkcs_8(key_: ec.EllipticCurvePrivateKey) -> bytes:
    return key_.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def test_a_registered_container_tells_what_is_in_it(kms: TestKms, chain: Chain) -> None:
    """KMIP 2.1 §4.39: the server records the name it finds."""
    made = kms.call(with_password(kms, container(chain))).unique_identifier
    assert value(kms, made, Tag.CRYPTOGRAPHIC_ALGORITHM) is CryptographicAlgorithm.EC
    assert value(kms, made, Tag.CRYPTOGRAPHIC_LENGTH) == 256
    assert value(kms, made, Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS) == CryptographicDomainParameters(
        recommended_curve=RecommendedCurve.P_256
    )
    assert value(kms, made, Tag.PKCS_12_FRIENDLY_NAME) == "mine"


def test_a_registered_container_comes_back_byte_for_byte(kms: TestKms, chain: Chain) -> None:
    """KMIP 2.1 §6.1.19: in the same format that was used when the key was registered."""
    sent = container(chain)
    made = kms.call(with_password(kms, sent)).unique_identifier
    for key_format in (None, KeyFormatType.PKCS_12):
        assert material(get(kms, made, key_format)) == sent


def test_a_registered_container_is_opened_for_other_formats(kms: TestKms, chain: Chain) -> None:
    made = kms.call(with_password(kms, container(chain))).unique_identifier
    assert material(get(kms, made, KeyFormatType.PKCS_8)) == pkcs_8(chain.key)


@pytest.mark.parametrize(("name", "accepted"), [("mine", True), ("MINE", True), ("other", False)])
def test_the_name_in_the_request_is_that_of_the_key(
    kms: TestKms, chain: Chain, name: str, *, accepted: bool
) -> None:
    """KMIP 2.1 §4.39: the alias under which the private key shall be found, whatever its case."""
    request = with_password(kms, container(chain), attribute(Tag.PKCS_12_FRIENDLY_NAME, name))
    if accepted:
        assert value(kms, kms.call(request).unique_identifier, Tag.PKCS_12_FRIENDLY_NAME) == name
    else:
        assert_refused(kms, request, *[ResultReason.INVALID_FIELD] * 2, since=V1_4)


def test_a_container_without_a_name_has_none(kms: TestKms, chain: Chain) -> None:
    made = kms.call(with_password(kms, container(chain, name=None))).unique_identifier
    assert value(kms, made, Tag.PKCS_12_FRIENDLY_NAME) is None


@pytest.mark.parametrize("case", ["wrong password", "damaged", "no container", "no key"])
def test_what_does_not_open_is_refused_without_saying_why(kms: TestKms, chain: Chain, case: str) -> None:
    sent = {
        "wrong password": container(chain, secret=b"another"),
        "damaged": container(chain)[:200] + bytes(8) + container(chain)[208:],
        "no container": b"0",
        "no key": serialize_key_and_certificates(
            None, None, chain.own, None, BestAvailableEncryption(PASSWORD)
        ),
    }[case]
    request = with_password(kms, sent)
    assert_refused(kms, request, *[ResultReason.INVALID_FIELD] * 2, since=V1_4)
    assert "does not open" in refusal(kms, request).message


def test_a_false_declaration_is_refused(kms: TestKms, chain: Chain) -> None:
    false = attribute(Tag.CRYPTOGRAPHIC_LENGTH, 384)
    request = with_password(kms, container(chain), false)
    assert_refused(kms, request, *[ResultReason.INVALID_FIELD] * 2, since=V1_4)


def targets(kms: TestKms) -> dict[str, list[str]]:
    """Return what a container's password links lead to in each case that is wrong."""
    good = register_secret(kms, password(PASSWORD))
    seed = password(PASSWORD).replace(secret_data_type=SecretDataType.SEED)
    theirs = kms.call(registration(ObjectType.SECRET_DATA, password(PASSWORD)), caller=BOB).unique_identifier
    return {
        "none": [],
        "two": [good, register_secret(kms, password(PASSWORD))],
        "missing": [MISSING],
        "another client's": [theirs],
        "not Secret Data": [key(kms)],
        "not a password": [register_secret(kms, seed)],
        "not Active": [register_secret(kms, password(PASSWORD), active=False)],
    }


CASES = ["none", "two", "missing", "another client's", "not Secret Data", "not a password", "not Active"]


@pytest.mark.parametrize("case", CASES)
def test_a_container_needs_one_active_password(kms: TestKms, chain: Chain, case: str) -> None:
    """KMIP 1.4 §11.3: Invalid Field; 2.1 §11.46: Bad Password."""
    links = [link(LinkType.PKCS_12_PASSWORD_LINK, target) for target in targets(kms)[case]]
    request = registration(ObjectType.PRIVATE_KEY, private(container(chain)), *links)
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.BAD_PASSWORD, since=V1_4)


@pytest.mark.parametrize("case", CASES)
def test_a_container_is_made_under_one_active_password(kms: TestKms, case: str) -> None:
    """KMIP 2.1 §6.1.19; the tables of Get have no Bad Password."""
    made, _ = key_pair(kms)
    for target in targets(kms)[case]:
        add_link(kms, made, LinkType.PKCS_12_PASSWORD_LINK, target)
    request = GetRequest(unique_identifier=made, key_format_type=KeyFormatType.PKCS_12)
    assert_refused(kms, request, *[ResultReason.INVALID_FIELD] * 2, since=V1_4)


def registered(kms: TestKms, chain: Chain) -> dict[str, UniqueIdentifier]:
    """Return the objects of a chain, which is not linked yet."""

    def register_certificate(of: x509.Certificate) -> UniqueIdentifier:
        held = Certificate(certificate_type=CertificateType.X_509, certificate_value=der(of))
        return kms.call(registration(ObjectType.CERTIFICATE, held)).unique_identifier

    secret = register_secret(kms, password(PASSWORD))
    made = kms.call(
        registration(
            ObjectType.PRIVATE_KEY,
            private(pkcs_8(chain.key), KeyFormatType.PKCS_8),
            link(LinkType.PKCS_12_PASSWORD_LINK, secret),
        )
    )
    return {
        "key": made.unique_identifier,
        "own": register_certificate(chain.own),
        "issuer": register_certificate(chain.issuer),
    }


@pytest.mark.parametrize("name", [None, "my key"])
def test_a_key_is_given_out_in_a_container(kms: TestKms, chain: Chain, name: str | None) -> None:
    """KMIP 2.1 §4.39: under its PKCS#12 Friendly Name, else "alias"."""
    objects = registered(kms, chain)
    add_link(kms, objects["key"], LinkType.PKCS_12_CERTIFICATE_LINK, objects["own"])
    add_link(kms, objects["own"], LinkType.CERTIFICATE_LINK, objects["issuer"])
    if name is not None:
        named = attribute(Tag.PKCS_12_FRIENDLY_NAME, name)
        kms.call(AddAttributeRequest(unique_identifier=objects["key"], new_attribute=named))
    block = get(kms, objects["key"], KeyFormatType.PKCS_12)
    assert block.key_format_type is KeyFormatType.PKCS_12
    opened = load_pkcs12(material(block), PASSWORD)
    assert opened.key is not None
    assert opened.key.public_key() == chain.key.public_key()
    assert opened.cert is not None
    assert opened.cert.certificate == chain.own
    assert opened.cert.friendly_name == (name or "alias").encode()
    assert [c.certificate for c in opened.additional_certs] == [chain.issuer]


def test_the_chain_is_found_over_the_public_key(kms: TestKms, chain: Chain) -> None:
    """KMIP 2.1 §6.1.19; a root that links to itself ends the chain."""
    objects = registered(kms, chain)
    _, public = key_pair(kms)
    add_link(kms, objects["key"], LinkType.PUBLIC_KEY_LINK, public)
    add_link(kms, public, LinkType.PKCS_12_CERTIFICATE_LINK, objects["own"])
    add_link(kms, objects["own"], LinkType.CERTIFICATE_LINK, objects["issuer"])
    add_link(kms, objects["issuer"], LinkType.CERTIFICATE_LINK, objects["issuer"])
    opened = load_pkcs12(material(get(kms, objects["key"], KeyFormatType.PKCS_12)), PASSWORD)
    assert opened.cert is not None
    assert opened.cert.certificate == chain.own
    assert [c.certificate for c in opened.additional_certs] == [chain.issuer]


@pytest.mark.parametrize(("unit", "total"), [(UsageLimitsUnit.OBJECT, 2), (UsageLimitsUnit.BYTE, 1000)])
def test_a_password_is_used_up_by_the_containers_that_it_protects(
    kms: TestKms, chain: Chain, unit: UsageLimitsUnit, total: int
) -> None:
    limits = UsageLimits(usage_limits_total=total, usage_limits_unit=unit)
    active = attribute(Tag.ACTIVATION_DATE, kms.clock.now())
    limited = attribute(Tag.USAGE_LIMITS, limits)
    masked = mask(CryptographicUsageMask.DERIVE_KEY)
    secret = kms.call(registration(ObjectType.SECRET_DATA, password(PASSWORD), masked, active, limited))
    protected = link(LinkType.PKCS_12_PASSWORD_LINK, secret.unique_identifier)
    given = registration(ObjectType.PRIVATE_KEY, private(container(chain)), protected)
    opened = kms.call(given).unique_identifier
    get(kms, opened, KeyFormatType.PKCS_8)  # to open one protects nothing
    held = private(pkcs_8(chain.key), KeyFormatType.PKCS_8)
    made = kms.call(registration(ObjectType.PRIVATE_KEY, held, protected)).unique_identifier
    for _ in range(2):  # with some 425 bytes each
        get(kms, made, KeyFormatType.PKCS_12)
    with pytest.raises(Refused, match="Usage Limits") as refused:
        get(kms, made, KeyFormatType.PKCS_12)
    assert refused.value.reason is ResultReason.PERMISSION_DENIED


def test_a_key_without_certificates_is_alone_in_its_container(kms: TestKms, chain: Chain) -> None:
    block = get(kms, registered(kms, chain)["key"], KeyFormatType.PKCS_12)
    opened = load_pkcs12(material(block), PASSWORD)
    assert opened.key is not None
    assert opened.cert is None
    assert opened.additional_certs == []


@pytest.mark.parametrize("case", ["two chains", "another's certificate", "no certificate"])
def test_a_chain_that_cannot_be_told_is_refused(kms: TestKms, chain: Chain, case: str) -> None:
    """KMIP 2.1 §6.1.19: it is an error if there is more than one valid certificate chain."""
    objects = registered(kms, chain)
    leads_to = {
        "two chains": [objects["own"], objects["issuer"]],
        "another's certificate": [objects["issuer"]],
        "no certificate": [key(kms)],
    }[case]
    for target in leads_to:
        add_link(kms, objects["key"], LinkType.PKCS_12_CERTIFICATE_LINK, target)
    request = GetRequest(unique_identifier=objects["key"], key_format_type=KeyFormatType.PKCS_12)
    assert_refused(kms, request, *[ResultReason.INVALID_FIELD] * 2, since=V1_4)


def test_only_private_keys_come_in_containers(kms: TestKms, chain: Chain) -> None:
    objects = registered(kms, chain)
    _, public = key_pair(kms)
    for identifier in (public, objects["own"], key(kms)):
        request = GetRequest(unique_identifier=identifier, key_format_type=KeyFormatType.PKCS_12)
        assert refusal(kms, request).reason is ResultReason.KEY_FORMAT_TYPE_NOT_SUPPORTED
