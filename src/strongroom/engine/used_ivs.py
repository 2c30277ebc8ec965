"""IVs of keys that are gone for good are forgotten.

Rule: that a key is gone was decided, and written down, by the commit that ended it; here only what is left is
removed, so many entries at a time, each time with an audit event, so that the verifier misses none.
"""

import contextlib
from datetime import datetime
from typing import Final

from strongroom.domain.audit import SUCCESS, AuditEvent
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.store_failures import TamperedRecord
from strongroom.engine.due import each_due
from strongroom.engine.entries import forget
from strongroom.procedures.used_ivs import EndOfIvs, UsedIv

FORGOTTEN: Final = "UsedIvsForgotten"
"""The operation of the audit event."""

AT_ONCE: Final = 200
"""IVs that one commit removes."""

_PAGE: Final = 10
"""Keys that are looked at in one go."""


async def forget_ivs(store: ObjectStore, now: datetime) -> None:
    """Remove some of what keys have used that are gone. Raises StoreFailure."""
    await each_due(store, EndOfIvs, now, _PAGE, lambda ended: _forget(store, ended, now))


async def _forget(store: ObjectStore, ended: Kept[EndOfIvs], now: datetime) -> None:
    used = await store.entries_of(UsedIv, ended.tenant, int(ended.key), AT_ONCE)
    # After that: what another key under this identifier has used since is not among them.
    if used and await _is_gone(store, ended):
        with contextlib.suppress(LostRace):  # another worker was first
            await store.commit(Changes(entries=list(map(_removal, used)), events=[_event(ended, now)]))
    else:
        await forget(store, ended)


async def _is_gone(store: ObjectStore, ended: Kept[EndOfIvs]) -> bool:
    """Tell whether no other key has taken the place of the one that ended (Import)."""
    try:
        obj = await store.load(ended.tenant, ended.value.unique_identifier)
    except TamperedRecord:
        return False  # nobody knows; then they stay
    return obj is None or obj.destroyed or str(obj.sequence) != ended.key


def _removal(kept: Kept[UsedIv]) -> EntryChange:
    return EntryChange(UsedIv, kept.tenant, kept.key, kept.generation, None)


def _event(ended: Kept[EndOfIvs], now: datetime) -> AuditEvent:
    return AuditEvent(
        at=now,
        client=0,
        tenant=ended.tenant,
        peer="-",
        operation=FORGOTTEN,
        outcome=SUCCESS,
        by="server",
    )
