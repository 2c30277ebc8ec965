"""Recover (KMIP 1.x §4.23, 2.x §6.1.48)."""

from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.registry import V1_0, Operation, Tag


class RecoverResponse(Response):
    unique_identifier: UniqueIdentifier


class RecoverRequest(Request[RecoverResponse]):
    unique_identifier: ObjectReference | None = None


@operation(Operation.RECOVER, since=V1_0, needs=Permission.ARCHIVE)
async def recover(ctx: Context, request: RecoverRequest) -> RecoverResponse:
    obj = await ctx.objects.get(request.unique_identifier, archived=True)
    if obj.archived:
        obj.archived = False
        obj.set(Tag.ARCHIVE_DATE, None)
    ctx.objects.place(obj.unique_identifier)
    return RecoverResponse(unique_identifier=obj.unique_identifier)
