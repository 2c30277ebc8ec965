"""Re-certify (KMIP 1.0 §4.7, 1.x §4.8, 2.x §6.1.45)."""

from typing import Annotated

from strongroom.domain.certification import CertificateOrder
from strongroom.domain.context import Context
from strongroom.domain.errors import FeatureNotSupported, InvalidObjectType
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.usage import spend
from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.objects import Certificate
from strongroom.model.struct import Seconds, Since, Until
from strongroom.model.structures import ProtectionStorageMasks
from strongroom.procedures.creation import gather, link
from strongroom.procedures.issuing import (
    describe,
    find_issuer,
    given_request,
    linked,
    require_certifiable,
    sort,
)
from strongroom.procedures.replacement import carried_dates, replace
from strongroom.procedures.storage import require_storage
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_0,
    CertificateRequestType,
    CertificateType,
    LinkType,
    ObjectType,
    Operation,
    Tag,
)


class ReCertifyResponse(Response):
    unique_identifier: UniqueIdentifier
    attributes: Annotated[
        TemplateAttributes | None, Until(V1_4), AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE)
    ] = None


class ReCertifyRequest(Request[ReCertifyResponse]):
    unique_identifier: ObjectReference | None = None
    certificate_request_unique_identifier: Annotated[ObjectReference | None, Since(V2_0)] = None
    certificate_request_type: CertificateRequestType | None = None
    certificate_request: Annotated[bytes | None, Until(V1_4)] = None
    certificate_request_value: Annotated[bytes | None, Since(V2_0)] = None
    offset: Seconds | None = None
    attributes: Annotated[
        TemplateAttributes | None, AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE)
    ] = None
    protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None


@operation(Operation.RE_CERTIFY, since=V1_0, needs=Permission.CERTIFY)
async def re_certify(ctx: Context, request: ReCertifyRequest) -> ReCertifyResponse:
    require_storage(request.protection_storage_masks)
    wishes = sort(await gather(ctx, request.attributes))
    old = await ctx.objects.get(request.unique_identifier)
    before = old.material
    if not isinstance(before, Certificate):
        raise InvalidObjectType("Re-certify renews a Certificate")
    if before.certificate_type is not CertificateType.X_509:
        raise FeatureNotSupported("only X.509 certificates are renewed")
    stored = await _get(ctx, request.certificate_request_unique_identifier)
    public_key = await _get(ctx, linked(old, LinkType.PUBLIC_KEY_LINK))
    usual = linked(old, LinkType.CERTIFICATE_LINK)
    if usual is None and old.value(Tag.CERTIFICATE_SUBJECT_DN) != old.value(Tag.CERTIFICATE_ISSUER_DN):
        usual = ctx.policy.issuer
    issuer, signer, authority = await find_issuer(ctx, wishes, public_key, usual=usual)
    dates = carried_dates(old, request.offset, ctx.now)
    start = wishes.date(Tag.ACTIVATION_DATE) or dates[Tag.ACTIVATION_DATE]
    end = wishes.date(Tag.DEACTIVATION_DATE) or dates[Tag.DEACTIVATION_DATE]
    not_before = ctx.now if start is None else max(start, ctx.now)
    value = request.certificate_request or request.certificate_request_value
    issued = await ctx.crypto.certify(
        CertificateOrder(
            request=given_request(request.certificate_request_type, value, stored),
            public_key=None if public_key is None else require_certifiable(public_key),
            previous=before,
            subject=wishes.subject,
            name=old.unique_identifier,
            usage=wishes.usage,
            signature_algorithm=wishes.signature_algorithm,
            not_before=not_before,
            # An end that has passed makes a Deactivated object, as the table has it, of a whole certificate.
            not_after=end if end is not None and end > not_before else None,
        ),
        issuer,
    )
    spend(signer, len(issued.certificate.certificate_value))
    new = ctx.objects.create(ObjectType.CERTIFICATE)
    await describe(ctx, new, issued.certificate)
    replace(ctx, old, new, offset=request.offset, given=wishes.rest)
    if value is not None:
        new.set(Tag.CERTIFICATE_REQUEST_LINK, None)  # that of the old certificate is not the one it came from
    elif stored is not None:
        new.set(Tag.CERTIFICATE_REQUEST_LINK, stored.unique_identifier)
    if authority is not None:
        link(new, LinkType.CERTIFICATE_LINK, authority)
    if public_key is not None:
        link(new, LinkType.PUBLIC_KEY_LINK, public_key)
        _redirect(public_key, old, new)
    ctx.objects.place(new.unique_identifier)
    return ReCertifyResponse(unique_identifier=new.unique_identifier)


async def _get(ctx: Context, reference: ObjectReference | None) -> ManagedObject | None:
    return None if reference is None else await ctx.objects.get(reference)


def _redirect(public_key: ManagedObject, old: ManagedObject, new: ManagedObject) -> None:
    """Let the public key's link to the old certificate lead to the new one."""
    was, becomes = old.unique_identifier, new.unique_identifier
    links = public_key.attributes.get(Tag.LINK, ())
    public_key.put(
        Tag.LINK,
        tuple(
            instance._replace(value=instance.value.replace(linked_object_identifier=becomes))
            if instance.value.link_type is LinkType.CERTIFICATE_LINK
            and instance.value.linked_object_identifier == was
            else instance
            for instance in links
        ),
    )
