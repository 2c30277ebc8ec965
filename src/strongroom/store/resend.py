"""Commits whose answer was lost.

Rule: a change set is sent again only where that cannot apply it twice: when it changes or removes an object,
whose generation the store compares. Whether a change is there already is seen by the sealed bytes, of which
no two are the same; a removal by the object being gone, whoever removed it.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from strongroom.store.records import (
    ChangeSet,
    Conflict,
    NameTaken,
    ObjectRow,
    OutcomeUnknown,
    StoreUnavailable,
)

ATTEMPTS: Final = 3

Send: TypeAlias = Callable[[], Awaitable[None]]
Fetch: TypeAlias = Callable[[str], Awaitable[ObjectRow | None]]


async def after(lost: OutcomeUnknown, changes: ChangeSet, send: Send, fetch: Fetch) -> None:
    """Find out what became of the change set whose answer was `lost`, and `send` it again if it is not there.

    Raises what `send` raises; OutcomeUnknown if it stays unknown.
    """
    if not changes.objects and not changes.removals:
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
            if not await _is_stored(changes, fetch, lost):
                raise
        return
    raise lost


async def _is_stored(changes: ChangeSet, fetch: Fetch, lost: OutcomeUnknown) -> bool:
    if not changes.objects:
        return await fetch(changes.removals[0].unique_identifier) is None
    change = changes.objects[0]
    stored = await fetch(change.row.unique_identifier)
    if stored is None or stored.generation < change.row.generation:
        return False
    if stored.generation > change.row.generation:
        # Others went on from what was ours or theirs; which, the row does not tell any more.
        raise lost
    return stored.sealed == change.row.sealed
