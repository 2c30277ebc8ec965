"""Set Attribute (KMIP 2.x §6.1.49)."""

from typing import Annotated

from strongroom.attributes import rules
from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.attribute_shapes import SingleAttributeShape
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.procedures.circles import require_no_circle
from strongroom.registry import V2_0, Operation, Tag


class SetAttributeResponse(Response):
    unique_identifier: UniqueIdentifier


class SetAttributeRequest(Request[SetAttributeResponse]):
    unique_identifier: ObjectReference | None = None
    new_attribute: Annotated[AttributeInstance, SingleAttributeShape(Tag.NEW_ATTRIBUTE)]


@operation(Operation.SET_ATTRIBUTE, since=V2_0, needs=Permission.CHANGE_ATTRIBUTES)
async def set_attribute(ctx: Context, request: SetAttributeRequest) -> SetAttributeResponse:
    obj = await ctx.objects.get(request.unique_identifier)
    rules.set_attribute(obj, request.new_attribute, now=ctx.now)
    await require_no_circle(ctx, obj, request.new_attribute)
    return SetAttributeResponse(unique_identifier=obj.unique_identifier)
