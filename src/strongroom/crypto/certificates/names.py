"""From the attributes that name a certificate's subject to the library's names.

Rule: one place for every form that KMIP has had: text and DER of 1.x and 2.x, and the parts. DER is read and
written by the library alone.
"""

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

from strongroom.domain.errors import InvalidField, ServerLimitExceeded
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.structures import CertificateSubject, X509CertificateSubject
from strongroom.registry import Tag

SUBJECT_PARTS: Final[Mapping[ObjectIdentifier, Tag]] = {
    NameOID.COMMON_NAME: Tag.CERTIFICATE_SUBJECT_CN,
    NameOID.ORGANIZATION_NAME: Tag.CERTIFICATE_SUBJECT_O,
    NameOID.ORGANIZATIONAL_UNIT_NAME: Tag.CERTIFICATE_SUBJECT_OU,
    NameOID.EMAIL_ADDRESS: Tag.CERTIFICATE_SUBJECT_EMAIL,
    NameOID.COUNTRY_NAME: Tag.CERTIFICATE_SUBJECT_C,
    NameOID.STATE_OR_PROVINCE_NAME: Tag.CERTIFICATE_SUBJECT_ST,
    NameOID.LOCALITY_NAME: Tag.CERTIFICATE_SUBJECT_L,
    NameOID.USER_ID: Tag.CERTIFICATE_SUBJECT_UID,
    NameOID.SERIAL_NUMBER: Tag.CERTIFICATE_SUBJECT_SERIAL_NUMBER,
    NameOID.TITLE: Tag.CERTIFICATE_SUBJECT_TITLE,
    NameOID.DOMAIN_COMPONENT: Tag.CERTIFICATE_SUBJECT_DC,
    NameOID.DN_QUALIFIER: Tag.CERTIFICATE_SUBJECT_DN_QUALIFIER,
}

_ORDER: Final = (
    Tag.CERTIFICATE_SUBJECT_DC,
    Tag.CERTIFICATE_SUBJECT_C,
    Tag.CERTIFICATE_SUBJECT_ST,
    Tag.CERTIFICATE_SUBJECT_L,
    Tag.CERTIFICATE_SUBJECT_O,
    Tag.CERTIFICATE_SUBJECT_OU,
    Tag.CERTIFICATE_SUBJECT_TITLE,
    Tag.CERTIFICATE_SUBJECT_CN,
    Tag.CERTIFICATE_SUBJECT_SERIAL_NUMBER,
    Tag.CERTIFICATE_SUBJECT_UID,
    Tag.CERTIFICATE_SUBJECT_DN_QUALIFIER,
    Tag.CERTIFICATE_SUBJECT_EMAIL,
)
"""From the broad to the narrow, as directories write names; the attributes themselves have no order."""

if set(_ORDER) != set(SUBJECT_PARTS.values()):
    raise TypeError("every part of a subject needs its place")

_OIDS: Final = {tag: oid for oid, tag in SUBJECT_PARTS.items()}

MAXIMUM_NAMES: Final = 100
"""Alternative names of one certificate that is made here."""

MAXIMUM_ALTERNATIVE_NAMES: Final = 10_000
"""Of a certificate that others made. In a message they would be so many items, which are counted; here nobody
has counted them yet, and whoever keeps the object pays for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectNames:
    """Who is certified; `distinguished` is empty when only alternative names are known."""

    distinguished: x509.Name
    alternative: Sequence[x509.GeneralName] = ()


def subject_names(attributes: Iterable[AttributeInstance]) -> SubjectNames | None:
    """Return the names in attributes of a request, None when there are none; raises InvalidField.

    A whole name beats parts, and of whole names the last one counts.
    """
    attributes = list(attributes)
    whole: x509.Name | None = None
    alternative: list[x509.GeneralName] = []
    for key, value, _ in attributes:
        match value:
            case X509CertificateSubject():
                whole = _from_der(value.subject_distinguished_name) or whole
                alternative += map(_alternative_from_der, value.subject_alternative_name)
            case CertificateSubject():
                whole = _from_text(value.certificate_subject_distinguished_name) or whole
                alternative += map(_alternative_from_text, value.certificate_subject_alternative_name)
            case str() if key is Tag.CERTIFICATE_SUBJECT_DN:
                whole = _from_text(value) or whole
    if len(alternative) > MAXIMUM_NAMES:
        raise InvalidField(f"a certificate has at most {MAXIMUM_NAMES} alternative names here")
    if whole is None:
        whole = _from_parts(attributes)
    if not list(whole) and not alternative:
        return None
    return SubjectNames(distinguished=whole, alternative=alternative)


def check_alternative_names(count: int) -> None:
    """Return if a certificate that others made may have so many; raises ServerLimitExceeded."""
    if count > MAXIMUM_ALTERNATIVE_NAMES:
        raise ServerLimitExceeded(
            f"a certificate has at most {MAXIMUM_ALTERNATIVE_NAMES} alternative names here"
        )


def common_name(name: str) -> SubjectNames:
    """Return a subject that has nothing but a common name, cut to the 64 characters that one may have."""
    attribute = x509.NameAttribute(NameOID.COMMON_NAME, name[:64])
    return SubjectNames(distinguished=x509.Name([attribute]))


def _from_parts(attributes: Iterable[AttributeInstance]) -> x509.Name:
    given = list(attributes)
    try:
        return x509.Name(
            [x509.NameAttribute(_OIDS[tag], a.value) for tag in _ORDER for a in given if a.key is tag]
        )
    except (ValueError, TypeError) as error:
        raise InvalidField(f"the subject cannot be certified: {error}") from error


def _from_text(text: str) -> x509.Name | None:
    try:
        return x509.Name.from_rfc4514_string(text) if text else None
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidField(
            "the distinguished name is not in the form of RFC 4514, such as CN=a,O=b"
        ) from error


@asn1.sequence
class _RequestInfo:
    version: int
    subject: asn1.TLV
    public_key: asn1.TLV
    attributes: Annotated[list[asn1.TLV], asn1.Implicit(0)]


@asn1.sequence
class _Algorithm:
    algorithm: ObjectIdentifier


@asn1.sequence
class _Request:
    info: _RequestInfo
    algorithm: _Algorithm
    signature: asn1.BitString


_ED25519: Final = ObjectIdentifier("1.3.101.112")


def _from_der(data: bytes) -> x509.Name | None:
    """Return a name that stands alone, which the library reads only inside something else: a request."""
    if not data:
        return None
    key = (
        Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    try:
        request = _Request(
            info=_RequestInfo(
                version=0,
                subject=asn1.decode_der(asn1.TLV, data),
                public_key=asn1.decode_der(asn1.TLV, key),
                attributes=[],
            ),
            algorithm=_Algorithm(algorithm=_ED25519),
            signature=asn1.BitString(data=bytes(64), padding_bits=0),
        )
        return x509.load_der_x509_csr(asn1.encode_der(request)).subject
    except (ValueError, TypeError) as error:
        raise InvalidField("the Subject Distinguished Name is not a DER-encoded name") from error


_TEXT_NAMES: Final[Mapping[bytes, Callable[[str], x509.GeneralName]]] = {
    b"\x81": x509.RFC822Name,
    b"\x82": x509.DNSName,
    b"\x86": x509.UniformResourceIdentifier,
}
"""Alternative names that are text, by the tag of their choice (RFC 5280 §4.2.1.6)."""


def _alternative_from_der(data: bytes) -> x509.GeneralName:
    try:
        item = asn1.decode_der(asn1.TLV, data)
        tag, content = bytes(item.tag_bytes), bytes(item.data)
        if tag == b"\x87":
            return x509.IPAddress(ipaddress.ip_address(content))
        return _TEXT_NAMES[tag](content.decode("ascii"))
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidField(
            "a Subject Alternative Name is a DER-encoded e-mail address, DNS name, URI or IP address"
        ) from error


def _alternative_from_text(text: str) -> x509.GeneralName:
    """Return what a text looks like; KMIP 1.x does not say which kind of name it is."""
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    try:
        if "://" in text:
            return x509.UniformResourceIdentifier(text)
        return x509.RFC822Name(text) if "@" in text else x509.DNSName(text)
    except ValueError as error:
        raise InvalidField(
            "a Certificate Subject Alternative Name is not one that can be certified"
        ) from error
