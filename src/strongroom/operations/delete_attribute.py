"""Delete Attribute (KMIP 1.x §4.16, 2.x §6.1.13)."""

from typing import Annotated

from strongroom.attributes import rules
from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import (
    AttributeInstance,
    AttributeKey,
    AttributeReferenceShape,
    SingleAttributeShape,
)
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.struct import Int32, Since, Until
from strongroom.registry import V1_0, V1_4, V2_0, Operation, Tag


class DeleteAttributeResponse(Response):
    unique_identifier: UniqueIdentifier
    attribute: Annotated[AttributeInstance | None, Until(V1_4), SingleAttributeShape(Tag.NEW_ATTRIBUTE)] = (
        None
    )


class DeleteAttributeRequest(Request[DeleteAttributeResponse]):
    """1.x names an attribute and an index, 2.x gives the attribute with its value or refers to it."""

    unique_identifier: ObjectReference | None = None
    current_attribute: Annotated[
        AttributeInstance | None, Since(V2_0), SingleAttributeShape(Tag.CURRENT_ATTRIBUTE)
    ] = None
    attribute_reference: Annotated[AttributeKey | None, AttributeReferenceShape()] = None
    attribute_index: Annotated[Int32 | None, Until(V1_4)] = None


@operation(Operation.DELETE_ATTRIBUTE, since=V1_0, needs=Permission.CHANGE_ATTRIBUTES)
async def delete_attribute(ctx: Context, request: DeleteAttributeRequest) -> DeleteAttributeResponse:
    obj = await ctx.objects.get(request.unique_identifier)
    current, reference = request.current_attribute, request.attribute_reference
    if current is not None:
        deleted = rules.delete(obj, key=current.key, value=current.value)
    elif reference is not None:
        deleted = rules.delete(obj, key=reference, index=request.attribute_index)
    else:
        raise InvalidField("Delete Attribute needs the attribute to delete")
    return DeleteAttributeResponse(unique_identifier=obj.unique_identifier, attribute=deleted)
