"""Log (KMIP 2.x §6.1.29)."""

from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.registry import V2_0, Operation

MAXIMUM_LENGTH = 4096
"""Characters of one log message."""


class LogResponse(Response):
    """Nothing."""


class LogRequest(Request[LogResponse]):
    log_message: str


@operation(Operation.LOG, since=V2_0, needs=Permission.LOG)
async def log(ctx: Context, request: LogRequest) -> LogResponse:
    if len(request.log_message) > MAXIMUM_LENGTH:
        raise InvalidField(f"a log message has at most {MAXIMUM_LENGTH} characters")
    ctx.client_log.message(ctx.caller, request.log_message)
    return LogResponse()
