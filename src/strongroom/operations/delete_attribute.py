"""Delete Attribute (KMIP 1.x §4.16, 2.x §6.1.13)."""

from typing import Annotated

from strongroom.attributes import rules
from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import AttributeInstance, AttributeKey
from strongroom.model.attribute_shapes import AttributeReferenceShape, SingleAttributeShape
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.struct import Implied, Int32, Since, Until
from strongroom.registry import V1_0, V1_4, V2_0, Operation, Tag


class DeleteAttributeResponse(Response):
    unique_identifier: UniqueIdentifier
    attribute: Annotated[AttributeInstance | None, Until(V1_4), SingleAttributeShape(Tag.NEW_ATTRIBUTE)] = (
        None
    )


class DeleteAttributeRequest(Request[DeleteAttributeResponse]):
    """1.x names one instance by its index (0 when left out, but 1.0); 2.x gives one, or refers to all."""

    unique_identifier: ObjectReference | None = None
    current_attribute: Annotated[
        AttributeInstance | None, Since(V2_0), SingleAttributeShape(Tag.CURRENT_ATTRIBUTE)
    ] = None
    attribute_reference: Annotated[
        AttributeKey | None, Since(V2_0), AttributeReferenceShape(Tag.ATTRIBUTE_REFERENCE)
    ] = None
    attribute_name: Annotated[
        AttributeKey | None, Until(V1_4), AttributeReferenceShape(Tag.ATTRIBUTE_NAME)
    ] = None
    attribute_index: Annotated[Int32 | None, Until(V1_4)] = None
    # SPEC(KMIP 1.0 §4.15): of several instances, it deletes none without an index.
    several_need_an_index: Annotated[bool, Implied(V1_0, V1_0)] = False


@operation(Operation.DELETE_ATTRIBUTE, since=V1_0, needs=Permission.CHANGE_ATTRIBUTES)
async def delete_attribute(ctx: Context, request: DeleteAttributeRequest) -> DeleteAttributeResponse:
    obj = await ctx.objects.get(request.unique_identifier)
    if request.current_attribute is not None:
        current = request.current_attribute
        deleted = rules.delete(obj, key=current.key, value=current.value, now=ctx.now)
    elif request.attribute_reference is not None:
        deleted = rules.delete(obj, key=request.attribute_reference, now=ctx.now)
    elif request.attribute_name is not None:
        index, only = request.attribute_index, request.several_need_an_index
        if index is None and not only:
            index = 0
        deleted = rules.delete(obj, key=request.attribute_name, index=index, only=only, now=ctx.now)
    else:
        raise InvalidField("Delete Attribute needs the attribute to delete")
    return DeleteAttributeResponse(unique_identifier=obj.unique_identifier, attribute=deleted)
