"""Activate (KMIP 1.x §4.19, 2.x §6.1.1)."""

from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidObjectType
from strongroom.domain.lifecycle import Event
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.registry import V1_0, Operation, Tag


class ActivateResponse(Response):
    unique_identifier: UniqueIdentifier


class ActivateRequest(Request[ActivateResponse]):
    unique_identifier: ObjectReference | None = None  # None: the ID Placeholder


@operation(Operation.ACTIVATE, since=V1_0, needs=Permission.ACTIVATE)
async def activate(ctx: Context, request: ActivateRequest) -> ActivateResponse:
    obj = await ctx.objects.get(request.unique_identifier)
    if obj.state is None:
        raise InvalidObjectType("an object of this type has no state to activate")
    obj.apply(Event.ACTIVATE)
    # SPEC(KMIP 2.1 §4.57): the Activation Date becomes the time of the Activate operation.
    obj.set(Tag.ACTIVATION_DATE, ctx.now)
    return ActivateResponse(unique_identifier=obj.unique_identifier)
