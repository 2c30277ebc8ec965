"""Obtain Lease (KMIP 1.x §4.17, 2.x §6.1.35)."""

from datetime import datetime

from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.struct import Seconds
from strongroom.procedures.lease import lease_of
from strongroom.registry import V1_0, Operation, Tag


class ObtainLeaseResponse(Response):
    unique_identifier: UniqueIdentifier
    lease_time: Seconds
    last_change_date: datetime


class ObtainLeaseRequest(Request[ObtainLeaseResponse]):
    unique_identifier: ObjectReference | None = None


@operation(Operation.OBTAIN_LEASE, since=V1_0, needs=Permission.LEASE)
async def obtain_lease(ctx: Context, request: ObtainLeaseRequest) -> ObtainLeaseResponse:
    obj = await ctx.objects.get(request.unique_identifier)
    return ObtainLeaseResponse(
        unique_identifier=obj.unique_identifier,
        lease_time=lease_of(ctx, obj),
        last_change_date=obj.value(Tag.LAST_CHANGE_DATE),
    )
