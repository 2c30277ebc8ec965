"""Approval of administrative acts.

Rule: an approval is for one exact request of one person (or of whoever owns the data directory), and is used
up before the act is done: a crash in between costs an approval and never does anything twice. An act that is
refused as such gives it back.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from strongroom.domain.acts import Act, read_safeguards, votes_needed
from strongroom.domain.approvals import (
    GIVEN_BACK,
    LIFETIME,
    MOST,
    NEEDS,
    REQUESTED,
    USED,
    Approval,
    counted,
    digest_of,
    key_of,
    name_of,
    new_mark,
)
from strongroom.domain.audit import SUCCESS, AuditEvent
from strongroom.domain.clients import ClientRecord, ClientStore
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.identity import TenantId
from strongroom.domain.people import Person
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.errors import Denied, OperatorError, PendingApproval
from strongroom.server.messages import Message

_ATTEMPTS: Final = 16
_LONGEST: Final = 32_768
"""Characters of a request as people see it; what is longer is refused, since a part of it would be hidden."""

_NOT_OF_THE_ACT: Final = frozenset({"command", "ask", "id", "by_user"})
"""Fields of a request that say how it came, not what it is."""

_SHOWN: Final = frozenset(
    {
        "act",
        "add",
        "clients",
        "csr",
        "deletion_window",
        "description",
        "group",
        "groups",
        "hold",
        "issuer",
        "limits",
        "name",
        "now",
        "object",
        "on",
        "permissions",
        "policy",
        "provider",
        "recipients",
        "remove",
        "roles",
        "rule",
        "san",
        "seconds",
        "subject",
        "tenant",
        "to",
        "unique_identifier",
        "username",
        "votes",
        "without_clients",
        "without_groups",
        "without_roles",
    }
)
"""Fields that people see when they decide. A request may carry secrets, so what is not here is only named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An administrative act that somebody asks for.

    `essence` are the fields that make the request what it is, `meant` what the names in them stand for, and
    `facts` what it is about, as that is now: people see it and approve of just that.
    `tenant` is whom it concerns, None: the whole server. `person` is None and `client` 0 for whoever owns the
    data directory; `by` is for the audit log.
    """

    command: str
    essence: Message
    meant: Message
    facts: Message
    act: Act
    tenant: TenantId | None
    person: str | None
    client: int
    by: str

    @property
    def digest(self) -> bytes:
        """Return what stands for the exact request."""
        who = "local" if self.person is None else f"person {self.person}"
        written = json.dumps([self.essence, self.meant, self.facts], sort_keys=True, separators=(",", ":"))
        return digest_of(b"administration", who.encode(), self.command.encode(), written.encode())


def essence_of(request: Message) -> Message:
    """Return the fields of a request that are not about how it came."""
    return {name: value for name, value in request.items() if name not in _NOT_OF_THE_ACT}


def shown(essence: Message) -> Message:
    """Return what people see of the essence of a request."""
    return {name: value if name in _SHOWN else "..." for name, value in essence.items()}


def meant_by(essence: Message, records: Iterable[ClientRecord]) -> Message:
    """Return the clients in force that are named in a request, each with its number and key.

    A name can be given to another client, and a client another key, while people decide.
    """
    said = set(_texts(essence))
    return {
        record.name: [int(record.client), record.fingerprint]
        for record in records
        if record.revoked_at is None and record.name in said
    }


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


async def use(store: ObjectStore, clients: ClientStore, asked: Asked, now: datetime) -> Kept[Approval] | None:
    """Use up the approval of an act and return it; None where nobody has to approve.

    Raises PendingApproval until enough people have, and Denied for what was rejected.
    """
    tenants = [SYSTEM_TENANT if asked.tenant is None else asked.tenant]
    needed = votes_needed(await read_safeguards(store), asked.act, tenants)
    if not needed:
        return None
    for _ in range(_ATTEMPTS):
        kept = await store.load_entry(Approval, SYSTEM_TENANT, key_of(asked.digest))
        if kept is not None and kept.value.digest != asked.digest:
            raise Denied("another request that waits has the same number; ask later")
        try:
            if kept is None or kept.value.expires_at <= now:
                kept = await _new(store, asked, now, kept)
            if kept.value.rejected_by is not None:
                raise Denied(f"{kept.value.rejected_by} has rejected it (approval {name_of(kept)})")
            given = await approvers(store, clients, kept)
            if len(given) < needed:
                raise PendingApproval(
                    f"{NEEDS} {needed} people and has that of {len(given)}:"
                    f" `strongroom approval approve {name_of(kept)}` until"
                    f" {kept.value.expires_at:%Y-%m-%d %H:%M} UTC, then give the same command again"
                )
            change = EntryChange(Approval, SYSTEM_TENANT, kept.key, kept.generation, None)
            await store.commit(_changes(kept, change, _event(USED, kept, asked, now)))
        except LostRace:
            continue
        return kept
    raise OperatorError("too many ask for this approval at once; try again")


async def give_back(store: ObjectStore, used: Kept[Approval], asked: Asked, now: datetime) -> None:
    """Let an approval be used again: what it was for was refused."""
    change = EntryChange(Approval, used.tenant, used.key, 0, replace(used, generation=0))
    try:
        await store.commit(_changes(used, change, _event(GIVEN_BACK, used, asked, now)))
    except LostRace:  # somebody has asked for the same again meanwhile
        return


async def approvers(store: ObjectStore, clients: ClientStore, kept: Kept[Approval]) -> list[str]:
    """Return the names of the people whose approval counts now."""
    if not kept.value.votes:
        return []
    return counted(kept, await people_of(store), await in_force(clients))


async def people_of(store: ObjectStore) -> list[Kept[Person]]:
    """Return every person."""
    return list(await store.entries_of(Person, SYSTEM_TENANT, 0))


class _InForce:
    def __init__(self, numbers: frozenset[int]) -> None:
        self._numbers = numbers

    def __call__(self, client: int) -> bool:
        return client in self._numbers


async def in_force(clients: ClientStore) -> _InForce:
    """Return what tells whether a client may connect."""
    records = await clients.clients()
    return _InForce(frozenset(record.client for record in records if record.revoked_at is None))


async def _new(
    store: ObjectStore, asked: Asked, now: datetime, expired: Kept[Approval] | None
) -> Kept[Approval]:
    """Keep a request for people to look at; raises LostRace, and Denied for one too many."""
    waiting = await store.count_entries(Approval, SYSTEM_TENANT, asked.client)
    if expired is None and waiting >= MOST:
        raise Denied(f"it needs approval, and {MOST} requests of yours wait for that already")
    details = json.dumps(shown(asked.essence) | asked.facts, sort_keys=True)
    if len(details) > _LONGEST:
        raise Denied(
            "it needs approval, and is too long to be shown to those who give it; ask for less at once"
        )
    value = Approval(
        digest=asked.digest,
        mark=new_mark(),
        acts=(asked.act.value,),
        operation=asked.command,
        details=details,
        requested_at=now,
        expires_at=now + LIFETIME,
        requester=asked.person,
    )
    key, generation = key_of(asked.digest), 0 if expired is None else expired.generation
    after = Kept(
        tenant=SYSTEM_TENANT,
        key=key,
        owner=asked.client,
        value=value,
        due=value.expires_at,
        generation=generation,
    )
    change = EntryChange(Approval, SYSTEM_TENANT, key, generation, after)
    await store.commit(_changes(after, change, _event(REQUESTED, after, asked, now)))
    kept = await store.load_entry(Approval, SYSTEM_TENANT, key)
    if kept is None:
        raise LostRace
    return kept


def _changes(kept: Kept[Approval], change: EntryChange, event: AuditEvent) -> Changes:
    return Changes(entries=[change], events=[event], accepting=kept.value.accepting)


def _event(what: str, kept: Kept[Approval], asked: Asked, now: datetime) -> AuditEvent:
    return AuditEvent(
        at=now,
        client=asked.client,
        tenant=SYSTEM_TENANT,
        peer="-",
        operation=what,
        outcome=SUCCESS,
        by=asked.by,
        target=f"approval={name_of(kept)} operation={asked.command}",
    )
