"""What a certificate tells (KMIP 1.4 §3.8-3.16, 2.1 §4.6-4.8, §4.22 and §4.61-4.63).

Rule: the certificate is parsed by the library, and the attributes are what stands in it. Whether it is valid,
trusted or current is not asked here.
"""

from collections.abc import Mapping
from typing import Final

from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.x509.oid import ObjectIdentifier, SignatureAlgorithmOID

from strongroom.crypto.certificates.names import SUBJECT_PARTS, check_alternative_names
from strongroom.crypto.keys.families import Description, describe
from strongroom.crypto.openpgp import examine_pgp_certificate
from strongroom.crypto.tables import spec_name
from strongroom.domain.crypto import ObjectFacts
from strongroom.domain.errors import InvalidField, ServerLimitExceeded
from strongroom.model.attribute_list import AttributeInstance
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
from strongroom.registry import DigitalSignatureAlgorithm as Signature

_O = SignatureAlgorithmOID

_SIGNATURES: Final[Mapping[ObjectIdentifier, Signature]] = {
    ObjectIdentifier("1.2.840.113549.1.1.2"): Signature.MD2_WITH_RSA_ENCRYPTION,
    _O.RSA_WITH_MD5: Signature.MD5_WITH_RSA_ENCRYPTION,
    _O.RSA_WITH_SHA1: Signature.SHA_1_WITH_RSA_ENCRYPTION,
    _O.RSA_WITH_SHA224: Signature.SHA_224_WITH_RSA_ENCRYPTION,
    _O.RSA_WITH_SHA256: Signature.SHA_256_WITH_RSA_ENCRYPTION,
    _O.RSA_WITH_SHA384: Signature.SHA_384_WITH_RSA_ENCRYPTION,
    _O.RSA_WITH_SHA512: Signature.SHA_512_WITH_RSA_ENCRYPTION,
    _O.RSA_WITH_SHA3_256: Signature.SHA3_256_WITH_RSA_ENCRYPTION,
    _O.RSA_WITH_SHA3_384: Signature.SHA3_384_WITH_RSA_ENCRYPTION,
    _O.RSA_WITH_SHA3_512: Signature.SHA3_512_WITH_RSA_ENCRYPTION,
    _O.RSASSA_PSS: Signature.RSASSA_PSS,
    _O.DSA_WITH_SHA1: Signature.DSA_WITH_SHA_1,
    _O.DSA_WITH_SHA224: Signature.DSA_WITH_SHA224,
    _O.DSA_WITH_SHA256: Signature.DSA_WITH_SHA256,
    _O.ECDSA_WITH_SHA1: Signature.ECDSA_WITH_SHA_1,
    _O.ECDSA_WITH_SHA224: Signature.ECDSA_WITH_SHA224,
    _O.ECDSA_WITH_SHA256: Signature.ECDSA_WITH_SHA256,
    _O.ECDSA_WITH_SHA384: Signature.ECDSA_WITH_SHA384,
    _O.ECDSA_WITH_SHA512: Signature.ECDSA_WITH_SHA512,
}
"""Signature algorithms that KMIP has a name for; a certificate with another one has no such attribute."""

if set(_SIGNATURES.values()) != set(Signature):
    raise TypeError("every Digital Signature Algorithm needs its object identifier")

MAXIMUM_PARTS: Final = 500
"""Parts of the names of subject and issuer together; each may become an attribute."""

_MALFORMED: Final = (
    ValueError,
    TypeError,
    InternalError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises for a certificate that is none; much is parsed only when it is asked for."""

_ISSUER: Final[Mapping[ObjectIdentifier, Tag]] = {
    oid: Tag[tag.name.replace("SUBJECT", "ISSUER")] for oid, tag in SUBJECT_PARTS.items()
}


def examine_certificate(value: Certificate) -> ObjectFacts:
    """Return what a certificate tells.

    Raises InvalidField when it is not what its type says, ServerLimitExceeded when it tells too much.
    """
    found = [
        AttributeInstance(Tag.CERTIFICATE_TYPE, value.certificate_type),
        AttributeInstance(Tag.CERTIFICATE_LENGTH, len(value.certificate_value)),
    ]
    if value.certificate_type is CertificateType.PGP:
        found += examine_pgp_certificate(value.certificate_value)
    if value.certificate_type is not CertificateType.X_509:
        return ObjectFacts(attributes=tuple(found))
    try:
        certificate = x509.load_der_x509_certificate(value.certificate_value)
        key = _public_key(certificate)
        signature = _SIGNATURES.get(certificate.signature_algorithm_oid)
        if signature is not None:
            found.append(AttributeInstance(Tag.DIGITAL_SIGNATURE_ALGORITHM, signature))
        found += _identities(certificate)
    except _MALFORMED as error:
        raise InvalidField("the Certificate Value is not a DER-encoded X.509 certificate") from error
    return ObjectFacts(
        cryptographic_algorithm=None if key is None else key.family.usual,
        cryptographic_length=None if key is None else key.length,
        attributes=tuple(found),
    )


def examine_request(value: CertificateRequest) -> ObjectFacts:
    """Return that a request is well formed; raises InvalidField when it is not what its type says.

    CRMF and PGP requests are kept as they came: the library does not read them.
    """
    data = value.certificate_request_value
    try:
        if value.certificate_request_type is CertificateRequestType.PKCS_10:
            x509.load_der_x509_csr(data)
        elif value.certificate_request_type is CertificateRequestType.PEM:
            x509.load_pem_x509_csr(data)
    except _MALFORMED as error:
        name = spec_name(value.certificate_request_type)
        raise InvalidField(f"the Certificate Request Value is not a {name} certificate request") from error
    return ObjectFacts(attributes=())


def _public_key(certificate: x509.Certificate) -> Description | None:
    """Return what the certified key is; None when the library does not know its kind."""
    try:
        return describe(certificate.public_key())
    except UnsupportedAlgorithm:
        return None


def _identities(certificate: x509.Certificate) -> list[AttributeInstance]:
    """Return who was certified by whom, in every form that KMIP has had for it."""
    subject, issuer = certificate.subject, certificate.issuer
    if sum(1 for name in (subject, issuer) for _ in name) > MAXIMUM_PARTS:
        raise ServerLimitExceeded(
            f"subject and issuer of a certificate have at most {MAXIMUM_PARTS} parts here"
        )
    subject_names = _alternative_names(certificate, x509.SubjectAlternativeName)
    issuer_names = _alternative_names(certificate, x509.IssuerAlternativeName)
    check_alternative_names(len(subject_names) + len(issuer_names))
    serial = certificate.serial_number
    return [
        AttributeInstance(
            Tag.X_509_CERTIFICATE_IDENTIFIER,
            X509CertificateIdentifier(
                issuer_distinguished_name=issuer.public_bytes(),
                certificate_serial_number=asn1.encode_der(serial),
            ),
        ),
        AttributeInstance(
            Tag.X_509_CERTIFICATE_SUBJECT,
            X509CertificateSubject(
                subject_distinguished_name=subject.public_bytes() if list(subject) else b"",
                subject_alternative_name=tuple(map(_encoded, subject_names)),
            ),
        ),
        AttributeInstance(
            Tag.X_509_CERTIFICATE_ISSUER,
            X509CertificateIssuer(
                issuer_distinguished_name=issuer.public_bytes(),
                issuer_alternative_name=tuple(map(_encoded, issuer_names)),
            ),
        ),
        AttributeInstance(
            Tag.CERTIFICATE_IDENTIFIER,
            CertificateIdentifier(issuer=issuer.rfc4514_string(), serial_number=_hexadecimal(serial)),
        ),
        AttributeInstance(
            Tag.CERTIFICATE_SUBJECT,
            CertificateSubject(
                certificate_subject_distinguished_name=subject.rfc4514_string(),
                certificate_subject_alternative_name=tuple(map(_readable, subject_names)),
            ),
        ),
        AttributeInstance(
            Tag.CERTIFICATE_ISSUER,
            CertificateIssuer(
                certificate_issuer_distinguished_name=issuer.rfc4514_string(),
                certificate_issuer_alternative_name=tuple(map(_readable, issuer_names)),
            ),
        ),
        AttributeInstance(Tag.CERTIFICATE_SUBJECT_DN, subject.rfc4514_string()),
        AttributeInstance(Tag.CERTIFICATE_ISSUER_DN, issuer.rfc4514_string()),
        *_parts(subject, SUBJECT_PARTS),
        *_parts(issuer, _ISSUER),
    ]


def _parts(name: x509.Name, tags: Mapping[ObjectIdentifier, Tag]) -> list[AttributeInstance]:
    """Return the parts of a distinguished name that are attributes of their own."""
    return [
        AttributeInstance(tags[part.oid], part.value)
        for part in name
        if part.oid in tags and isinstance(part.value, str)
    ]


def _alternative_names(
    certificate: x509.Certificate,
    extension: type[x509.SubjectAlternativeName] | type[x509.IssuerAlternativeName],
) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(extension).value)
    except x509.ExtensionNotFound:
        return []


def _encoded(name: x509.GeneralName) -> bytes:
    """Return the DER encoding of one alternative name, which the library writes only inside an extension."""
    return bytes(asn1.decode_der(asn1.TLV, x509.SubjectAlternativeName([name]).public_bytes()).data)


def _readable(name: x509.GeneralName) -> str:
    """Return an alternative name as text."""
    match name:
        case x509.DirectoryName():
            return name.value.rfc4514_string()
        case x509.RegisteredID():
            return name.value.dotted_string
        case x509.OtherName():
            return f"{name.type_id.dotted_string}:{name.value.hex()}"
        case _:
            return str(name.value)


def _hexadecimal(serial: int) -> str:
    """Return a serial number in whole bytes, as the OASIS cases write it."""
    digits = f"{abs(serial):x}"
    return ("-" if serial < 0 else "") + digits.rjust(len(digits) + len(digits) % 2, "0")
