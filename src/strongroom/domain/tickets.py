"""Tickets: what Login and Delegated Login give out, and what they are worth (KMIP 2.1 §6.1.12, §6.1.30).

Rule: a ticket is never enough alone; it comes over the connection of an enrolled client, and gives no other.
One of Login stands in for the password of the client that logged in. One of Delegated Login lets any client
of the tenant act for the client that gave it, within its rights. The store knows a ticket only by its digest.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Annotated, Final

from strongroom.domain.context import Context
from strongroom.domain.entries import Entry
from strongroom.domain.errors import InvalidField, PermissionDenied, ServerLimitExceeded
from strongroom.model.messages import Ticket
from strongroom.model.rights import Rights
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Int32, Own, Seconds
from strongroom.model.structures import UsageLimits
from strongroom.registry import TicketType, UsageLimitsUnit

MOST: Final = 100
"""Tickets that one client may have out at once."""

_SIZE: Final = 32  # random bytes


class GivenTicket(Entry, kind=2, passing=True):
    """A ticket that was given out; its key is the digest of its value, `due` the end of its lease.

    `request_count` and the counts of the limits are what is left; None is no limit. `rights` None: the ticket
    is one of Login, and `user` the User that logged in, None for the client itself. `given_by` is the User
    that gave a delegated ticket: whoever has that acts for the client, as long as the User may log in.
    `credentials` are those of the User that the ticket was got with: it ends with them.
    """

    request_count: Int32 | None = None
    usage_limits: UsageLimits | None = None
    rights: Rights | None = None
    user: Annotated[str | None, Own(1)] = None
    given_by: Annotated[str | None, Own(2)] = None
    credentials: Annotated[tuple[str, ...], Own(3)] = ()


def key_of(ticket_value: SecretBytes) -> str:
    """Return the key under which a ticket is kept."""
    return hashlib.sha256(ticket_value.reveal()).hexdigest()


async def give(
    ctx: Context,
    *,
    lease_time: Seconds | datetime | None,
    request_count: int | None,
    usage_limits: UsageLimits | None,
    rights: Rights | None,
) -> Ticket:
    """Return a new ticket of the caller.

    A `lease_time` of None or 0 means as long as the policy allows, a `request_count` of 0 any number. Raises
    PermissionDenied for a caller that has only a ticket itself, InvalidField and ServerLimitExceeded.
    """
    if ctx.caller.rights is not None:
        raise PermissionDenied("a delegated ticket cannot be passed on; log in with your own credentials")
    if ctx.caller.ticket is not None:
        # SPEC(KMIP 2.1 §6.1.30): says nothing of it. A new ticket would outlast the lease, the counts and the
        # Logout of the one that it was got with, and never need the password again.
        raise PermissionDenied("a ticket gives no other ticket; log in with your own credentials")
    if request_count is not None and request_count < 0:
        raise InvalidField("Request Count is negative")
    for limits in (usage_limits, *(right.usage_limits for right in (rights.right if rights else ()))):
        _check_limits(limits)
    if len(await ctx.entries.mine(GivenTicket)) >= MOST:
        raise ServerLimitExceeded(f"{MOST} tickets of yours are out already; Logout ends one")
    value = SecretBytes(secrets.token_bytes(_SIZE))
    given = GivenTicket(
        request_count=request_count or None,
        usage_limits=usage_limits,
        rights=rights,
        user=ctx.caller.user if rights is None else None,
        given_by=None if rights is None else ctx.caller.user,
        credentials=ctx.caller.credentials or (),
    )
    ctx.entries.put(key_of(value), given, due=_end(ctx, lease_time))
    return Ticket(ticket_type=TicketType.LOGIN, ticket_value=value)


def _check_limits(limits: UsageLimits | None) -> None:
    if limits is not None and limits.usage_limits_unit is not UsageLimitsUnit.OBJECT:
        raise InvalidField("the Usage Limits of a ticket count operations: their unit is Object")


def _end(ctx: Context, lease_time: Seconds | datetime | None) -> datetime:
    """Return when the ticket ends: as asked for, but not later than the policy allows."""
    latest = ctx.now + timedelta(seconds=ctx.policy.ticket_lifetime)
    if not lease_time:
        return latest
    if isinstance(lease_time, datetime):
        if lease_time <= ctx.now:
            raise InvalidField("the Lease Time has passed already")
        return min(lease_time, latest)
    return min(ctx.now + timedelta(seconds=lease_time), latest)
