"""Which ways of letting clients in are acts that need approval.

Rule: letting in somebody new is not, as long as it gives them nothing. What puts a client into a group is
what changing its groups is, and where a rule is for everyone, whoever is let in has what it grants. (What
lets another certificate count as a client that there is always needs it.)
"""

from strongroom.domain.acts import Act
from strongroom.domain.rules import AccessRule, To
from strongroom.server.administration.command import Administrator
from strongroom.server.approving import essence_of
from strongroom.server.kept import OF_THE_TENANT
from strongroom.server.messages import Message, optional_text
from strongroom.server.naming import tenant_named


def all_but_the_key(request: Message) -> Message:
    """Return what people approve of a request whose sender makes a fresh key, or hash, each time.

    Whoever asks has that key in any case; one in a certificate request (`csr`) is part of what is approved.
    """
    essence = essence_of(request)
    return {name: value for name, value in essence.items() if name not in ("public_key", "password_hash")}


async def gives_rights(admin: Administrator, request: Message) -> Act | None:
    """Say that letting in a client is policy where groups, or rules for everyone, give it something."""
    if request.get("groups"):
        return Act.POLICY
    tenant = await tenant_named(admin.store, optional_text(request, "tenant"))
    rules = await admin.store.entries_of(AccessRule, tenant, OF_THE_TENANT)
    return Act.POLICY if any(kept.value.to == To.EVERYONE.value for kept in rules) else None
