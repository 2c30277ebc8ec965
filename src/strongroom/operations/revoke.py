"""Revoke (KMIP 1.x §4.20, 2.x §6.1.44)."""

from datetime import datetime

from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField, InvalidObjectType
from strongroom.domain.lifecycle import REVOCATIONS, Event
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.structures import RevocationReason
from strongroom.registry import V1_0, Operation, RevocationReasonCode, Tag


class RevokeResponse(Response):
    unique_identifier: UniqueIdentifier


class RevokeRequest(Request[RevokeResponse]):
    unique_identifier: ObjectReference | None = None
    revocation_reason: RevocationReason | None = None
    compromise_occurrence_date: datetime | None = None


@operation(Operation.REVOKE, since=V1_0, needs=Permission.REVOKE)
async def revoke(ctx: Context, request: RevokeRequest) -> RevokeResponse:
    # DEVIATION(KMIP 1.x §4.20, 2.1 §6.1.44): required there, Unspecified here; docs/decisions/0015.
    reason = request.revocation_reason or RevocationReason(
        revocation_reason_code=RevocationReasonCode.UNSPECIFIED
    )
    event = REVOCATIONS.get(reason.revocation_reason_code)
    if event is None:
        raise InvalidField("the Revocation Reason Code is not one that this server knows")
    compromised = event is Event.COMPROMISE
    if request.compromise_occurrence_date is not None and not compromised:
        raise InvalidField("a Compromise Occurrence Date goes with Key Compromise and CA Compromise only")
    obj = await ctx.objects.get(request.unique_identifier, destroyed=True)
    if obj.state is None:
        raise InvalidObjectType("an object of this type cannot be revoked")
    obj.apply(event)
    obj.set(Tag.REVOCATION_REASON, reason)
    if compromised:
        occurred = request.compromise_occurrence_date or obj.value(Tag.INITIAL_DATE)
        obj.set(Tag.COMPROMISE_DATE, ctx.now)
        obj.set(Tag.COMPROMISE_OCCURRENCE_DATE, occurred)
    else:
        obj.set(Tag.DEACTIVATION_DATE, ctx.now)
    return RevokeResponse(unique_identifier=obj.unique_identifier)
