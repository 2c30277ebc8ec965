"""Archive (KMIP 1.x §4.22, 2.x §6.1.4)."""

from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.registry import V1_0, Operation, Tag


class ArchiveResponse(Response):
    unique_identifier: UniqueIdentifier


class ArchiveRequest(Request[ArchiveResponse]):
    unique_identifier: ObjectReference | None = None


@operation(Operation.ARCHIVE, since=V1_0, needs=Permission.ARCHIVE)
async def archive(ctx: Context, request: ArchiveRequest) -> ArchiveResponse:
    obj = await ctx.objects.get(request.unique_identifier)
    obj.archived = True
    obj.set(Tag.ARCHIVE_DATE, ctx.now)
    return ArchiveResponse(unique_identifier=obj.unique_identifier)
