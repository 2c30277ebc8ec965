"""Check (KMIP 1.x §4.10, 2.x §6.1.7)."""

from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.struct import Int64, Seconds
from strongroom.registry import V1_0, CryptographicUsageMask, Operation, Tag


class CheckResponse(Response):
    """What was asked for and is not allowed comes back; an identifier means that all is allowed."""

    unique_identifier: UniqueIdentifier | None = None
    usage_limits_count: Int64 | None = None
    cryptographic_usage_mask: CryptographicUsageMask | None = None
    lease_time: Seconds | None = None


class CheckRequest(Request[CheckResponse]):
    unique_identifier: ObjectReference | None = None
    usage_limits_count: Int64 | None = None
    cryptographic_usage_mask: CryptographicUsageMask | None = None
    lease_time: Seconds | None = None


@operation(Operation.CHECK, since=V1_0, needs=Permission.CHECK)
async def check(ctx: Context, request: CheckRequest) -> CheckResponse:
    obj = await ctx.objects.get(request.unique_identifier)
    limits = obj.value(Tag.USAGE_LIMITS)
    left = None if limits is None else limits.usage_limits_count
    mask = obj.value(Tag.CRYPTOGRAPHIC_USAGE_MASK) or CryptographicUsageMask(0)
    lease = obj.value(Tag.LEASE_TIME)
    if lease is None:
        lease = Seconds(ctx.policy.lease_time)

    count, wanted, time = request.usage_limits_count, request.cryptographic_usage_mask, request.lease_time
    denied = CheckResponse(
        usage_limits_count=count if count is not None and left is not None and count > left else None,
        cryptographic_usage_mask=wanted if wanted is not None and wanted & ~mask else None,
        lease_time=time if time is not None and lease and time > lease else None,
    )
    if denied != CheckResponse():
        # SPEC(KMIP 2.1 §6.1.7): the ID Placeholder is emptied, so that a batched Get fails.
        ctx.objects.place(None)
        return denied
    ctx.objects.place(obj.unique_identifier)
    return CheckResponse(unique_identifier=obj.unique_identifier)
