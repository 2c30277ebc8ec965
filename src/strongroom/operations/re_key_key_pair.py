"""Re-key Key Pair (KMIP 1.1 §4.5, 2.x §6.1.47)."""

from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField, InvalidObjectType
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.objects import PrivateKey, PublicKey
from strongroom.model.struct import Seconds, Since, Until
from strongroom.model.structures import ProtectionStorageMasks
from strongroom.operations.create_key_pair import COMMON, PRIVATE, PUBLIC, domain_of
from strongroom.procedures.creation import digest_too, gather, in_format_of, link
from strongroom.procedures.replacement import replace
from strongroom.registry import V1_1, V1_4, V2_0, V2_1, V3_0, LinkType, ObjectType, Operation, Tag


class ReKeyKeyPairResponse(Response):
    private_key_unique_identifier: UniqueIdentifier
    public_key_unique_identifier: UniqueIdentifier
    private_key_attributes: Annotated[TemplateAttributes | None, Until(V1_4), PRIVATE] = None
    public_key_attributes: Annotated[TemplateAttributes | None, Until(V1_4), PUBLIC] = None


class ReKeyKeyPairRequest(Request[ReKeyKeyPairResponse]):
    private_key_unique_identifier: Annotated[ObjectReference | None, Until(V2_1)] = None
    unique_identifier: Annotated[ObjectReference | None, Since(V3_0)] = None
    offset: Seconds | None = None
    common_attributes: Annotated[TemplateAttributes | None, COMMON] = None
    private_key_attributes: Annotated[TemplateAttributes | None, PRIVATE] = None
    public_key_attributes: Annotated[TemplateAttributes | None, PUBLIC] = None
    common_protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None
    private_protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None
    public_protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None


@operation(Operation.RE_KEY_KEY_PAIR, since=V1_1, needs=Permission.RE_KEY)
async def re_key_key_pair(ctx: Context, request: ReKeyKeyPairRequest) -> ReKeyKeyPairResponse:
    reference = request.private_key_unique_identifier
    old_private = await ctx.objects.get(request.unique_identifier if reference is None else reference)
    if old_private.object_type is not ObjectType.PRIVATE_KEY:
        raise InvalidObjectType("Re-key Key Pair takes the private key of the pair")
    old_public = await _public_key(ctx, old_private)
    made = await ctx.crypto.create_key_pair(
        old_private.value(Tag.CRYPTOGRAPHIC_ALGORITHM),
        old_private.value(Tag.CRYPTOGRAPHIC_LENGTH),
        *domain_of(old_private.value(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)),
    )
    values = PrivateKey(key_block=made[0]), PublicKey(key_block=made[1])
    private = ctx.objects.create(ObjectType.PRIVATE_KEY)
    public = ctx.objects.create(ObjectType.PUBLIC_KEY)
    link(private, LinkType.PUBLIC_KEY_LINK, public)
    link(public, LinkType.PRIVATE_KEY_LINK, private)
    common, offset = request.common_attributes, request.offset
    for old, new, value, own in (
        (old_private, private, values[0], request.private_key_attributes),
        (old_public, public, values[1], request.public_key_attributes),
    ):
        given = await gather(ctx, common, own)
        new.material = await in_format_of(ctx, old, value, given)
        replace(ctx, old, new, offset=offset, given=given)
        digest_too(ctx, new, value)
    ctx.objects.place(private.unique_identifier)
    return ReKeyKeyPairResponse(
        private_key_unique_identifier=private.unique_identifier,
        public_key_unique_identifier=public.unique_identifier,
    )


async def _public_key(ctx: Context, private: ManagedObject) -> ManagedObject:
    """Return the public key that the private key is linked to."""
    for target in private.values(Tag.LINK):
        if target.link_type is LinkType.PUBLIC_KEY_LINK:
            return await ctx.objects.get(target.linked_object_identifier)
    raise InvalidField("the private key has no Public Key Link; register both keys and link them first")
