"""Commits whose answer was lost.

Rule: a change set is sent again only where that cannot apply it twice: when it changes or removes an object
or an entry, whose generation the store compares. Whether a change is there already is seen by the sealed
bytes, of which no two are the same; a removal by the thing being gone, whoever removed it.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias

from strongroom.store.records import (
    ChangeSet,
    Conflict,
    EntryRow,
    NameTaken,
    ObjectRow,
    OutcomeUnknown,
    StoreUnavailable,
)

ATTEMPTS: Final = 3

Send: TypeAlias = Callable[[], Awaitable[None]]


class Reads(Protocol):
    """What of a back end tells whether a change is there."""

    async def fetch(self, tenant: int, unique_identifier: str) -> ObjectRow | None: ...

    async def entry(self, tenant: int, kind: int, key: str) -> EntryRow | None: ...


async def after(lost: OutcomeUnknown, changes: ChangeSet, send: Send, reads: Reads) -> None:
    """Find out what became of the change set whose answer was `lost`, and `send` it again if it is not there.

    Raises what `send` raises; OutcomeUnknown if it stays unknown.
    """
    if not (
        changes.objects
        or changes.entries
        or changes.entry_updates
        or changes.removals
        or changes.entry_removals
    ):
        raise lost
    for _ in range(ATTEMPTS):
        try:
            await send()
        except OutcomeUnknown:
            continue
        except StoreUnavailable as error:
            raise lost from error
        except (Conflict, NameTaken):
            # Perhaps with ourselves.
            if not await _is_stored(changes, reads, lost):
                raise
        return
    raise lost


async def _is_stored(changes: ChangeSet, reads: Reads, lost: OutcomeUnknown) -> bool:
    wanted: ObjectRow | EntryRow
    stored: ObjectRow | EntryRow | None
    if changes.objects:
        wanted = changes.objects[0].row
        stored = await reads.fetch(wanted.tenant, wanted.unique_identifier)
    elif changes.entries or changes.entry_updates:
        wanted = changes.entries[0] if changes.entries else changes.entry_updates[0].row
        stored = await reads.entry(wanted.tenant, wanted.kind, wanted.key)
    elif changes.removals:
        gone = changes.removals[0]
        return await reads.fetch(gone.tenant, gone.unique_identifier) is None
    else:
        return await reads.entry(*changes.entry_removals[0][:3]) is None
    if stored is None or stored.generation < wanted.generation:
        return False
    if stored.generation > wanted.generation:
        # Others went on from what was ours or theirs; which, the row does not tell any more.
        raise lost
    return stored.sealed == wanted.sealed
