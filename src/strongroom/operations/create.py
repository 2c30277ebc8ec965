"""Create (KMIP 1.x §4.1, 2.x §6.1.8)."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Final, TypeAlias

from strongroom.domain.context import Another, Context
from strongroom.domain.errors import InvalidField, InvalidObjectType
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.usual_use import usual_use
from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import ManagedObjectStruct, SecretData, SymmetricKey
from strongroom.model.struct import Since, Until
from strongroom.model.structures import ProtectionStorageMasks
from strongroom.procedures.creation import digest_too, dress, first, gather, in_wanted_format
from strongroom.procedures.factory import has_defaults
from strongroom.procedures.likeness import make_like, model_of, name_in, renamed
from strongroom.procedures.storage import require_storage
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

_Maker: TypeAlias = Callable[..., Awaitable[tuple[int | None, ManagedObjectStruct]]]
"""Makes material; returns its Cryptographic Length and the material."""


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
    require_storage(request.protection_storage_masks)
    given = await gather(ctx, request.attributes, object_type=request.object_type)
    make = _MAKERS.get(request.object_type)
    if make is None:
        raise InvalidObjectType("Create makes symmetric keys and secret data; use Register for what you have")
    algorithm = first(given, Tag.CRYPTOGRAPHIC_ALGORITHM)
    length = first(given, Tag.CRYPTOGRAPHIC_LENGTH)
    make_one = partial(make, algorithm=algorithm, length=length if isinstance(length, int) else None)
    actual_length, made = await make_one(ctx)
    obj = ctx.objects.create(request.object_type)
    obj.set(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm)
    obj.set(Tag.CRYPTOGRAPHIC_LENGTH, actual_length)
    unmasked = first(given, Tag.CRYPTOGRAPHIC_USAGE_MASK) is None
    if unmasked and isinstance(made, SymmetricKey) and isinstance(algorithm, CryptographicAlgorithm):
        # INTEROP(OASIS TC-CS-CORVAL-1): 1.4 table 165 requires a mask, its own test case leaves it out.
        obj.set(Tag.CRYPTOGRAPHIC_USAGE_MASK, usual_use(obj.object_type, algorithm))
    obj.material = await in_wanted_format(ctx, made, first(given, Tag.KEY_FORMAT_TYPE))
    obj.set(Tag.ORIGINAL_CREATION_DATE, ctx.now)
    obj.set(Tag.RANDOM_NUMBER_GENERATOR, ctx.crypto.random_number_generator)
    dress(ctx, obj, given)
    digest_too(ctx, obj, made)
    model = await model_of(ctx, obj, request.attributes) if obj.material is made else None
    if model is not None:
        ctx.another = Another(name_in(request.attributes), partial(_another, request, model, make_one))
    return _made(ctx, obj)


async def _another(
    request: CreateRequest, model: ManagedObject, make_one: _Maker, ctx: Context, *, name: str | None
) -> CreateResponse:
    """Do a request that differs in the text of the Name only."""
    if await has_defaults(ctx):
        return await create(ctx, request.replace(attributes=renamed(request.attributes, name)))
    _, made = await make_one(ctx)
    return _made(ctx, make_like(ctx, model, made, name))


def _made(ctx: Context, obj: ManagedObject) -> CreateResponse:
    ctx.objects.place(obj.unique_identifier)
    return CreateResponse(object_type=obj.object_type, unique_identifier=obj.unique_identifier)


async def _symmetric_key(
    ctx: Context, *, algorithm: object, length: int | None
) -> tuple[int | None, ManagedObjectStruct]:
    if not isinstance(algorithm, CryptographicAlgorithm):
        raise InvalidField("Create needs a Cryptographic Algorithm that this server knows")
    block = await ctx.crypto.create_symmetric_key(algorithm, length)
    return block.cryptographic_length, SymmetricKey(key_block=block)


async def _secret_data(
    ctx: Context, *, algorithm: object, length: int | None
) -> tuple[int | None, ManagedObjectStruct]:
    """Make secret bytes; an algorithm may be said, but is not needed (KMIP 2.1 §3.1)."""
    length, block = await ctx.crypto.create_secret_data(length)
    # INTEROP(OASIS TC-CREATE-SD-1): Secret Data that the server makes is a Password.
    return length, SecretData(secret_data_type=SecretDataType.PASSWORD, key_block=block)


_MAKERS: Final[Mapping[ObjectType, _Maker]] = {
    ObjectType.SYMMETRIC_KEY: _symmetric_key,
    ObjectType.SECRET_DATA: _secret_data,
}
