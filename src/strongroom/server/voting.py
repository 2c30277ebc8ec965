"""Votes of people on what waits for approval.

Rule: a vote is a person's, cast with one of their clients, and is refused here when it could never count;
whether it does is decided again when the approval is used (`domain/approvals.py`). Whoever only has the data
directory has none: a machine is not a person.
"""

import contextlib
from dataclasses import replace
from datetime import datetime
from typing import Final

from strongroom.domain.approvals import Approval, Vote, may_vote, parse_name
from strongroom.domain.asynchronous import WaitingBatch
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.people import Person
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.store_failures import DamagedEntry
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.errors import Denied, NotFound, OperatorError

_ATTEMPTS: Final = 16


async def find(store: ObjectStore, name: str, now: datetime) -> Kept[Approval]:
    """Return the approval that people call `name`; raises NotFound."""
    parsed = parse_name(name)
    if parsed is not None:
        tenant, key, mark = parsed
        kept = await store.load_entry(Approval, tenant, key)
        if kept is not None and kept.value.mark == mark and kept.value.expires_at > now:
            return kept
    raise NotFound(
        f"no request waits for the approval {name}: it is done, or it has expired; list what waits: "
        "strongroom approval list"
    )


async def cast(
    store: ObjectStore, name: str, *, person: str, client: int, approves: bool, now: datetime
) -> Kept[Approval]:
    """Make a vote durable and return the approval with it; raises NotFound and Denied.

    Requests that wait for it are taken up at once.
    """
    for _ in range(_ATTEMPTS):
        kept = await find(store, name, now)
        who = await store.load_entry(Person, SYSTEM_TENANT, person)
        if who is None or client not in who.value.clients or not may_vote(person, who.value, kept):
            raise Denied("only an approver may vote, and nobody on what they asked for themselves")
        if kept.value.rejected_by not in (None, person):
            raise Denied(f"{kept.value.rejected_by} has rejected it already")
        vote = Vote(person=person, client=client, at=now, approves=approves)
        after = replace(kept, value=kept.value.with_vote(vote))
        changes = [EntryChange(Approval, kept.tenant, kept.key, kept.generation, after)]
        for key in kept.value.waiting:
            batch = None
            with contextlib.suppress(DamagedEntry):  # nobody does it any more, and the others go on
                batch = await store.load_entry(WaitingBatch, kept.tenant, key)
            if batch is not None and batch.value.next is not None:
                due = replace(batch, due=now)
                changes.append(EntryChange(WaitingBatch, batch.tenant, key, batch.generation, due))
        try:
            await store.commit(Changes(entries=changes, accepting=kept.value.accepting))
        except LostRace:
            continue
        return await find(store, name, now)
    raise OperatorError(f"the approval {name} keeps changing; try again")
