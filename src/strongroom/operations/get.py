"""Get (KMIP 1.x §4.11, 2.x §6.1.20)."""

from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.objects import ManagedObjectStruct, ObjectShape
from strongroom.model.struct import Since
from strongroom.model.wrapping import KeyWrappingSpecification
from strongroom.procedures.retrieval import Wanted, given_out
from strongroom.registry import (
    V1_0,
    V1_4,
    KeyCompressionType,
    KeyFormatType,
    KeyWrapType,
    ObjectType,
    Operation,
    Tag,
)


class GetResponse(Response):
    object_type: ObjectType
    unique_identifier: UniqueIdentifier
    managed_object: Annotated[ManagedObjectStruct, ObjectShape()]


class GetRequest(Request[GetResponse]):
    unique_identifier: ObjectReference | None = None
    key_format_type: KeyFormatType | None = None
    key_wrap_type: Annotated[KeyWrapType | None, Since(V1_4)] = None
    key_compression_type: KeyCompressionType | None = None
    key_wrapping_specification: KeyWrappingSpecification | None = None


@operation(Operation.GET, since=V1_0, needs=Permission.GET, repeatable=True)
async def get(ctx: Context, request: GetRequest) -> GetResponse:
    obj = await ctx.objects.get(request.unique_identifier)
    managed_object = await given_out(
        ctx,
        obj,
        Wanted(
            key_format_type=request.key_format_type,
            key_wrap_type=request.key_wrap_type,
            key_compression_type=request.key_compression_type,
            key_wrapping_specification=request.key_wrapping_specification,
        ),
    )
    if obj.value(Tag.FRESH):
        # SPEC(KMIP 2.1 §4.24): an object is fresh until it was served via Get (docs/decisions/0065).
        obj.note(Tag.FRESH, value=False)
    return GetResponse(
        object_type=obj.object_type,
        unique_identifier=obj.unique_identifier,
        managed_object=managed_object,
    )
