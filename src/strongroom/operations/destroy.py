"""Destroy (KMIP 1.x §4.21, 2.x §6.1.15)."""

from strongroom.domain.context import Context
from strongroom.domain.lifecycle import Event
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.registry import V1_0, Operation, Tag


class DestroyResponse(Response):
    unique_identifier: UniqueIdentifier


class DestroyRequest(Request[DestroyResponse]):
    unique_identifier: ObjectReference | None = None


@operation(Operation.DESTROY, since=V1_0, needs=Permission.DESTROY)
async def destroy(ctx: Context, request: DestroyRequest) -> DestroyResponse:
    obj = await ctx.objects.get(request.unique_identifier)
    obj.apply(Event.DESTROY)
    obj.material = None
    obj.set(Tag.DESTROY_DATE, ctx.now)
    return DestroyResponse(unique_identifier=obj.unique_identifier)
