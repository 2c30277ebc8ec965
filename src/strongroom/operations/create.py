"""Create (KMIP 1.x §4.1, 2.x §6.1.8)."""

from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField, InvalidObjectType
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.usual_use import usual_use
from strongroom.model.attribute_list import AttributeInstance, TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import ManagedObjectStruct, SecretData, SymmetricKey
from strongroom.model.struct import Since, Until
from strongroom.model.structures import ProtectionStorageMasks
from strongroom.procedures.creation import digest_too, dress, first, gather, in_wanted_format
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
    given = await gather(ctx, request.attributes, object_type=request.object_type)
    match request.object_type:
        case ObjectType.SYMMETRIC_KEY:
            obj, made = await _symmetric_key(ctx, given)
        case ObjectType.SECRET_DATA:
            obj, made = await _secret_data(ctx, given)
        case _:
            raise InvalidObjectType(
                "Create makes symmetric keys and secret data; use Register for what you have"
            )
    obj.material = await in_wanted_format(ctx, made, first(given, Tag.KEY_FORMAT_TYPE))
    obj.set(Tag.ORIGINAL_CREATION_DATE, ctx.now)
    obj.set(Tag.RANDOM_NUMBER_GENERATOR, ctx.crypto.random_number_generator)
    dress(ctx, obj, given)
    digest_too(ctx, obj, made)
    ctx.objects.place(obj.unique_identifier)
    return CreateResponse(object_type=obj.object_type, unique_identifier=obj.unique_identifier)


async def _symmetric_key(
    ctx: Context, given: list[AttributeInstance]
) -> tuple[ManagedObject, ManagedObjectStruct]:
    algorithm = first(given, Tag.CRYPTOGRAPHIC_ALGORITHM)
    if not isinstance(algorithm, CryptographicAlgorithm):
        raise InvalidField("Create needs a Cryptographic Algorithm that this server knows")
    block = await ctx.crypto.create_symmetric_key(algorithm, _length(given))
    obj = ctx.objects.create(ObjectType.SYMMETRIC_KEY)
    obj.set(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm)
    obj.set(Tag.CRYPTOGRAPHIC_LENGTH, block.cryptographic_length)
    if first(given, Tag.CRYPTOGRAPHIC_USAGE_MASK) is None:
        # INTEROP(OASIS TC-CS-CORVAL-1): 1.4 table 165 requires a mask, its own test case leaves it out.
        obj.set(Tag.CRYPTOGRAPHIC_USAGE_MASK, usual_use(obj.object_type, algorithm))
    return obj, SymmetricKey(key_block=block)


async def _secret_data(
    ctx: Context, given: list[AttributeInstance]
) -> tuple[ManagedObject, ManagedObjectStruct]:
    """Make secret bytes; an algorithm may be said, but is not needed (KMIP 2.1 §3.1)."""
    length, block = await ctx.crypto.create_secret_data(_length(given))
    obj = ctx.objects.create(ObjectType.SECRET_DATA)
    obj.set(Tag.CRYPTOGRAPHIC_ALGORITHM, first(given, Tag.CRYPTOGRAPHIC_ALGORITHM))
    obj.set(Tag.CRYPTOGRAPHIC_LENGTH, length)
    # INTEROP(OASIS TC-CREATE-SD-1): Secret Data that the server makes is a Password.
    return obj, SecretData(secret_data_type=SecretDataType.PASSWORD, key_block=block)


def _length(given: list[AttributeInstance]) -> int | None:
    length = first(given, Tag.CRYPTOGRAPHIC_LENGTH)
    return length if isinstance(length, int) else None
