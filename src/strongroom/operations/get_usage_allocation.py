"""Get Usage Allocation (KMIP 1.x §4.18, 2.x §6.1.23)."""

from strongroom.domain.attribute_errors import AttributeNotFound
from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField, UsageLimitExceeded
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.usage import require_protecting
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.struct import Int64
from strongroom.registry import V1_0, Operation, Tag


class GetUsageAllocationResponse(Response):
    unique_identifier: UniqueIdentifier


class GetUsageAllocationRequest(Request[GetUsageAllocationResponse]):
    unique_identifier: ObjectReference | None = None
    usage_limits_count: Int64


@operation(Operation.GET_USAGE_ALLOCATION, since=V1_0, needs=Permission.ALLOCATE_USAGE)
async def get_usage_allocation(
    ctx: Context, request: GetUsageAllocationRequest
) -> GetUsageAllocationResponse:
    obj = await ctx.objects.get(request.unique_identifier)
    wanted = request.usage_limits_count
    if wanted < 0:
        raise InvalidField("Usage Limits Count is negative")
    limits = obj.value(Tag.USAGE_LIMITS)
    if limits is None:
        raise AttributeNotFound("the object has no Usage Limits to allocate from")
    # SPEC(KMIP 2.1 §6.1.23): of the reasons in its table, only Permission Denied fits.
    require_protecting(obj, ctx.now)
    left = limits.usage_limits_total if limits.usage_limits_count is None else limits.usage_limits_count
    if wanted > left:
        raise UsageLimitExceeded(f"{left} units are left, {wanted} were asked for")
    obj.set(Tag.USAGE_LIMITS, limits.replace(usage_limits_count=left - wanted))
    return GetUsageAllocationResponse(unique_identifier=obj.unique_identifier)
