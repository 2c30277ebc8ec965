"""Create Group (KMIP 3.0)."""

from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.procedures.creation import dress, gather
from strongroom.registry import V3_0, ObjectType, Operation, Tag


class CreateGroupResponse(Response):
    unique_identifier: UniqueIdentifier


class CreateGroupRequest(Request[CreateGroupResponse]):
    attributes: Annotated[TemplateAttributes | None, AttributesShape(Tag.ATTRIBUTES, None, always=True)] = (
        None
    )


@operation(Operation.CREATE_GROUP, since=V3_0, needs=Permission.MANAGE_USERS)
async def create_group(ctx: Context, request: CreateGroupRequest) -> CreateGroupResponse:
    obj = ctx.objects.create(ObjectType.GROUP)
    dress(ctx, obj, await gather(ctx, request.attributes))
    ctx.objects.place(obj.unique_identifier)
    return CreateGroupResponse(unique_identifier=obj.unique_identifier)
