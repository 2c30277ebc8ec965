"""Export (KMIP 1.4 §4.40, 2.x §6.1.18)."""

from typing import Annotated

from strongroom.attributes.rules import visible
from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import AttributeInstance, Attributes, TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.objects import WITHOUT_MATERIAL, ManagedObjectStruct, ObjectShape
from strongroom.model.wrapping import KeyWrappingSpecification
from strongroom.procedures.retrieval import Wanted, given_out
from strongroom.procedures.wrapping import key_block_of
from strongroom.registry import (
    V1_4,
    KeyCompressionType,
    KeyFormatType,
    KeyWrapType,
    ObjectType,
    Operation,
    Tag,
)


class ExportResponse(Response):
    """`managed_object` is None where attributes are all there is: of a User, a Group, what was destroyed."""

    object_type: ObjectType
    unique_identifier: UniqueIdentifier
    attributes: Annotated[TemplateAttributes, AttributesShape(Tag.ATTRIBUTES, None, always=True)] = (
        TemplateAttributes()
    )
    managed_object: Annotated[ManagedObjectStruct | None, ObjectShape()] = None


class ExportRequest(Request[ExportResponse]):
    unique_identifier: ObjectReference | None = None
    key_format_type: KeyFormatType | None = None
    key_wrap_type: KeyWrapType | None = None
    key_compression_type: KeyCompressionType | None = None
    key_wrapping_specification: KeyWrappingSpecification | None = None


@operation(Operation.EXPORT, since=V1_4, needs=Permission.EXPORT)
async def export(ctx: Context, request: ExportRequest) -> ExportResponse:
    obj = await ctx.objects.get(request.unique_identifier, destroyed=True)
    wanted = Wanted(
        key_format_type=request.key_format_type,
        key_wrap_type=request.key_wrap_type,
        key_compression_type=request.key_compression_type,
        key_wrapping_specification=request.key_wrapping_specification,
    )
    bare = obj.destroyed or obj.object_type in WITHOUT_MATERIAL
    managed_object = None if bare else await given_out(ctx, obj, wanted)
    attributes = visible(obj, ctx.now)
    key_block = key_block_of(managed_object)
    if key_block is not None:
        # Import compares it with the object beside it.
        written = AttributeInstance(Tag.KEY_FORMAT_TYPE, key_block.key_format_type)
        attributes = [written if a.key is Tag.KEY_FORMAT_TYPE else a for a in attributes]
    ctx.objects.place(obj.unique_identifier)
    return ExportResponse(
        object_type=obj.object_type,
        unique_identifier=obj.unique_identifier,
        attributes=TemplateAttributes(attributes=Attributes(attributes)),
        managed_object=managed_object,
    )
