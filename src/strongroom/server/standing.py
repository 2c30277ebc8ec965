"""Is the store as far as it was: compared at the start with what was signed outside it.

Rule: a store that is behind a mark is served for reading only, until an administrator says that it was put
back on purpose. A backup that was restored by its command says so itself.
"""

import json
from collections.abc import Iterable
from typing import Annotated, Final

from strongroom.audit.marks import Mark
from strongroom.domain.audit import AuditChain
from strongroom.domain.backups import Restored
from strongroom.domain.chain import EMPTY, Head
from strongroom.domain.entries import Entry
from strongroom.domain.store import ObjectStore
from strongroom.domain.store_failures import TamperedRecord
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.model.struct import Int64, Own
from strongroom.server.logs import get_logger

log = get_logger()

CURE: Final = (
    "changes are refused; restore a newer backup or, if it was put back on purpose, say so: strongroom store"
    " accept --data DIR"
)

_AT_A_TIME: Final = 256
"""Events that are read in one go."""

_OBJECTS_OR_CLIENTS: Final = frozenset({"changed", "clients"})
"""What an event has that changed one of these (`AuditEvent`)."""


class Accepted(Entry, kind=14):
    """An administrator knows that the store is behind a mark: kept under the digest of its checkpoint."""

    place: Annotated[str, Own(1)]
    position: Annotated[Int64, Own(2)]


async def behind(store: ObjectStore, chain: AuditChain, marks: Iterable[Mark]) -> list[Mark]:
    """Return the marks that the chain of changes does not lead to, and that nobody has accepted.

    What cannot be read accepts nothing. Raises StoreFailure.
    """
    missed = await _missed(store, chain, marks)
    if missed:
        # A failover may have lost the places of events that it has kept; the same ones are given again. Only
        # then: to give them is a commit, which may wait for long, and workers look each second.
        await chain.extend()
        missed = await _missed(store, chain, missed)
    return missed


async def _missed(store: ObjectStore, chain: AuditChain, marks: Iterable[Mark]) -> list[Mark]:
    return [mark for mark in marks if not await _reached(chain, mark) and not await _accepted(store, mark)]


async def _reached(chain: AuditChain, mark: Mark) -> bool:
    if mark.changes.position == 0:
        return True
    found = await chain.after(mark.changes.position - 1, 1)
    return bool(found) and (found[0].position, found[0].hash) == tuple(mark.changes)


async def _accepted(store: ObjectStore, mark: Mark) -> bool:
    try:
        if await store.load_entry(Accepted, SYSTEM_TENANT, mark.checkpoint) is not None:
            return True
        restored = await store.entries_of(Restored, SYSTEM_TENANT, 0)
    except TamperedRecord as error:
        log.error("acceptance_refused", error=str(error))
        return False
    return any(one.value.restored_at.timestamp() >= mark.at for one in restored)


async def newest_change(chain: AuditChain) -> Head:
    """Return where the chain has the newest change of an object or a client.

    What people ask for, vote on and look at comes after it, while the store is behind a mark. Raises
    StoreFailure.
    """
    end = (await chain.head()).position
    while end:
        start = max(0, end - _AT_A_TIME)
        for one in reversed(await chain.after(start, end - start)):
            if not _OBJECTS_OR_CLIENTS.isdisjoint(json.loads(one.event)):
                return Head(one.position, one.hash)
        end = start
    return EMPTY


def reason(mark: Mark) -> str:
    """Return what is wrong, as a sentence that names the cure."""
    return (
        f"the store is older than {mark.place} says ({mark.changes.position} changes were signed for"
        f" there), or another one: {CURE}"
    )
