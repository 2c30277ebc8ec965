"""Check (KMIP 1.x §4.10, 2.x §6.1.7)."""

from strongroom.domain.context import Context
from strongroom.domain.errors import (
    IncompatibleCryptographicUsageMask,
    KmipError,
    PermissionDenied,
    UsageLimitExceeded,
)
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.struct import Int64, Seconds
from strongroom.procedures.lease import lease_of
from strongroom.registry import V1_0, CryptographicUsageMask, Operation, Tag


class CheckResponse(Response):
    unique_identifier: UniqueIdentifier
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
    try:
        _require(ctx, obj, request)
    except KmipError:
        # SPEC(KMIP 2.1 §6.1.7): what is not allowed empties the ID Placeholder, so that a batched Get fails.
        ctx.objects.place(None)
        raise
    if ctx.objects.placeholder is None:
        # Check is not among the operations that fill the ID Placeholder (2.1 §6.1), so it replaces nothing.
        ctx.objects.place(obj.unique_identifier)
    return CheckResponse(unique_identifier=obj.unique_identifier)


def _require(ctx: Context, obj: ManagedObject, request: CheckRequest) -> None:
    """Return if the client may use the object so; raises the KmipError that says why not."""
    limits = obj.value(Tag.USAGE_LIMITS)
    left = None if limits is None else limits.usage_limits_count
    mask = obj.value(Tag.CRYPTOGRAPHIC_USAGE_MASK) or CryptographicUsageMask(0)
    asked = request.cryptographic_usage_mask
    if asked is not None and asked & ~mask and not mask & CryptographicUsageMask.UNRESTRICTED:
        raise IncompatibleCryptographicUsageMask(
            "the Cryptographic Usage Mask of the object lacks what is asked"
        )
    if request.usage_limits_count is not None and left is not None and request.usage_limits_count > left:
        raise UsageLimitExceeded(f"{left} units are left of the Usage Limits")
    if request.lease_time is not None and (lease := lease_of(ctx, obj)) and request.lease_time > lease:
        raise PermissionDenied(f"a lease lasts {lease} seconds at most")
