"""Issuing certificates: the adapter of `strongroom.domain.certification`.

Rule: a request proves that its sender has the private key before anything of it is used; the library encodes
and signs, and all of it runs on the pool.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final, cast, get_args

from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    CertificatePublicKeyTypes,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.crypto.certificates import extensions, signatures
from strongroom.crypto.certificates.names import SubjectNames, common_name, subject_names
from strongroom.crypto.certificates.validation import validate
from strongroom.crypto.keys.material import PRIVATE, PUBLIC, clear_material
from strongroom.crypto.keys.reading import read_private, read_public
from strongroom.crypto.pool import Pool
from strongroom.crypto.tables import check_total, spec_name
from strongroom.domain.certification import Candidate, CertificateOrder, Issued, Issuer
from strongroom.domain.errors import FeatureNotSupported, InvalidCSR, InvalidField, PermissionDenied
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import Certificate, CertificateRequest
from strongroom.registry import CertificateRequestType as RequestType
from strongroom.registry import CertificateType, ValidityIndicator

_CERTIFIABLE: Final = get_args(CertificatePublicKeyTypes)
_SIGNING: Final = get_args(CertificateIssuerPrivateKeyTypes)

MAXIMUM_REQUEST: Final = 64 * 1024
"""Bytes of the longest request that is read."""

_LOADERS: Final = {
    RequestType.PKCS_10: x509.load_der_x509_csr,
    RequestType.PEM: x509.load_pem_x509_csr,
}
check_total(_LOADERS, RequestType, {RequestType.CRMF, RequestType.PGP})

_MALFORMED: Final = (
    ValueError,
    TypeError,
    InternalError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises for a request that is none; much is parsed only when it is asked for."""


class Certifier:
    """The part of the cryptographer that makes and judges certificates."""

    _pool: Pool

    async def certify(self, order: CertificateOrder, issuer: Issuer) -> Issued:
        """Return a signed certificate."""
        return await self._pool.run(issue, order, issuer)

    async def validate(self, candidates: Sequence[Candidate], at: datetime) -> ValidityIndicator:
        """Return whether a path leads to trust."""
        return await self._pool.run(validate, candidates, at)


def issue(order: CertificateOrder, issuer: Issuer) -> Issued:
    """Return a signed certificate; see the port. Slow."""
    request = None if order.request is None else _request(order.request)
    requested = None if request is None else _requested_extensions(request)
    previous = None if order.previous is None else _certificate(order.previous)
    authority = None if issuer.certificate is None else _certificate(issuer.certificate)
    key = _public_key(order, request, previous)
    signer = _signer(issuer, key, authority, order.not_before)
    names = _names(order, request, requested, previous)
    above = None if authority is None else authority.extensions
    made_for = extensions.purpose(
        key,
        requested=requested,
        mask=order.usage,
        previous=None if previous is None else previous.extensions,
        issuer=above,
    )
    builder = x509.CertificateBuilder(
        subject_name=names.distinguished,
        issuer_name=names.distinguished if authority is None else authority.subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
    )
    not_before, not_after = _validity(order, previous, authority)
    signing = signatures.choose(signer, order.signature_algorithm, issuer.parameters)
    with _refusing("the certificate cannot be made; look at its names and dates"):
        builder = builder.not_valid_before(not_before).not_valid_after(not_after)
        for extension, critical in extensions.extensions(
            key,
            made_for,
            names=names.alternative,
            nameless=not list(names.distinguished),
            issuer_key=key if authority is None else authority.public_key(),
            issuer=above,
        ):
            builder = builder.add_extension(extension, critical)
        made = builder.sign(signer, signing.algorithm, rsa_padding=signing.padding)
        value = made.public_bytes(Encoding.DER)
    certificate = Certificate(certificate_type=CertificateType.X_509, certificate_value=value)
    return Issued(certificate=certificate, usage=made_for.mask)


@contextmanager
def _refusing(message: str) -> Iterator[None]:
    try:
        yield
    except _MALFORMED as error:
        raise InvalidField(message) from error


def _request(value: CertificateRequest) -> x509.CertificateSigningRequest:
    """Return a request whose signature is that of its key."""
    kind, data = value.certificate_request_type, value.certificate_request_value
    if kind not in _LOADERS:
        raise FeatureNotSupported(
            f"certificate requests of type {spec_name(kind)} are not read; send PKCS#10"
        )
    if len(data) > MAXIMUM_REQUEST:
        raise InvalidCSR(f"the certificate request has {len(data)} bytes; at most {MAXIMUM_REQUEST} are read")
    try:
        request = _LOADERS[kind](data)
        signed = request.is_signature_valid
    except _MALFORMED as error:
        raise InvalidCSR(f"the certificate request is not a {spec_name(kind)} request") from error
    if not signed:
        raise InvalidCSR("the certificate request is not signed with the private key that belongs to it")
    return request


def _requested_extensions(request: x509.CertificateSigningRequest) -> x509.Extensions:
    try:
        requested = request.extensions
    except _MALFORMED as error:
        raise InvalidCSR("the certificate request asks for extensions that cannot be read") from error
    extensions.check_requested(requested)
    return requested


def _certificate(value: Certificate) -> x509.Certificate:
    """Return a certificate that was examined when it was stored; its extensions may still be unreadable."""
    if value.certificate_type is not CertificateType.X_509:
        raise PermissionDenied("only X.509 certificates are issued, renewed and used to issue here")
    try:
        certificate = x509.load_der_x509_certificate(value.certificate_value)
        # The library parses each of these only when it is asked for.
        _ = certificate.extensions, certificate.subject, certificate.issuer, certificate.public_key()
    except _MALFORMED as error:
        raise PermissionDenied("a certificate that this needs has parts that cannot be read") from error
    return certificate


def _public_key(
    order: CertificateOrder,
    request: x509.CertificateSigningRequest | None,
    previous: x509.Certificate | None,
) -> CertificatePublicKeyTypes:
    """Return the key that is certified; raises InvalidCSR when two differ."""
    found: list[CertificatePublicKeyTypes] = []
    if request is not None:
        try:
            found.append(request.public_key())
        except _MALFORMED as error:
            raise InvalidCSR("the public key of the certificate request cannot be read") from error
    if order.public_key is not None:
        found.append(_stored(order.public_key.key_block))
    if previous is not None:
        found.append(previous.public_key())
    if len({_encoded(key) for key in found}) != 1:
        raise InvalidCSR(
            "the certificate request is of another public key than the one that is to be certified"
        )
    return found[0]


def _encoded(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _stored(block: KeyBlock) -> CertificatePublicKeyTypes:
    material, key_format = clear_material(block), block.key_format_type
    key = None if material is None or key_format not in PUBLIC else read_public(key_format, material)
    if not isinstance(key, _CERTIFIABLE):
        raise PermissionDenied("a key of this kind, or kept in this form, cannot be certified")
    return cast(CertificatePublicKeyTypes, key)


def _signer(
    issuer: Issuer,
    key: CertificatePublicKeyTypes,
    authority: x509.Certificate | None,
    not_before: datetime,
) -> CertificateIssuerPrivateKeyTypes:
    """Return the key that signs, if it and its certificate may; raises PermissionDenied."""
    block = issuer.private_key.key_block
    material, key_format = clear_material(block), block.key_format_type
    signer = None
    if material is not None and key_format in PRIVATE:
        signer = read_private(key_format, material, check=False)
    if not isinstance(signer, _SIGNING):
        raise PermissionDenied("the issuing key is of a kind, or kept in a form, that signs no certificates")
    signer = cast(CertificateIssuerPrivateKeyTypes, signer)
    if authority is not None:
        _check_authority(authority, not_before)
    certified = key if authority is None else authority.public_key()
    if _encoded(signer.public_key()) != _encoded(certified):
        raise PermissionDenied("the issuing key is not that of the issuing certificate")
    return signer


def _check_authority(authority: x509.Certificate, at: datetime) -> None:
    constraints = extensions.find(authority.extensions, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise PermissionDenied("the issuing certificate is not that of a certification authority")
    usage = extensions.find(authority.extensions, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise PermissionDenied(
            "the Key Usage of the issuing certificate does not allow it to sign certificates"
        )
    if not authority.not_valid_before_utc <= at <= authority.not_valid_after_utc:
        raise PermissionDenied("the issuing certificate is not valid at the time the new one begins")


def _names(
    order: CertificateOrder,
    request: x509.CertificateSigningRequest | None,
    requested: x509.Extensions | None,
    previous: x509.Certificate | None,
) -> SubjectNames:
    """Return who is certified: who the request says, else the attributes, else the certificate before."""
    given = subject_names(order.subject)
    before = None if previous is None else _names_of(previous)
    asked = SubjectNames(distinguished=x509.Name([]))
    if request is not None:
        with _refusing("the subject of the certificate request cannot be certified"):
            subject = request.subject
        asked = SubjectNames(distinguished=subject, alternative=extensions.alternative_names(requested))
    sources = [names for names in (asked, given, before) if names is not None]
    distinguished = next((n.distinguished for n in sources if list(n.distinguished)), None)
    alternative = next((n.alternative for n in sources if n.alternative), ())
    if distinguished is None:
        if not alternative:
            return common_name(order.name)
        distinguished = x509.Name([])
    return SubjectNames(distinguished=distinguished, alternative=alternative)


def _names_of(previous: x509.Certificate) -> SubjectNames:
    names = extensions.find(previous.extensions, x509.SubjectAlternativeName)
    return SubjectNames(distinguished=previous.subject, alternative=[] if names is None else list(names))


def _validity(
    order: CertificateOrder, previous: x509.Certificate | None, authority: x509.Certificate | None
) -> tuple[datetime, datetime]:
    """Return from when to when; raises InvalidField when the issuer ends before what is asked for."""
    start = order.not_before.replace(microsecond=0)
    end = order.not_after
    limit = None if authority is None else authority.not_valid_after_utc
    if end is None:
        lifetime = order.lifetime
        if lifetime is None and previous is not None:
            lifetime = previous.not_valid_after_utc - previous.not_valid_before_utc
        assert lifetime is not None, "an order without an end has a lifetime or a predecessor"
        try:
            end = start + lifetime
        except OverflowError as error:
            raise InvalidField("the certificate would outlast the year 9999") from error
        return start, end if limit is None else min(end, limit)
    if limit is not None and end > limit:
        raise InvalidField("the Deactivation Date is after the end of the issuing certificate")
    return start, end.replace(microsecond=0)
