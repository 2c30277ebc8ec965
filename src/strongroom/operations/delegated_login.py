"""Delegated Login (KMIP 2.x §6.1.12)."""

from datetime import datetime
from typing import Annotated, Final

from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.tickets import give
from strongroom.domain.turn import Pace
from strongroom.model.convert import ValueShape
from strongroom.model.forms import LeaseTimeForm
from strongroom.model.messages import Ticket
from strongroom.model.rights import ObjectGroups, Objects, Right, Rights
from strongroom.model.struct import Int32, Seconds
from strongroom.model.structures import UsageLimits
from strongroom.registry import V2_0, Operation

MOST_NAMED: Final = 1000


class DelegatedLoginResponse(Response):
    ticket: Ticket


class DelegatedLoginRequest(Request[DelegatedLoginResponse]):
    lease_time: Annotated[Seconds | datetime | None, ValueShape(LeaseTimeForm())] = None
    request_count: Int32 | None = None
    usage_limits: UsageLimits | None = None
    rights: Rights


@operation(Operation.DELEGATED_LOGIN, since=V2_0, needs=Permission.NONE, deferrable=False)
async def delegated_login(ctx: Context, request: DelegatedLoginRequest) -> DelegatedLoginResponse:
    if not request.rights.right:
        raise InvalidField("Rights holds no Right, so the ticket would be good for nothing")
    if sum(map(_size, request.rights.right)) > MOST_NAMED:
        # They are read at each request that the ticket comes with.
        raise InvalidField(f"the Rights of a ticket name at most {MOST_NAMED} operations, objects and groups")
    pace = Pace()
    ticket = await give(
        ctx,
        lease_time=request.lease_time,
        request_count=request.request_count,
        usage_limits=request.usage_limits,
        rights=Rights(right=tuple([await _named(ctx, right, pace) for right in request.rights.right])),
    )
    return DelegatedLoginResponse(ticket=ticket)


def _size(right: Right) -> int:
    operations, objects, groups = right.operations, right.objects, right.object_groups
    return (
        1
        + (0 if operations is None else len(operations.operation))
        + (0 if objects is None else len(objects.unique_identifier))
        + (0 if groups is None else len(groups.object_group) + len(groups.group_link))
    )


async def _named(ctx: Context, right: Right, pace: Pace) -> Right:
    """Return the right with each object by its identifier; raises ObjectNotFound."""
    objects, groups = right.objects, right.object_groups
    if objects is not None:
        found = []
        for one in objects.unique_identifier:
            await pace()
            found.append(await ctx.objects.get(one, archived=True, destroyed=True))
        objects = Objects(unique_identifier=tuple(obj.unique_identifier for obj in found))
    if groups is not None:
        found = []
        for one in groups.group_link:
            await pace()
            found.append(await ctx.objects.get(one))
        groups = ObjectGroups(
            object_group=groups.object_group, group_link=tuple(obj.unique_identifier for obj in found)
        )
    return right.replace(objects=objects, object_groups=groups)
