"""Create User (KMIP 3.0)."""

from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.procedures.creation import dress, gather
from strongroom.registry import V3_0, ObjectType, Operation, Tag

CREDENTIALS = frozenset(
    {
        ObjectType.PASSWORD_CREDENTIAL,
        ObjectType.DEVICE_CREDENTIAL,
        ObjectType.ONE_TIME_PASSWORD_CREDENTIAL,
        ObjectType.HASHED_PASSWORD_CREDENTIAL,
        ObjectType.CERTIFICATE,
    }
)


class CreateUserResponse(Response):
    unique_identifier: UniqueIdentifier


class CreateUserRequest(Request[CreateUserResponse]):
    attributes: Annotated[TemplateAttributes | None, AttributesShape(Tag.ATTRIBUTES, None, always=True)] = (
        None
    )


@operation(Operation.CREATE_USER, since=V3_0, needs=Permission.MANAGE_USERS)
async def create_user(ctx: Context, request: CreateUserRequest) -> CreateUserResponse:
    obj = ctx.objects.create(ObjectType.USER)
    dress(ctx, obj, await gather(ctx, request.attributes))
    for tag, wanted, what in (
        (Tag.CREDENTIAL_LINK, CREDENTIALS, "a credential"),
        (Tag.GROUP_LINK, frozenset({ObjectType.GROUP}), "a group"),
    ):
        for target in obj.values(tag):
            if (await ctx.objects.get(target)).object_type not in wanted:
                raise InvalidField(f"{tag.name.replace('_', ' ').title()} names what is not {what}")
    ctx.objects.place(obj.unique_identifier)
    return CreateUserResponse(unique_identifier=obj.unique_identifier)
