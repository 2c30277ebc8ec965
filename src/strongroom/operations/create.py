"""Create (KMIP 1.x §4.1, 2.x §6.1.8)."""

from typing import Annotated

from strongroom.attributes.creation import dress, first, gather
from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField, InvalidObjectType
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import AttributesShape, TemplateAttributes
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import SecretData, SymmetricKey
from strongroom.model.struct import Since, Until
from strongroom.model.structures import ProtectionStorageMasks
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_0,
    CryptographicAlgorithm,
    ObjectType,
    Operation,
    SecretDataType,
    Tag,
)


class CreateResponse(Response):
    object_type: ObjectType
    unique_identifier: UniqueIdentifier
    attributes: Annotated[
        TemplateAttributes | None, Until(V1_4), AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE)
    ] = None


class CreateRequest(Request[CreateResponse]):
    object_type: ObjectType
    attributes: Annotated[
        TemplateAttributes | None,
        AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE, always=True),
    ] = None
    protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None


@operation(Operation.CREATE, since=V1_0, needs=Permission.CREATE)
async def create(ctx: Context, request: CreateRequest) -> CreateResponse:
    if request.object_type not in (ObjectType.SYMMETRIC_KEY, ObjectType.SECRET_DATA):
        raise InvalidObjectType("Create makes symmetric keys and secret data; use Register for what you have")
    given = await gather(ctx, request.attributes)
    algorithm = first(given, Tag.CRYPTOGRAPHIC_ALGORITHM)
    length = first(given, Tag.CRYPTOGRAPHIC_LENGTH)
    if not isinstance(algorithm, CryptographicAlgorithm):
        raise InvalidField("Create needs a Cryptographic Algorithm that this server knows")
    if first(given, Tag.CRYPTOGRAPHIC_USAGE_MASK) is None:
        raise InvalidField("Create needs a Cryptographic Usage Mask")
    key_block = await ctx.crypto.create_symmetric_key(algorithm, length if isinstance(length, int) else None)
    obj = ctx.objects.create(request.object_type)
    obj.material = (
        SymmetricKey(key_block=key_block)
        if request.object_type is ObjectType.SYMMETRIC_KEY
        else SecretData(secret_data_type=SecretDataType.SEED, key_block=key_block)
    )
    obj.set(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm)
    obj.set(Tag.CRYPTOGRAPHIC_LENGTH, key_block.cryptographic_length)
    obj.set(Tag.ORIGINAL_CREATION_DATE, ctx.now)
    obj.set(Tag.RANDOM_NUMBER_GENERATOR, ctx.crypto.random_number_generator)
    dress(ctx, obj, given)
    ctx.objects.place(obj.unique_identifier)
    return CreateResponse(object_type=obj.object_type, unique_identifier=obj.unique_identifier)
