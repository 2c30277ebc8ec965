"""`store`: is what is stored still what was stored.

Rule: the verifier finds (`store/verification.py`); here an administrator reads what it found, has it look
again, and decides what counts.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from strongroom.audit.marks import Mark, Unreadable, marks
from strongroom.domain.acts import Act
from strongroom.domain.approvals import ACCEPT
from strongroom.domain.doubts import MOST_DISTRUSTED, Distrusted
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.people import Role
from strongroom.domain.store import Changes, LostRace
from strongroom.domain.store_failures import DamagedEntry, TamperedRecord
from strongroom.domain.tenants import SYSTEM_TENANT, tenants_of
from strongroom.registry import Tag
from strongroom.scheduler.verification import KEY, Verification
from strongroom.server.administration.command import Administrator, command, tenant_it_names
from strongroom.server.audit_key import open_audit_key
from strongroom.server.errors import NotFound, OperatorError
from strongroom.server.kept import generation_of, unreadable
from strongroom.server.messages import Message, text
from strongroom.server.standing import Accepted, behind, newest_change

_FOREVER: Final = datetime(9999, 1, 1, tzinfo=UTC)


@command("store.doubts", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def doubts(admin: Administrator, request: Message) -> object:
    """Return how the last verification went, and which objects are refused."""
    damaged: list[DamagedEntry] = []
    last = Verification()
    try:
        kept = await admin.store.load_entry(Verification, SYSTEM_TENANT, KEY)
        last = last if kept is None else kept.value
    except DamagedEntry as verification:
        damaged.append(verification)
    names = {int(number): name for name, number in (await tenants_of(admin.store)).items()}
    refused = await admin.store.due_entries(Distrusted, _FOREVER, MOST_DISTRUSTED, damaged=damaged.append)
    return {
        "started": None if last.started is None else last.started.isoformat(),
        "finished": None if last.finished is None else last.finished.isoformat(),
        "count": last.count,
        "doubts": list(last.doubts),
        "refused": [
            {
                "unique_identifier": one.key,
                "tenant": names.get(one.tenant, str(one.tenant)),
                "since": one.value.since.isoformat(),
                "reason": one.value.reason,
            }
            for one in refused
        ]
        + unreadable(damaged),
    }


@command("store.verify", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def verify(admin: Administrator, request: Message) -> object:
    """Have a worker begin a verification within a second or two."""
    if admin.live is None:
        raise OperatorError("no server runs on this data directory, and a server verifies; start it first")
    kept = await admin.store.load_entry(Verification, SYSTEM_TENANT, KEY)
    if kept is None:
        raise OperatorError("the first verification has not begun yet; it begins with the server")
    if kept.value.finished is None:
        return None  # one is under way
    change = EntryChange(Verification, SYSTEM_TENANT, KEY, kept.generation, replace(kept, due=admin.now))
    try:
        await admin.store.commit(Changes(entries=[change]))
    except LostRace:
        return None  # one has just begun
    return None


async def missed(admin: Administrator) -> list[Mark]:
    """Return what was signed for that the store does not lead to. Raises OperatorError and StoreFailure."""
    key = open_audit_key(admin.directory, admin.root_key).public
    try:
        # Another machine may have an anchor, which is away.
        found = await asyncio.to_thread(list, marks(admin.directory.audit, admin.settings.audit.anchors, key))
    except Unreadable as error:
        raise OperatorError(str(error)) from error
    return await behind(admin.store, admin.store.chain, found)


async def _how_far_behind(admin: Administrator, _request: Message) -> Message:
    """Return which marks the store is behind, and the newest change that it has.

    A store that was put back to yet another day is behind the same marks, and has another one.
    """
    newest = await newest_change(admin.store.chain)
    return {
        "missed": [
            {
                "place": mark.place,
                "position": mark.changes.position,
                "signed_at": datetime.fromtimestamp(mark.at, UTC).isoformat(),
                "checkpoint": mark.checkpoint,
            }
            for mark in await missed(admin)
        ],
        "newest_change": {"position": newest.position, "hash": newest.hash.hex()},
    }


@command(ACCEPT, roles={Role.ADMINISTRATOR}, spreads=True, approval=Act.POLICY, facts=_how_far_behind)
async def accept(admin: Administrator, request: Message) -> object:
    """Let a store count that is behind what was signed for; from then on it is signed for as it is."""
    marks_missed = await missed(admin)
    if not marks_missed:
        raise OperatorError("the store is as far as was signed for; there is nothing to accept")
    if await _how_far_behind(admin, request) != admin.facts:
        raise OperatorError("the store has just changed; look again: strongroom server status")
    for mark in marks_missed:
        value = Accepted(place=mark.place, position=mark.changes.position)
        kept = Kept(tenant=SYSTEM_TENANT, key=mark.checkpoint, owner=0, value=value)
        read = await generation_of(admin.store, Accepted, SYSTEM_TENANT, mark.checkpoint)
        change = EntryChange(Accepted, SYSTEM_TENANT, mark.checkpoint, read, kept)
        with suppress(LostRace):  # somebody else has accepted it
            await admin.store.commit(Changes(entries=[change], accepting=True))
    return [{"place": mark.place, "position": mark.changes.position} for mark in marks_missed]


async def _what_is_there(admin: Administrator, request: Message) -> Message:
    """Return what would count from then on: an object as it is stored, under the digest of all of it."""
    number, identifier = await _tenant(admin, request), text(request, "object")
    facts: Message = {}
    try:
        doubt = await admin.store.load_entry(Distrusted, number, identifier)
        if doubt is None:
            raise NotFound(f"nobody doubts {identifier}; what is doubted: strongroom store doubts")
        facts |= {"doubt": doubt.value.reason, "known_generation": doubt.value.known}
    except DamagedEntry as damaged:
        facts |= {"doubt": str(damaged), "known_generation": None}
    try:
        stored = await admin.store.doubted(number, identifier)
    except TamperedRecord:
        raise OperatorError(
            f"nobody can say what {identifier} was: its record was edited or damaged;"
            " restore it from a backup"
        ) from None
    facts |= {"record": "none: the object is gone", "sha256": stored.digest}
    if stored.obj is not None:
        obj, records = stored.obj, await admin.clients.clients()
        changed_at = obj.value(Tag.LAST_CHANGE_DATE)
        facts["record"] = {
            "type": obj.object_type.name,
            "state": None if obj.state is None else obj.state.name,
            "owner": next((one.name for one in records if one.client == obj.owner), str(obj.owner)),
            "names": [str(name.name_value) for name in obj.values(Tag.NAME)],
            "generation": obj.generation,
            "changed_at": None if changed_at is None else changed_at.isoformat(),
        }
    return facts


async def _tenant(admin: Administrator, request: Message) -> int:
    tenant = text(request, "tenant")
    number = (await tenants_of(admin.store)).get(tenant)
    if number is None:
        raise NotFound(f"there is no tenant {tenant}; list them: strongroom tenant list")
    return number


@command(
    "store.trust",
    roles={Role.ADMINISTRATOR},
    spreads=True,
    approval=Act.POLICY,
    concerns=tenant_it_names,
    facts=_what_is_there,
)
async def trust(admin: Administrator, request: Message) -> object:
    """Let the stored record of a doubted object count."""
    number, identifier = await _tenant(admin, request), text(request, "object")
    try:
        await admin.store.trust(number, identifier, text(admin.facts, "sha256"))
    except LostRace:
        raise OperatorError(
            f"{identifier} was changed meanwhile; look again: strongroom store doubts"
        ) from None
    return None
