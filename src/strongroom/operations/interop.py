"""Interop (KMIP 2.x §6.1.26)."""

from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField, PermissionDenied
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.operations.log import MAXIMUM_LENGTH
from strongroom.registry import V2_0, InteropFunction, Operation


class InteropResponse(Response):
    """Nothing."""


class InteropRequest(Request[InteropResponse]):
    interop_function: InteropFunction
    interop_identifier: str


@operation(Operation.INTEROP, since=V2_0, needs=Permission.NONE)
async def interop(ctx: Context, request: InteropRequest) -> InteropResponse:
    # DEVIATION(KMIP 2.1 §6.1.26): the operation "SHALL NOT be available in a production server". Begin and
    # End only mark a place in the log and change nothing, so they are accepted; Reset would delete objects
    # and is refused.
    if request.interop_function is InteropFunction.RESET:
        raise PermissionDenied("Interop Reset would delete objects; this is a production server")
    if not isinstance(request.interop_function, InteropFunction):  # a vendor's
        raise InvalidField("the Interop Function is Begin, End or Reset")
    if len(request.interop_identifier) > MAXIMUM_LENGTH:
        raise InvalidField(f"an Interop Identifier has at most {MAXIMUM_LENGTH} characters")
    ctx.client_log.message(
        ctx.caller, f"interop {request.interop_function.name.lower()} {request.interop_identifier}"
    )
    return InteropResponse()
