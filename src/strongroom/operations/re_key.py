"""Re-key (KMIP 1.x §4.4, 2.x §6.1.46)."""

from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField, InvalidObjectType
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.objects import SymmetricKey
from strongroom.model.struct import Seconds, Since, Until
from strongroom.model.structures import ProtectionStorageMasks
from strongroom.procedures.creation import digest_too, gather, in_format_of
from strongroom.procedures.replacement import replace, require_here, said_or_kept
from strongroom.procedures.storage import require_storage
from strongroom.registry import V1_0, V1_4, V2_0, CryptographicAlgorithm, ObjectType, Operation, Tag


class ReKeyResponse(Response):
    unique_identifier: UniqueIdentifier
    attributes: Annotated[
        TemplateAttributes | None, Until(V1_4), AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE)
    ] = None


class ReKeyRequest(Request[ReKeyResponse]):
    unique_identifier: ObjectReference | None = None
    offset: Seconds | None = None
    attributes: Annotated[
        TemplateAttributes | None, AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE)
    ] = None
    protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None


@operation(Operation.RE_KEY, since=V1_0, needs=Permission.RE_KEY)
async def re_key(ctx: Context, request: ReKeyRequest) -> ReKeyResponse:
    require_storage(request.protection_storage_masks)
    old = await ctx.objects.get(request.unique_identifier)
    if old.object_type is not ObjectType.SYMMETRIC_KEY:
        raise InvalidObjectType("Re-key replaces symmetric keys; Re-key Key Pair replaces pairs")
    require_here(old)
    given = await gather(ctx, request.attributes)
    algorithm = said_or_kept(given, old, Tag.CRYPTOGRAPHIC_ALGORITHM)
    if not isinstance(algorithm, CryptographicAlgorithm):
        raise InvalidField("Re-key needs a Cryptographic Algorithm that this server knows")
    length = said_or_kept(given, old, Tag.CRYPTOGRAPHIC_LENGTH)
    block = await ctx.crypto.create_symmetric_key(algorithm, length if isinstance(length, int) else None)
    new = ctx.objects.create(ObjectType.SYMMETRIC_KEY)
    made = SymmetricKey(key_block=block)
    new.set(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm)
    new.set(Tag.CRYPTOGRAPHIC_LENGTH, block.cryptographic_length)
    new.material = await in_format_of(ctx, old, made, given)
    replace(ctx, old, new, offset=request.offset, given=given)
    digest_too(ctx, new, made)
    ctx.objects.place(new.unique_identifier)
    return ReKeyResponse(unique_identifier=new.unique_identifier)
