"""The store is compared with itself, at the start and from time to time.

Rule: one worker of all nodes does it, by an entry that all of them see. What is found about an object makes
it refused in the commit of that finding; everything else is for the administrator, who is told once.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Final

import structlog

from strongroom.domain.clock import Clock
from strongroom.domain.doubts import Distrusted, Doubt, Subject
from strongroom.domain.entries import Entry, EntryChange, Kept
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.store_failures import DamagedEntry, StoreFailure
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.model.struct import Int64, Own

KEY: Final = "store"
"""The key of the one entry that all nodes see."""

_LEASE: Final = timedelta(minutes=5)
"""After so long without a word from whoever verifies, somebody else begins anew."""

RENEWAL: Final = 60.0
"""Seconds between two words of whoever verifies."""

MOST_KEPT: Final = 100
"""Doubts that the report keeps, beside the objects that are refused."""

_LONGEST_TOLD: Final = 1000
"""Characters of one of them: whoever edits the database chooses names."""

log = structlog.get_logger()


class Verification(Entry, kind=13):
    """How the last verification went; due when the next begins, or somebody has to take it over."""

    started: Annotated[datetime | None, Own(1)] = None
    finished: Annotated[datetime | None, Own(2)] = None
    doubts: Annotated[tuple[str, ...], Own(3)] = ()
    count: Annotated[Int64, Own(4)] = 0


class Verifier:
    """A job of the timetable. `verify` looks at the whole store.

    `interval` zero: never unasked but at the start. `at_start`: this worker verifies as soon as it runs,
    whatever others did before. `on_distrust` makes every worker follow.
    """

    def __init__(
        self,
        store: ObjectStore,
        verify: Callable[[], AsyncIterator[Doubt]],
        clock: Clock,
        *,
        interval: timedelta,
        at_start: bool,
    ) -> None:
        self._store = store
        self._verify = verify
        self._clock = clock
        self._interval = interval
        self._wanted = at_start
        self.on_distrust: Callable[[], Awaitable[None]] | None = None
        self._running: asyncio.Task[None] | None = None
        self._untold = False  # something was found that the others do not know of

    async def __call__(self, now: datetime) -> None:
        """Begin in the background if it is time. Raises StoreFailure."""
        if self._running is not None and not self._running.done():
            return
        generation = 0
        try:
            kept = await self._store.load_entry(Verification, SYSTEM_TENANT, KEY)
        except DamagedEntry as damaged:  # a reason to look at everything, and not to stop looking
            log.error("store_doubted", subject=Subject.ENTRY.value, name=KEY, reason=str(damaged))
            kept, generation = None, damaged.generation
        if kept is None:
            kept = Kept(tenant=SYSTEM_TENANT, key=KEY, owner=0, value=Verification(), generation=generation)
        elif not self._wanted and not self._is_due(kept.due, now):
            return
        try:
            kept = await self._note(kept, Verification(started=now), now + _LEASE)
        except LostRace:
            return  # another worker has just begun
        self._wanted = False
        self._running = asyncio.create_task(self._run(kept))

    def _is_due(self, due: datetime | None, now: datetime) -> bool:
        # What is due later than anybody would write was written by a clock that was ahead.
        return due is not None and not timedelta() < due - now <= 2 * max(self._interval, _LEASE)

    async def finished(self) -> None:
        """Return when none is under way here."""
        if self._running is not None:
            await self._running

    async def _run(self, kept: Kept[Verification]) -> None:
        try:
            await self._compare(kept)
        except LostRace:
            log.info("verification_given_up", reason="another worker has begun one")
        except StoreFailure as error:
            log.warning("verification_failed", error=str(error))
            self._wanted = True
        except Exception:
            # The edge of a task, and perhaps of what somebody has put into the database, so that the rest is
            # not looked at. Begun again when its lease ends, and not at once, since it would fail again.
            log.exception("verification_stopped", alarm="the store was not compared; it is tried again")
        # Also what was found before it stopped is refused everywhere.
        if self._untold and self.on_distrust is not None:
            await self.on_distrust()
            self._untold = False

    async def _compare(self, kept: Kept[Verification]) -> None:
        """Look at everything, refuse what cannot be true, and report. Raises StoreFailure and LostRace."""
        doubts: list[str] = []
        looking = asyncio.create_task(self._look(doubts))
        try:
            # A large store takes longer than the lease, and longest where there is nothing to find.
            await asyncio.wait([looking], timeout=RENEWAL)
            while not looking.done():
                kept = await self._note(kept, kept.value, self._clock.now() + _LEASE)
                await asyncio.wait([looking], timeout=RENEWAL)
            count = await looking
        finally:
            looking.cancel()
            await asyncio.wait([looking])
        now = self._clock.now()
        done = kept.value.replace(finished=now, doubts=tuple(doubts), count=count)
        await self._note(kept, done, now + self._interval if self._interval else None)
        log.info("store_verified", doubts=count)

    async def _look(self, doubts: list[str]) -> int:
        """Look at everything and refuse what cannot be true; return how much was found, and keep some of it.

        Raises StoreFailure.
        """
        count = 0
        async for doubt in self._verify():
            count += 1
            self._untold = True
            text = f"{doubt.subject.value} {doubt.name}: {doubt.reason}"
            if len(doubts) < MOST_KEPT:
                doubts.append(text[:_LONGEST_TOLD])
            log.error("store_doubted", subject=doubt.subject.value, name=doubt.name, reason=doubt.reason)
            if doubt.subject is Subject.OBJECT:
                await self._distrust(doubt)
        return count

    async def _distrust(self, doubt: Doubt) -> None:
        """Have the object refused from now on; one that is refused already stays so."""
        generation = 0
        try:
            if await self._store.load_entry(Distrusted, doubt.tenant, doubt.name) is not None:
                return
        except DamagedEntry as damaged:  # whoever has edited the object may have edited that, too
            generation = damaged.generation
        now = self._clock.now()
        value = Distrusted(reason=doubt.reason, since=now, known=doubt.known)
        after = Kept(tenant=doubt.tenant, key=doubt.name, owner=0, value=value, due=now)
        change = EntryChange(Distrusted, doubt.tenant, doubt.name, generation, after)
        try:
            with suppress(LostRace):
                await self._store.commit(Changes(entries=[change]))
        except (struct.error, ValueError, TypeError):
            # Nobody has an object of such a tenant, or under such a name; all others are looked at.
            log.exception("doubt_not_kept", name=doubt.name[:_LONGEST_TOLD])

    async def _note(
        self, kept: Kept[Verification], value: Verification, due: datetime | None
    ) -> Kept[Verification]:
        """Keep how it stands; raises LostRace when another worker has taken it over."""
        after = replace(kept, value=value, due=due)
        change = EntryChange(Verification, SYSTEM_TENANT, KEY, kept.generation, after)
        (generation,) = await self._store.commit(Changes(entries=[change]))
        return replace(after, generation=generation)
