"""Login (KMIP 2.0 §6.1.29, 2.1 §6.1.30)."""

from datetime import datetime
from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.tickets import give
from strongroom.model.convert import ValueShape
from strongroom.model.forms import LeaseTimeForm
from strongroom.model.messages import Ticket
from strongroom.model.struct import Int32, Seconds
from strongroom.model.structures import UsageLimits
from strongroom.registry import V2_0, Operation


class LoginResponse(Response):
    ticket: Ticket


class LoginRequest(Request[LoginResponse]):
    lease_time: Annotated[Seconds | datetime | None, ValueShape(LeaseTimeForm())] = None
    request_count: Int32 | None = None
    usage_limits: UsageLimits | None = None


@operation(Operation.LOGIN, since=V2_0, needs=Permission.NONE, deferrable=False)
async def login(ctx: Context, request: LoginRequest) -> LoginResponse:
    ticket = await give(
        ctx,
        lease_time=request.lease_time,
        request_count=request.request_count,
        usage_limits=request.usage_limits,
        rights=None,
    )
    return LoginResponse(ticket=ticket)
