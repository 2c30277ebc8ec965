"""Logout (KMIP 2.0 §6.1.30, 2.1 §6.1.31)."""

from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidTicket
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.tickets import GivenTicket, key_of
from strongroom.model.messages import Ticket
from strongroom.registry import V2_0, Operation


class LogoutResponse(Response):
    """Nothing."""


class LogoutRequest(Request[LogoutResponse]):
    ticket: Ticket


@operation(Operation.LOGOUT, since=V2_0, needs=Permission.NONE, deferrable=False)
async def logout(ctx: Context, request: LogoutRequest) -> LogoutResponse:
    given = await ctx.entries.get(GivenTicket, key_of(request.ticket.ticket_value))
    if given is None or given.owner != ctx.caller.client:
        raise InvalidTicket("there is no such ticket; it has ended, or was never given to you")
    ctx.entries.remove(given)
    return LogoutResponse()
