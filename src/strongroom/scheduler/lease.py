"""Who delivers to a client.

Rule: one worker of all nodes at a time, by an entry that all of them see. Every method but `take` raises
LostRace when the lease has ended meanwhile and another delivers.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from strongroom.domain.clock import Clock
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.outgoing import Correspondence
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.store_failures import DamagedEntry

LENGTH: Final = timedelta(seconds=20)
RENEWAL: Final = timedelta(seconds=15)
"""A lease with less left than this is renewed before an exchange, which takes less."""

LONGEST_PAUSE: Final = 300
"""Seconds between two tries of an endpoint that does not answer, at most."""

_FARTHEST: Final = timedelta(seconds=2 * LONGEST_PAUSE)
"""What ends later was written by a clock that was ahead, and has been set right since."""

log = structlog.get_logger()


class Lease:
    """The right to deliver to one client; made by `take`."""

    def __init__(self, store: ObjectStore, clock: Clock, kept: Kept[Correspondence]) -> None:
        self._store = store
        self._clock = clock
        self._kept = kept

    @classmethod
    async def take(
        cls, store: ObjectStore, clock: Clock, client: ClientIdentity, *, holder: str, patient: bool
    ) -> "Lease | None":
        """Become the one that delivers to a client; None when another does.

        `patient`: not while the endpoint is left alone after a failure.
        """
        now, key = clock.now(), str(client.client)
        kept, generation = None, 0
        try:
            kept = await store.load_entry(Correspondence, client.tenant, key)
        except DamagedEntry as damaged:  # what it knew, the client says again
            log.error("correspondence_damaged", client=client.name, error=str(damaged))
            generation = damaged.generation
        if kept is None:
            kept = Kept(
                tenant=client.tenant,
                key=key,
                owner=client.client,
                value=Correspondence(),
                generation=generation,
            )
        taken = kept.value.holder not in ("", holder)
        waiting = patient and not kept.value.holder
        if kept.due is not None and now < kept.due <= now + _FARTHEST and (taken or waiting):
            return None
        lease = cls(store, clock, kept)
        try:
            await lease.note(kept.value.replace(holder=holder))
        except LostRace:
            return None
        return lease

    @property
    def value(self) -> Correspondence:
        """Return what is known of the client."""
        return self._kept.value

    async def keep(self) -> None:
        """Make sure that the lease outlasts an exchange."""
        if self._kept.due is None or self._kept.due - self._clock.now() < RENEWAL:
            await self.note(self.value)

    async def note(self, value: Correspondence) -> None:
        """Keep what is known of the client now, and the lease."""
        await self._change(value, self._clock.now() + LENGTH)

    async def release(self) -> None:
        """End the lease: everything was answered."""
        await self._change(self.value.replace(holder="", failures=0), None)

    async def give_way(self) -> None:
        """End the lease as it is: somebody else may have more success at once."""
        await self._change(self.value.replace(holder=""), None)

    async def put_off(self) -> int:
        """End the lease and leave the endpoint alone for so many seconds, more with each failure."""
        failures = self.value.failures + 1
        pause = min(LONGEST_PAUSE, 1 << min(failures - 1, 16))
        value = self.value.replace(holder="", failures=failures)
        await self._change(value, self._clock.now() + timedelta(seconds=pause))
        return pause

    async def _change(self, value: Correspondence, due: datetime | None) -> None:
        after = replace(self._kept, value=value, due=due)
        change = EntryChange(Correspondence, after.tenant, after.key, self._kept.generation, after)
        (generation,) = await self._store.commit(Changes(entries=[change]))
        self._kept = replace(after, generation=generation)
