"""Cancel (KMIP 1.4 §4.27, 2.1 §6.1.5)."""

from typing import Annotated

from strongroom.domain.asynchronous import find
from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidAsynchronousCorrelationValue
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.struct import Implied
from strongroom.registry import V1_0, V1_4, CancellationResult, Operation


class CancelResponse(Response):
    asynchronous_correlation_value: bytes
    cancellation_result: CancellationResult


class CancelRequest(Request[CancelResponse]):
    asynchronous_correlation_value: bytes
    # SPEC(KMIP 1.4 §4.27 and §11.28): Unavailable is an answer, and there are no errors; 2.1 §6.1.5 has one.
    answers_unavailable: Annotated[bool, Implied(V1_0, V1_4)] = False


@operation(Operation.CANCEL, since=V1_0, needs=Permission.NONE, deferrable=False)
async def cancel(ctx: Context, request: CancelRequest) -> CancelResponse:
    value = request.asynchronous_correlation_value
    try:
        waiting = await find(ctx, value)
    except InvalidAsynchronousCorrelationValue:
        if not request.answers_unavailable:
            raise
        return _answer(value, CancellationResult.UNAVAILABLE)
    if waiting.item.answer is None:
        # A worker that is at it just now loses the race for the entry, and with it what it has done.
        await waiting.obtain(ctx)
        return _answer(value, CancellationResult.CANCELED)
    # What is done stays, for Poll to fetch.
    return _answer(value, CancellationResult.FAILED if waiting.item.failed else CancellationResult.COMPLETED)


def _answer(value: bytes, result: CancellationResult) -> CancelResponse:
    return CancelResponse(asynchronous_correlation_value=value, cancellation_result=result)
