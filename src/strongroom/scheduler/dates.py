"""Dates that change the State of an object, for clients that want to be notified.

Rule: a date acts whether anybody looks or not (`domain.lifecycle`); here only the message is made, once, in a
commit with the next date to watch.
"""

import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Final

from strongroom.domain.entries import Kept
from strongroom.domain.outgoing import DateWatch, Outgoing, OutgoingQueue, Subscription
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.engine.due import each_due
from strongroom.engine.entries import forget
from strongroom.engine.outbox import queued, watch
from strongroom.registry import Operation, Tag

_PAGE: Final = 32


class DateNotices:
    """The job that looks at the watches that are due."""

    def __init__(
        self,
        store: ObjectStore,
        subscription: Callable[[int], Subscription | None],
        outgoing: OutgoingQueue,
    ) -> None:
        self._store = store
        self._subscription = subscription
        self._outgoing = outgoing

    async def tidy(self, now: datetime) -> None:
        """Notify clients of States that dates have changed. Raises StoreFailure."""
        await each_due(self._store, DateWatch, now, _PAGE, lambda kept: self._look(kept, now))

    async def _look(self, kept: Kept[DateWatch], now: datetime) -> None:
        with contextlib.suppress(LostRace):  # another worker was first
            await self._notice(kept, now)

    async def _notice(self, kept: Kept[DateWatch], now: datetime) -> None:
        stored = await self._store.load(kept.tenant, kept.key)
        wanted = self._subscription(kept.owner)
        if stored is None or wanted is None or not wanted.notify:
            await forget(self._store, kept)
            return
        obj = stored.copy()
        obj.settle(now)
        message = Outgoing(
            operation=Operation.NOTIFY,
            unique_identifier=obj.unique_identifier,
            changed=(Tag.STATE, Tag.LAST_CHANGE_DATE),
        )
        entries = [*watch(obj, kept, now), queued(message, obj.tenant, obj.owner, now)]
        await self._store.commit(Changes(entries=entries))
        self._outgoing.wake(obj.owner)
