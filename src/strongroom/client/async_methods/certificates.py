"""Certificates that the server issues, renews and judges."""

from collections.abc import Iterable
from datetime import datetime

from strongroom.client.async_methods.core import AsyncCore
from strongroom.client.async_methods.signatures import require_valid
from strongroom.client.attributes import attribute, template
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import Certificate
from strongroom.model.struct import Seconds
from strongroom.model.structures import Link
from strongroom.operations.certify import CertifyRequest
from strongroom.operations.re_certify import ReCertifyRequest
from strongroom.operations.validate import ValidateRequest
from strongroom.registry import (
    V2_0,
    CertificateRequestType,
    CertificateType,
    CryptographicUsageMask,
    LinkType,
    Tag,
)


class AsyncCertificates(AsyncCore):
    """Certify, Re-certify and Validate."""

    async def certify(
        self,
        unique_identifier: str | None = None,
        *,
        certificate_request: bytes | None = None,
        certificate_request_type: CertificateRequestType = CertificateRequestType.PKCS_10,
        issuer: str | None = None,
        name: str | None = None,
        certificate_subject_cn: str | None = None,
        cryptographic_usage_mask: CryptographicUsageMask | None = None,
        attributes: Iterable[AttributeInstance] = (),
    ) -> UniqueIdentifier:
        """Have a certificate issued for a public key of the server, or for a PKCS #10 request.

        `issuer` is the identifier of the certificate to sign under. Without one, the server's usual issuer
        signs if it has one; a key that may sign certificates certifies itself.
        """
        newer = await self.negotiate() >= V2_0
        given = list(attributes)
        if issuer is not None:
            certificate = UniqueIdentifier(issuer)
            link = Link(link_type=LinkType.CERTIFICATE_LINK, linked_object_identifier=certificate)
            given.append(attribute(Tag.LINK, link))
        request = CertifyRequest(
            unique_identifier=None if unique_identifier is None else UniqueIdentifier(unique_identifier),
            certificate_request_type=None if certificate_request is None else certificate_request_type,
            certificate_request=None if newer else certificate_request,
            certificate_request_value=certificate_request if newer else None,
            attributes=template(
                given,
                name=name,
                certificate_subject_cn=certificate_subject_cn,
                cryptographic_usage_mask=cryptographic_usage_mask,
            ),
        )
        return (await self.call(request)).unique_identifier

    async def re_certify(
        self,
        unique_identifier: str,
        *,
        offset: int | None = None,
        attributes: Iterable[AttributeInstance] = (),
    ) -> UniqueIdentifier:
        """Have a certificate renewed for the same key, and return the new one; `offset` as in `re_key`."""
        request = ReCertifyRequest(
            unique_identifier=UniqueIdentifier(unique_identifier),
            offset=None if offset is None else Seconds(offset),
            attributes=template(attributes),
        )
        return (await self.call(request)).unique_identifier

    async def validate(
        self,
        *unique_identifiers: str,
        certificates: Iterable[bytes] = (),
        validity_date: datetime | None = None,
    ) -> None:
        """Return if the certificates are a valid chain, now or at a date; raises VerificationFailed.

        They are objects of the server, or DER.
        """
        request = ValidateRequest(
            unique_identifier=tuple(map(UniqueIdentifier, unique_identifiers)),
            certificate=tuple(
                Certificate(certificate_type=CertificateType.X_509, certificate_value=der)
                for der in certificates
            ),
            validity_date=validity_date,
        )
        require_valid((await self.call(request)).validity_indicator, "the chain")
