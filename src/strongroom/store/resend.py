"""Commits whose answer was lost.

Rule: a change set is sent again only where that cannot apply it twice: when it changes or removes an object
or an entry, which the store compares with what was read. Whether it is there already is seen by what no other
change set has: the sealed bytes of a row, or the witness in its audit event. That a thing is gone tells
nothing, since others may have removed it.
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

RECENT: Final = 50_000
"""Audit events, the newest ones, among which one's own is looked for: far more than are written meanwhile."""

Send: TypeAlias = Callable[[], Awaitable[None]]


class Reads(Protocol):
    """What of a back end tells whether a change is there."""

    async def fetch(self, tenant: int, unique_identifier: str) -> ObjectRow | None: ...

    async def entry(self, tenant: int, kind: int, key: str) -> EntryRow | None: ...

    async def has_event(self, event: bytes, among: int) -> bool:
        """Tell whether an audit event is among so many newest ones."""


Look: TypeAlias = Callable[[Reads], Awaitable[bool]]


class Outcomes(Protocol):
    """A back end that can be asked what became of a change set."""

    async def is_lasting(self, look: Look) -> bool:
        """Tell whether `look` finds what it looks for, so that nothing can lose it any more.

        Raises StoreUnavailable.
        """


async def after(lost: OutcomeUnknown, changes: ChangeSet, send: Send, store: Outcomes) -> None:
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
            try:
                ours = await store.is_lasting(lambda reads: _is_stored(changes, reads, lost))
            except StoreUnavailable as error:
                raise lost from error
            if not ours:
                raise
        return
    raise lost


async def _is_stored(changes: ChangeSet, reads: Reads, lost: OutcomeUnknown) -> bool:
    stored: ObjectRow | EntryRow | None = None
    wanted: ObjectRow | EntryRow | None = None
    if changes.objects:
        wanted = changes.objects[0].row
        stored = await reads.fetch(wanted.tenant, wanted.unique_identifier)
    elif changes.entries or changes.entry_updates:
        wanted = changes.entries[0] if changes.entries else changes.entry_updates[0].row
        stored = await reads.entry(wanted.tenant, wanted.kind, wanted.key)
    if stored is not None and wanted is not None and stored.sealed == wanted.sealed:
        return True
    if changes.events and await reads.has_event(changes.events[-1], RECENT):
        return True
    if wanted is None or (stored is not None and stored.generation > wanted.generation):
        # What was to go is gone, or others went on, from what was ours or theirs; which, nothing tells.
        raise lost
    return False
