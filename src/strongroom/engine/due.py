"""Entries that are due, each for itself.

Rule: what cannot be opened, or done, is left for the next look and keeps no other entry back: neither by what
it raises, nor by filling the page. What went wrong first is for the caller to raise once it is through, so
that somebody is told.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

from strongroom.domain.entries import E, EntryStore, Kept
from strongroom.domain.store_failures import StoreFailure
from strongroom.domain.turn import Pace


async def each_due(
    store: EntryStore,
    kind: type[E],
    now: datetime,
    maximum: int,
    do: Callable[[Kept[E]], Awaitable[None]],
) -> None:
    """Do something with at most `maximum` entries; raises what went wrong first, after all had their turn."""
    failure = await attempt_each_due(store, kind, now, maximum, do)
    if failure is not None:
        raise failure


async def attempt_each_due(
    store: EntryStore,
    kind: type[E],
    now: datetime,
    maximum: int,
    do: Callable[[Kept[E]], Awaitable[None]],
) -> Exception | None:
    """As `each_due`, and return what went wrong first. Raises StoreFailure when nothing can be read."""
    failures: list[Exception] = []
    done = 0
    pace = Pace()
    while True:
        await pace()
        before, wanted = len(failures), maximum - done
        # What was done is due no more, so that what failed comes first now.
        page = await store.due_entries(kind, now, wanted, offset=before, damaged=failures.append)
        read = len(page) + len(failures) - before
        for kept in page:
            try:
                await do(kept)
                done += 1
            except Exception as exc:  # noqa: BLE001 - returned; one entry must not keep the others back
                failures.append(exc)
        store_fails = any(isinstance(failure, StoreFailure) for failure in failures)
        if read < wanted or done >= maximum or store_fails:
            return failures[0] if failures else None
