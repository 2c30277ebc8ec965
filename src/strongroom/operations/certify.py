"""Certify (KMIP 1.0 §4.6, 1.x §4.7, 2.x §6.1.6)."""

from typing import Annotated, Final

from strongroom.domain.certification import CertificateOrder
from strongroom.domain.context import Context
from strongroom.domain.errors import EmptyPlaceholder
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.usage import spend
from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.objects import PublicKey
from strongroom.model.struct import Since, Until
from strongroom.model.structures import Link, ProtectionStorageMasks
from strongroom.procedures.creation import dress, gather, link
from strongroom.procedures.issuing import (
    describe,
    find_issuer,
    given_request,
    linked,
    require_certifiable,
    sort,
)
from strongroom.procedures.storage import require_storage
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_0,
    CertificateRequestType,
    CryptographicUsageMask,
    LinkType,
    ObjectType,
    Operation,
    Tag,
)

_AUTHORITY: Final = CryptographicUsageMask.CERTIFICATE_SIGN | CryptographicUsageMask.CRL_SIGN


class CertifyResponse(Response):
    unique_identifier: UniqueIdentifier
    attributes: Annotated[
        TemplateAttributes | None, Until(V1_4), AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE)
    ] = None


class CertifyRequest(Request[CertifyResponse]):
    unique_identifier: ObjectReference | None = None
    certificate_request_type: CertificateRequestType | None = None
    certificate_request: Annotated[bytes | None, Until(V1_4)] = None
    certificate_request_value: Annotated[bytes | None, Since(V2_0)] = None
    attributes: Annotated[
        TemplateAttributes | None, AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE)
    ] = None
    protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None


@operation(Operation.CERTIFY, since=V1_0, needs=Permission.CERTIFY)
async def certify(ctx: Context, request: CertifyRequest) -> CertifyResponse:
    require_storage(request.protection_storage_masks)
    wishes = sort(await gather(ctx, request.attributes))
    value = request.certificate_request or request.certificate_request_value
    public_key, stored = await _subject(ctx, request.unique_identifier, with_request=value is not None)
    issuer, signer, authority = await find_issuer(ctx, wishes, public_key, usual=ctx.policy.issuer)
    new = ctx.objects.create(ObjectType.CERTIFICATE)
    issued = await ctx.crypto.certify(
        CertificateOrder(
            request=given_request(request.certificate_request_type, value, stored),
            public_key=None if public_key is None else require_certifiable(public_key),
            subject=wishes.subject,
            name=new.unique_identifier if public_key is None else public_key.unique_identifier,
            usage=_usage_of(public_key) if wishes.usage is None else wishes.usage,
            signature_algorithm=wishes.signature_algorithm,
            not_before=wishes.date(Tag.ACTIVATION_DATE) or ctx.now,
            not_after=wishes.date(Tag.DEACTIVATION_DATE),
            lifetime=ctx.policy.certificate_lifetime,
        ),
        issuer,
    )
    spend(signer, len(issued.certificate.certificate_value))
    await describe(ctx, new, issued.certificate)
    dress(ctx, new, wishes.attributes(issued))
    if authority is not None:
        link(new, LinkType.CERTIFICATE_LINK, authority)
    if stored is not None:
        new.set(Tag.CERTIFICATE_REQUEST_LINK, stored.unique_identifier)
    if public_key is not None:
        link(new, LinkType.PUBLIC_KEY_LINK, public_key)
        # A key may have several certificates (KMIP 2.1 §11.28), so what it is linked to already stays.
        certified = Link(link_type=LinkType.CERTIFICATE_LINK, linked_object_identifier=new.unique_identifier)
        public_key.add(Tag.LINK, certified)
    ctx.objects.place(new.unique_identifier)
    return CertifyResponse(unique_identifier=new.unique_identifier)


async def _subject(
    ctx: Context, reference: ObjectReference | None, *, with_request: bool
) -> tuple[ManagedObject | None, ManagedObject | None]:
    """Return the public key to certify and the certificate request object, as far as there are such objects.

    SPEC(KMIP 2.1 §6.1.6): beside a Certificate Request the identifier may be left out, and then the ID
    Placeholder is not asked. In 1.x it is, but may be empty or lead to the private key that was just made.
    """
    if reference is None and with_request:
        try:
            obj = await ctx.objects.get(None, archived=True, destroyed=True)
        except EmptyPlaceholder:
            return None, None
        return (obj if isinstance(obj.material, PublicKey) else None), None
    obj = await ctx.objects.get(reference)
    if obj.object_type is not ObjectType.CERTIFICATE_REQUEST:
        return obj, None
    key = linked(obj, LinkType.PUBLIC_KEY_LINK)
    return (None if key is None else await ctx.objects.get(key)), obj


def _usage_of(public_key: ManagedObject | None) -> CryptographicUsageMask | None:
    """Return what a key is for; to be an authority has to be asked for with the certificate."""
    mask = None if public_key is None else public_key.value(Tag.CRYPTOGRAPHIC_USAGE_MASK)
    if mask is None or mask & CryptographicUsageMask.UNRESTRICTED:
        return None
    return CryptographicUsageMask(mask) & ~_AUTHORITY
