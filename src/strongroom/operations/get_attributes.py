"""Get Attributes (KMIP 1.x §4.12, 2.x §6.1.22)."""

from typing import Annotated

from strongroom.attributes.rules import select, visible
from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidMessage
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import AttributeKey, Attributes, TemplateAttributes
from strongroom.model.attribute_shapes import AttributeReferenceShape, AttributesShape
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.registry import V1_0, Operation, Tag


class GetAttributesResponse(Response):
    unique_identifier: UniqueIdentifier
    attributes: Annotated[TemplateAttributes, AttributesShape(Tag.ATTRIBUTES, None, always=True)] = (
        TemplateAttributes()
    )


class GetAttributesRequest(Request[GetAttributesResponse]):
    unique_identifier: ObjectReference | None = None
    attribute_reference: Annotated[tuple[AttributeKey, ...], AttributeReferenceShape()] = ()


@operation(Operation.GET_ATTRIBUTES, since=V1_0, needs=Permission.READ_ATTRIBUTES, repeatable=True)
async def get_attributes(ctx: Context, request: GetAttributesRequest) -> GetAttributesResponse:
    obj = await ctx.objects.get(request.unique_identifier, archived=True, destroyed=True)
    wanted = request.attribute_reference
    if len(set(wanted)) != len(wanted):
        raise InvalidMessage("an attribute is asked for more than once")
    instances = select(obj, wanted, ctx.now) if wanted else visible(obj, ctx.now)
    return GetAttributesResponse(
        unique_identifier=obj.unique_identifier,
        attributes=TemplateAttributes(attributes=Attributes(instances)),
    )
