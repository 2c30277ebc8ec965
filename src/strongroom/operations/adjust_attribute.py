"""Adjust Attribute (KMIP 2.x §6.1.3)."""

from typing import Annotated

from strongroom.attributes import rules
from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import AttributeKey, RawForm, RawValue
from strongroom.model.attribute_shapes import AttributeReferenceShape
from strongroom.model.convert import ValueShape
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.registry import V2_0, AdjustmentType, Operation


class AdjustAttributeResponse(Response):
    unique_identifier: UniqueIdentifier


class AdjustAttributeRequest(Request[AdjustAttributeResponse]):
    unique_identifier: ObjectReference | None = None
    attribute_reference: Annotated[AttributeKey, AttributeReferenceShape()]
    adjustment_type: AdjustmentType
    adjustment_value: Annotated[RawValue | None, ValueShape(RawForm())] = None


@operation(Operation.ADJUST_ATTRIBUTE, since=V2_0, needs=Permission.CHANGE_ATTRIBUTES)
async def adjust_attribute(ctx: Context, request: AdjustAttributeRequest) -> AdjustAttributeResponse:
    obj = await ctx.objects.get(request.unique_identifier)
    rules.adjust(
        obj,
        request.attribute_reference,
        request.adjustment_type,
        request.adjustment_value,
        now=ctx.now,
    )
    return AdjustAttributeResponse(unique_identifier=obj.unique_identifier)
