"""Process (KMIP 2.1 §6.1.39)."""

from strongroom.domain.asynchronous import find
from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.registry import V2_1, Operation


class ProcessResponse(Response):
    pass


class ProcessRequest(Request[ProcessResponse]):
    asynchronous_correlation_value: bytes


@operation(Operation.PROCESS, since=V2_1, needs=Permission.NONE, deferrable=False, undoable=False)
async def process(ctx: Context, request: ProcessRequest) -> ProcessResponse:
    waiting = await find(ctx, request.asynchronous_correlation_value)
    await ctx.backlog.finish(waiting.batch.tenant, waiting.batch.key, waiting.position)
    return ProcessResponse()
