"""Modify Attribute (KMIP 1.x §4.15, 2.x §6.1.34)."""

from typing import Annotated

from strongroom.attributes import rules
from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.attribute_shapes import SingleAttributeShape
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.struct import Since, Until
from strongroom.procedures.circles import require_no_circle
from strongroom.registry import V1_0, V1_4, V2_0, Operation, Tag


class ModifyAttributeResponse(Response):
    unique_identifier: UniqueIdentifier
    attribute: Annotated[AttributeInstance | None, Until(V1_4), SingleAttributeShape(Tag.NEW_ATTRIBUTE)] = (
        None
    )


class ModifyAttributeRequest(Request[ModifyAttributeResponse]):
    unique_identifier: ObjectReference | None = None
    current_attribute: Annotated[
        AttributeInstance | None, Since(V2_0), SingleAttributeShape(Tag.CURRENT_ATTRIBUTE)
    ] = None
    new_attribute: Annotated[AttributeInstance, SingleAttributeShape(Tag.NEW_ATTRIBUTE)]


@operation(Operation.MODIFY_ATTRIBUTE, since=V1_0, needs=Permission.CHANGE_ATTRIBUTES)
async def modify_attribute(ctx: Context, request: ModifyAttributeRequest) -> ModifyAttributeResponse:
    obj = await ctx.objects.get(request.unique_identifier)
    modified = rules.modify(obj, request.current_attribute, request.new_attribute, now=ctx.now)
    await require_no_circle(ctx, obj, request.new_attribute)
    return ModifyAttributeResponse(unique_identifier=obj.unique_identifier, attribute=modified)
