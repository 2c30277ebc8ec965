"""Obliterate (KMIP 3.0, known from its tables and test cases)."""

from strongroom.domain.context import Context
from strongroom.domain.errors import WrongKeyLifecycleState
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.identifiers import ObjectReference
from strongroom.registry import V3_0, Operation, State


class ObliterateResponse(Response):
    pass


class ObliterateRequest(Request[ObliterateResponse]):
    unique_identifier: ObjectReference | None = None


@operation(Operation.OBLITERATE, since=V3_0, needs=Permission.OBLITERATE)
async def obliterate(ctx: Context, request: ObliterateRequest) -> ObliterateResponse:
    obj = await ctx.objects.get(request.unique_identifier, archived=True, destroyed=True)
    # What Destroy protects, the stronger operation protects too.
    if obj.state is State.ACTIVE:
        raise WrongKeyLifecycleState("the object is Active; Revoke or Deactivate it first")
    obj.remove()
    return ObliterateResponse()
