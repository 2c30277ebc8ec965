"""What tests of certificates say often: an authority of managed objects, requests, the answer read.

Rule: the library reads and checks what the server issued; the server's own code is never its own judge.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from strongroom.domain.identity import ClientIdentity
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import Certificate, CertificateRequest, PrivateKey, PublicKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import Link
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.certify import CertifyRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.register import RegisterRequest
from strongroom.registry import (
    V1_4,
    CertificateRequestType,
    CertificateType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    LinkType,
    ObjectType,
    Tag,
    Version,
)
from tests.expect import mask, registration
from tests.kms import ALICE, TestKms, attribute, template

SIGNS = CryptographicUsageMask.CERTIFICATE_SIGN | CryptographicUsageMask.CRL_SIGN
USE = CryptographicUsageMask


class Pair(NamedTuple):
    private: UniqueIdentifier
    public: UniqueIdentifier


class Authority(NamedTuple):
    """A certificate that issues, with its keys."""

    certificate: UniqueIdentifier
    private: UniqueIdentifier
    public: UniqueIdentifier


def pair(
    kms: TestKms,
    *,
    algorithm: CryptographicAlgorithm = CryptographicAlgorithm.ECDSA,
    length: int | None = 256,
    usage: CryptographicUsageMask = USE.SIGN,
    active: bool = True,
    caller: ClientIdentity = ALICE,
    public: Sequence[AttributeInstance] = (mask(USE.VERIFY),),
    version: Version = V1_4,
) -> Pair:
    """Return a new key pair whose private key is Active."""
    common = [attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm)]
    if length is not None:
        common.append(attribute(Tag.CRYPTOGRAPHIC_LENGTH, length))
    made = kms.call(
        CreateKeyPairRequest(
            common_attributes=template(*common),
            private_key_attributes=template(mask(usage)),
            public_key_attributes=template(*public),
        ),
        version=version,
        caller=caller,
    )
    if active:
        kms.call(ActivateRequest(unique_identifier=made.private_key_unique_identifier), caller=caller)
    return Pair(made.private_key_unique_identifier, made.public_key_unique_identifier)


def authority(
    kms: TestKms,
    name: str = "Root",
    *,
    below: Authority | None = None,
    caller: ClientIdentity = ALICE,
    **keys: Any,
) -> Authority:
    """Return a certification authority: its own root, or `below` another one."""
    keys.setdefault("usage", SIGNS)
    made = pair(kms, caller=caller, **keys)
    attributes = [subject(name), mask(SIGNS)]
    if below is not None:
        attributes.append(issued_by(below))
    certificate = kms.call(
        CertifyRequest(unique_identifier=made.public, attributes=template(*attributes)), caller=caller
    ).unique_identifier
    kms.call(ActivateRequest(unique_identifier=certificate), caller=caller)
    return Authority(certificate, *made)


def subject(common_name: str) -> AttributeInstance:
    return attribute(Tag.CERTIFICATE_SUBJECT_CN, common_name)


def link_to(link_type: LinkType, target: UniqueIdentifier) -> AttributeInstance:
    return attribute(Tag.LINK, Link(link_type=link_type, linked_object_identifier=target))


def issued_by(issuer: Authority) -> AttributeInstance:
    """Return the attribute of a request that names the issuing certificate."""
    return link_to(LinkType.CERTIFICATE_LINK, issuer.certificate)


def leaf(
    kms: TestKms, issuer: Authority, *attributes: AttributeInstance, name: str = "leaf"
) -> UniqueIdentifier:
    """Return a certificate for a new key."""
    request = CertifyRequest(
        unique_identifier=pair(kms).public,
        attributes=template(subject(name), issued_by(issuer), *attributes),
    )
    return kms.call(request).unique_identifier


def load(kms: TestKms, identifier: UniqueIdentifier, *, caller: ClientIdentity = ALICE) -> x509.Certificate:
    """Return a certificate as the library reads what Get gives."""
    value = kms.call(GetRequest(unique_identifier=identifier), caller=caller).managed_object
    assert isinstance(value, Certificate)
    return x509.load_der_x509_certificate(value.certificate_value)


KEY = ec.derive_private_key(7, ec.SECP256R1())
"""A private key outside the server, always the same."""


def name_of(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def csr(
    *extensions: tuple[x509.ExtensionType, bool],
    common_name: str = "requested",
    key: Any = KEY,
    encoding: Encoding = Encoding.DER,
) -> bytes:
    """Return a PKCS #10 request signed with `key`."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        name_of(common_name) if common_name else x509.Name([])
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(encoding)


def request_object(value: bytes, kind: CertificateRequestType = CertificateRequestType.PKCS_10) -> Any:
    """Return the Register request of a Certificate Request object (2.0 and later)."""
    return registration(
        ObjectType.CERTIFICATE_REQUEST,
        CertificateRequest(certificate_request_type=kind, certificate_request_value=value),
    )


def private_key(key: Any, usage: CryptographicUsageMask = SIGNS) -> RegisterRequest:
    """Return the Register request of a private key from outside."""
    data = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    value = PrivateKey(key_block=_block(KeyFormatType.PKCS_8, data))
    return registration(ObjectType.PRIVATE_KEY, value, mask(usage))


def public_key(key: Any) -> RegisterRequest:
    """Return the Register request of a public key from outside."""
    data = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    value = PublicKey(key_block=_block(KeyFormatType.X_509, data))
    return registration(ObjectType.PUBLIC_KEY, value, mask(USE.VERIFY))


def _block(key_format: KeyFormatType, data: bytes) -> KeyBlock:
    return KeyBlock(key_format_type=key_format, key_value=KeyValue(key_material=SecretBytes(data)))


def self_signed(
    common_name: str = "outside",
    *,
    key: Any = KEY,
    issuer: tuple[str, Any] | None = None,
    not_before: datetime = datetime(2025, 1, 1, tzinfo=UTC),
    days: int = 3650,
    ca: bool = True,
    path_length: int | None = None,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    serial: int | None = None,
) -> Certificate:
    """Return a certificate made outside the server, self-signed unless there is an `issuer`."""
    issuer_name, issuer_key = issuer or (common_name, key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(common_name))
        .issuer_name(name_of(issuer_name))
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_before + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    made = builder.sign(issuer_key, hashes.SHA256())
    return Certificate(
        certificate_type=CertificateType.X_509, certificate_value=made.public_bytes(Encoding.DER)
    )
