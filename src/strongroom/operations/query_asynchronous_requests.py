"""Query Asynchronous Requests (KMIP 2.1 §6.1.41)."""

from datetime import datetime
from typing import Annotated

from strongroom.domain.asynchronous import WaitingBatch, correlation_value, is_of
from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.struct import Struct
from strongroom.registry import V2_1, ItemType, Operation, ProcessingStage


class AsynchronousCorrelationValues(Struct):
    """A list of correlation values (KMIP 2.1 §7.1)."""

    asynchronous_correlation_value: tuple[bytes, ...] = ()


class Operations(Struct):
    """A list of operations (KMIP 2.1 §7.18)."""

    operation: tuple[Operation, ...] = ()


class AsynchronousRequest(Struct):
    """A request whose result its client does not have yet (KMIP 2.1 §7.2)."""

    asynchronous_correlation_value: bytes
    operation: Operation
    submission_date: Annotated[datetime, ItemType.DATE_TIME_EXTENDED]
    processing_stage: ProcessingStage


class QueryAsynchronousRequestsResponse(Response):
    asynchronous_request: tuple[AsynchronousRequest, ...] = ()


class QueryAsynchronousRequestsRequest(Request[QueryAsynchronousRequestsResponse]):
    asynchronous_correlation_values: AsynchronousCorrelationValues | None = None
    operations: Operations | None = None


@operation(Operation.QUERY_ASYNCHRONOUS_REQUESTS, since=V2_1, needs=Permission.NONE, deferrable=False)
async def query_asynchronous_requests(
    ctx: Context, request: QueryAsynchronousRequestsRequest
) -> QueryAsynchronousRequestsResponse:
    values, operations = request.asynchronous_correlation_values, request.operations
    if ctx.caller.rights is not None:
        # What waits is of the client itself; see `domain.asynchronous.find`.
        return QueryAsynchronousRequestsResponse()
    found = [
        AsynchronousRequest(
            asynchronous_correlation_value=correlation_value(batch.key, position),
            operation=item.operation,
            submission_date=batch.value.submission_date,
            processing_stage=item.processing_stage,
        )
        for batch in await ctx.entries.mine(WaitingBatch)
        if is_of(batch, ctx.caller)
        for position, item in enumerate(batch.value.items)
        if item.outstanding
    ]
    return QueryAsynchronousRequestsResponse(
        asynchronous_request=tuple(
            one
            for one in sorted(found, key=lambda one: one.submission_date)
            if values is None or one.asynchronous_correlation_value in values.asynchronous_correlation_value
            if operations is None or one.operation in operations.operation
        )
    )
