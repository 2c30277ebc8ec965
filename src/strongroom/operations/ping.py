"""Ping (KMIP 2.1 §6.1.36)."""

from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.registry import V2_1, Operation


class PingResponse(Response):
    """Nothing: that there is an answer is the answer."""


class PingRequest(Request[PingResponse]):
    """Nothing to say."""


@operation(Operation.PING, since=V2_1, needs=Permission.NONE)
async def ping(ctx: Context, request: PingRequest) -> PingResponse:
    return PingResponse()
