"""Get Attribute List (KMIP 1.x §4.13, 2.x §6.1.21)."""

from typing import Annotated

from strongroom.attributes.rules import keys
from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import AttributeKey
from strongroom.model.attribute_shapes import AttributeReferenceShape
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.registry import V1_0, Operation


class GetAttributeListResponse(Response):
    unique_identifier: UniqueIdentifier
    attribute_reference: Annotated[tuple[AttributeKey, ...], AttributeReferenceShape()] = ()


class GetAttributeListRequest(Request[GetAttributeListResponse]):
    unique_identifier: ObjectReference | None = None


@operation(Operation.GET_ATTRIBUTE_LIST, since=V1_0, needs=Permission.READ_ATTRIBUTES, repeatable=True)
async def get_attribute_list(ctx: Context, request: GetAttributeListRequest) -> GetAttributeListResponse:
    obj = await ctx.objects.get(request.unique_identifier, archived=True, destroyed=True)
    return GetAttributeListResponse(
        unique_identifier=obj.unique_identifier, attribute_reference=tuple(keys(obj, ctx.now))
    )
