"""Deactivate (KMIP 3.0, known from its tables and test cases)."""

from datetime import datetime

from strongroom.attributes.conditions import check_dates, deactivation_date_is_open
from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidObjectType
from strongroom.domain.lifecycle import Event
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.structures import DeactivationReason
from strongroom.registry import V3_0, DeactivationReasonCode, Operation, Tag


class DeactivateResponse(Response):
    unique_identifier: UniqueIdentifier


class DeactivateRequest(Request[DeactivateResponse]):
    unique_identifier: ObjectReference | None = None
    deactivation_reason: DeactivationReason | None = None
    deactivation_date: datetime | None = None  # None: now


@operation(Operation.DEACTIVATE, since=V3_0, needs=Permission.REVOKE)
async def deactivate(ctx: Context, request: DeactivateRequest) -> DeactivateResponse:
    obj = await ctx.objects.get(request.unique_identifier)
    if obj.state is None:
        raise InvalidObjectType("an object of this type has no state to deactivate")
    date = request.deactivation_date or ctx.now
    if date > ctx.now:
        deactivation_date_is_open(obj, ctx.now)
    else:
        obj.apply(Event.DEACTIVATE)
    check_dates(obj, ctx.now, {Tag.DEACTIVATION_DATE}, date)
    obj.set(Tag.DEACTIVATION_DATE, date)
    obj.set(
        Tag.DEACTIVATION_REASON,
        request.deactivation_reason
        or DeactivationReason(deactivation_reason_code=DeactivationReasonCode.UNSPECIFIED),
    )
    return DeactivateResponse(unique_identifier=obj.unique_identifier)
