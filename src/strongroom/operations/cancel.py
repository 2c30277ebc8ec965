"""Cancel (KMIP 1.4 §4.27, 2.1 §6.1.5)."""

from strongroom.domain.asynchronous import find
from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.registry import V1_0, CancellationResult, Operation


class CancelResponse(Response):
    asynchronous_correlation_value: bytes
    cancellation_result: CancellationResult


class CancelRequest(Request[CancelResponse]):
    asynchronous_correlation_value: bytes


@operation(Operation.CANCEL, since=V1_0, needs=Permission.NONE, deferrable=False)
async def cancel(ctx: Context, request: CancelRequest) -> CancelResponse:
    waiting = await find(ctx, request.asynchronous_correlation_value)
    if waiting.item.answer is None:
        # A worker that is at it just now loses the race for the entry, and with it what it has done.
        result = CancellationResult.CANCELED
        await waiting.obtain(ctx)
    else:
        result = CancellationResult.COMPLETED  # it stays, for Poll to fetch
    return CancelResponse(
        asynchronous_correlation_value=request.asynchronous_correlation_value, cancellation_result=result
    )
