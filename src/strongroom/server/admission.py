"""Which ways of letting clients in are acts that need approval.

Rule: letting in somebody new is not, as long as it gives them nothing. What puts a client into a group is
what changing its groups is; and what lets another certificate count as a client that a person votes or
administers with makes that person of whoever holds it.
"""

from strongroom.domain.acts import Act
from strongroom.domain.people import person_of
from strongroom.server.administration.command import Administrator
from strongroom.server.messages import Message


async def lets_into_groups(_admin: Administrator, request: Message) -> Act | None:
    """Say that a client that is let in with groups is policy."""
    return Act.POLICY if request.get("groups") else None


async def stands_for_a_person(admin: Administrator, request: Message) -> Act | None:
    """Say that another certificate for a person's client is policy."""
    name = request.get("name")
    for record in await admin.clients.clients():
        if (
            record.name == name
            and record.revoked_at is None
            and await person_of(admin.store, record.client) is not None
        ):
            return Act.POLICY
    return None
