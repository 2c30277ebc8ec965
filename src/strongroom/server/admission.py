"""Which ways of letting clients in are acts that need approval.

Rule: letting in somebody new is not, as long as it gives them nothing. What puts a client into a group is
what changing its groups is. (What lets another certificate count as a client that there is always needs it.)
"""

from strongroom.domain.acts import Act
from strongroom.server.administration.command import Administrator
from strongroom.server.messages import Message


async def lets_into_groups(_admin: Administrator, request: Message) -> Act | None:
    """Say that a client that is let in with groups is policy."""
    return Act.POLICY if request.get("groups") else None
