"""Add Attribute (KMIP 1.x §4.14, 2.x §6.1.2)."""

from typing import Annotated

from strongroom.attributes import rules
from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.attribute_shapes import SingleAttributeShape
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.struct import Until
from strongroom.procedures.circles import require_no_circle
from strongroom.registry import V1_0, V1_4, Operation, Tag


class AddAttributeResponse(Response):
    unique_identifier: UniqueIdentifier
    attribute: Annotated[AttributeInstance | None, Until(V1_4), SingleAttributeShape(Tag.NEW_ATTRIBUTE)] = (
        None
    )


class AddAttributeRequest(Request[AddAttributeResponse]):
    unique_identifier: ObjectReference | None = None
    new_attribute: Annotated[AttributeInstance, SingleAttributeShape(Tag.NEW_ATTRIBUTE)]


@operation(Operation.ADD_ATTRIBUTE, since=V1_0, needs=Permission.CHANGE_ATTRIBUTES)
async def add_attribute(ctx: Context, request: AddAttributeRequest) -> AddAttributeResponse:
    obj = await ctx.objects.get(request.unique_identifier)
    added = rules.add(obj, request.new_attribute, now=ctx.now)
    await require_no_circle(ctx, obj, request.new_attribute)
    return AddAttributeResponse(unique_identifier=obj.unique_identifier, attribute=added)
