"""Port: issuing and judging certificates.

Rule: certificates, requests and keys cross this port as the objects of the model. Who may issue what, and
which certificates are looked at, is decided before; what stands in a certificate is decided here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.objects import Certificate, CertificateRequest, PrivateKey, PublicKey
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import CryptographicUsageMask, DigitalSignatureAlgorithm, ValidityIndicator


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateOrder:
    """What is to be certified.

    Subject, alternative names and usage are those of `request`, else those of `subject` (the attributes that
    KMIP has for them) and `usage`, else those of `previous`, the certificate that is renewed; a subject that
    nobody names has the common name `name`. Of `request`, `public_key` and `previous` at least one is there,
    and all that are there are of one key. `usage` with Certificate Sign asks for an authority.

    The certificate is valid from `not_before` to `not_after`; None is `lifetime` later, or the end of the
    issuer if that comes first.
    """

    request: CertificateRequest | None = None
    public_key: PublicKey | None = None
    previous: Certificate | None = None
    subject: Sequence[AttributeInstance] = ()
    name: str
    usage: CryptographicUsageMask | None = None
    signature_algorithm: DigitalSignatureAlgorithm | None = None
    not_before: datetime
    not_after: datetime | None = None
    lifetime: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Who signs; without `certificate` the key certifies itself. `parameters` are those of the key."""

    private_key: PrivateKey
    certificate: Certificate | None = None
    parameters: CryptographicParameters | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A new certificate, and the Cryptographic Usage Mask that its Key Usage comes to."""

    certificate: Certificate
    usage: CryptographicUsageMask


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A certificate that a path may lead over.

    `asked`: it is of the chain to be validated, not of those that were found to it. `trusted`: a path may end
    here. `revoked`: it was withdrawn at the time that matters. `revocation_lists`: DER or PEM, in any order.
    """

    certificate: Certificate
    asked: bool
    trusted: bool = False
    revoked: bool = False
    revocation_lists: tuple[bytes, ...] = ()


class Certification(Protocol):
    """Everything about certificates that needs a library. Raises only KmipError subclasses."""

    async def certify(self, order: CertificateOrder, issuer: Issuer) -> Issued:
        """Return a signed X.509 certificate with a random serial number.

        Raises InvalidCSR for a request that is malformed, not signed by its own key or of another key than
        the rest; FeatureNotSupported for a type of request that cannot be read; InvalidField for a subject,
        date or algorithm that cannot be; PermissionDenied for a key that cannot be certified and an issuer
        that cannot certify it.
        """

    async def validate(self, candidates: Sequence[Candidate], at: datetime) -> ValidityIndicator:
        """Return whether a path leads from the end of the chain to a trusted certificate at a time: Valid;
        Invalid when what is asked is broken, out of date or revoked; Unknown when no path ends in trust.

        Raises InvalidMessage when those that are asked are more than one chain, InvalidField for what is no
        certificate.
        """
