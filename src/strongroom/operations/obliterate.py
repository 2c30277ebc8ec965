"""Obliterate (KMIP 3.0, known from its tables and test cases)."""

from strongroom.domain.context import Context
from strongroom.domain.errors import WrongKeyLifecycleState
from strongroom.domain.obliterated import Obliterated, obliterated_key
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
    if obj.generation:  # what the batch itself has made was never anybody's
        key = obliterated_key(obj.unique_identifier)
        await ctx.entries.get(Obliterated, key)
        ctx.entries.put(key, Obliterated(owner=obj.owner), shared=True)
    return ObliterateResponse()
