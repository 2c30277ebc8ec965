"""`approval`: what waits for people, their votes, and what needs how many.

Rule: only people vote, from their own machines; how many votes an act needs is itself policy, and changing it
needs the votes that are in force.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from strongroom.domain.acts import (
    LONGEST_WINDOW,
    MOST_VOTES,
    Act,
    Safeguards,
    read_safeguards,
    votes_needed,
)
from strongroom.domain.approvals import Approval, able, name_of
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.identity import TenantId
from strongroom.domain.people import Role
from strongroom.domain.store_failures import DamagedEntry
from strongroom.domain.tenants import SYSTEM_TENANT, tenants_of
from strongroom.server.administration.command import Administrator, command, tenant_it_names
from strongroom.server.approving import approvers, in_force, people_of
from strongroom.server.errors import Denied, InvalidOption, OperatorError
from strongroom.server.kept import decided, put, unreadable
from strongroom.server.messages import Message, integer, optional_text, text
from strongroom.server.naming import SYSTEM_NAME, any_tenant_named
from strongroom.server.voting import cast, find

_MOST_SHOWN: Final = 1000
_FAR: Final = timedelta(days=36_500)


@command("approval.list", roles=set(Role))
async def list_(admin: Administrator, request: Message) -> object:
    damaged: list[DamagedEntry] = []
    waiting = await admin.store.due_entries(Approval, admin.now + _FAR, _MOST_SHOWN, damaged=damaged.append)
    rows = [await _shown(admin, kept) for kept in waiting if kept.value.expires_at > admin.now]
    return rows + unreadable(damaged)


@command("approval.show", roles=set(Role))
async def show(admin: Administrator, request: Message) -> object:
    return await _shown(admin, await find(admin.store, text(request, "approval"), admin.now))


@command("approval.approve", roles={Role.APPROVER})
async def approve(admin: Administrator, request: Message) -> object:
    return await _vote(admin, request, approves=True)


@command("approval.reject", roles={Role.APPROVER})
async def reject(admin: Administrator, request: Message) -> object:
    return await _vote(admin, request, approves=False)


@command(
    "approval.require",
    roles={Role.ADMINISTRATOR},
    spreads=True,
    approval=Act.POLICY,
    concerns=tenant_it_names,
)
async def require(admin: Administrator, request: Message) -> object:
    """Say how many people have to approve an act; 0: nobody."""
    act, votes = _act(text(request, "act")), integer(request, "votes")
    if not 0 <= votes <= MOST_VOTES:
        raise InvalidOption(f"{act.value}={votes}: from 0, which asks for none, to {MOST_VOTES}")
    possible = able(await people_of(admin.store), await in_force(admin.clients))
    if votes > len(possible):
        raise OperatorError(
            f"{act.value}={votes}: only {len(possible)} people could approve it; make approvers first: "
            "strongroom person add NAME --role approver --client CLIENT"
        )
    return await _lay_down(admin, request, lambda before: before.requiring(act, votes))


@command(
    "safeguard.set", roles={Role.ADMINISTRATOR}, spreads=True, approval=Act.POLICY, concerns=tenant_it_names
)
async def set_(admin: Administrator, request: Message) -> object:
    """Set the deletion window of a tenant, in seconds."""
    window = integer(request, "deletion_window")
    if not 0 <= window <= LONGEST_WINDOW.total_seconds():
        raise InvalidOption(f"--deletion-window: from 0, which keeps nothing, to {LONGEST_WINDOW.days}d")
    if optional_text(request, "tenant") == SYSTEM_NAME:
        raise InvalidOption(
            f"--deletion-window: name a tenant; {SYSTEM_NAME} has no objects, and none has its window"
        )
    return await _lay_down(admin, request, lambda before: before.replace(deletion_window=window))


@command("safeguard.list", roles=set(Role))
async def safeguards(admin: Administrator, request: Message) -> object:
    laid_down, names = await read_safeguards(admin.store), await _names(admin)
    return [
        _safeguards(names[number], laid_down.get(number, Safeguards()))
        for number in sorted(names)
        if number in laid_down or number != SYSTEM_TENANT
    ]


async def _lay_down(
    admin: Administrator, request: Message, change: Callable[[Safeguards], Safeguards]
) -> object:
    named = optional_text(request, "tenant")
    if named is None:
        raise OperatorError(f"--tenant: name a tenant, or {SYSTEM_NAME} for what concerns the whole server")
    number, store = await any_tenant_named(admin.store, named), admin.store

    async def decide() -> tuple[list[EntryChange], Safeguards]:
        before = await store.load_entry(Safeguards, SYSTEM_TENANT, str(number))
        old = Safeguards() if before is None else before.value
        after = change(old)
        if after == old:
            return [], after
        return [put(Safeguards, SYSTEM_TENANT, str(number), after, before)], after

    return _safeguards(named, await decided(store, decide))


async def _vote(admin: Administrator, request: Message, *, approves: bool) -> object:
    caller = admin.caller
    if caller is None:
        raise Denied(
            "only people vote, from their own machines: give the command with --profile, as one of them"
        )
    kept = await cast(
        admin.store,
        text(request, "approval"),
        person=caller.person,
        client=caller.client.client,
        approves=approves,
        now=admin.now,
    )
    return await _shown(admin, kept)


async def _shown(admin: Administrator, kept: Kept[Approval]) -> Message:
    approval, names = kept.value, await _names(admin)
    given = await approvers(admin.store, admin.clients, kept)
    needed = await _needed(admin, kept)
    state = "rejected" if approval.rejected_by else "approved" if len(given) >= needed else "waiting"
    return {
        "approval": name_of(kept),
        "tenant": names.get(TenantId(kept.tenant), str(kept.tenant)),
        "acts": list(approval.acts),
        "operation": approval.operation,
        "requester": approval.requester or await _client_name(admin, kept.owner),
        "acting": None if approval.acting is None else await _client_name(admin, approval.acting),
        "user": approval.user,
        "objects": list(approval.objects),
        "names": list(approval.names),
        "details": approval.details,
        "requested_at": _time(approval.requested_at),
        "expires_at": _time(approval.expires_at),
        "approved_by": given,
        "rejected_by": approval.rejected_by,
        "needed": needed,
        "state": state,
    }


async def _needed(admin: Administrator, kept: Kept[Approval]) -> int:
    """Return the votes that it needs now; of a command, those that it needs at most."""
    laid_down = await read_safeguards(admin.store)
    acts = [act for act in Act if act.value in kept.value.acts]
    if kept.tenant == SYSTEM_TENANT:
        tenants = [TenantId(number) for number in laid_down]
        return max((votes_needed(laid_down, act, tenants) for act in acts), default=0)
    own = laid_down.get(kept.tenant, Safeguards())
    return max((own.votes(act) for act in acts), default=0)


async def _names(admin: Administrator) -> dict[int, str]:
    names: dict[int, str] = {number: name for name, number in (await tenants_of(admin.store)).items()}
    return names | {SYSTEM_TENANT: SYSTEM_NAME}


async def _client_name(admin: Administrator, number: int) -> str:
    if not number:
        return "whoever owns the data directory"
    records = await admin.clients.clients()
    return next((record.name for record in records if record.client == number), str(number))


def _safeguards(tenant: str, value: Safeguards) -> Message:
    return {
        "tenant": tenant,
        "deletion_window": value.deletion_window,
        "approvals": {one.act: one.votes for one in value.requirements},
    }


def _act(name: str) -> Act:
    try:
        return Act(name)
    except ValueError:
        raise InvalidOption(f"{name!r} is no act; there are {', '.join(act.value for act in Act)}") from None


def _time(value: datetime) -> str:
    return value.isoformat(timespec="seconds")
