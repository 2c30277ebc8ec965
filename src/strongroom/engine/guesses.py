"""How many wrong credentials are looked at.

Rule: wrong ones in a row are counted for whoever they would be of, in all workers together; when there are
`FAILURES` of them, one more is looked at after each `WAIT`. What is being looked at counts as wrong until it
turns out to be right, so that those who ask several workers at once gain nothing.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from strongroom.domain.clock import Clock
from strongroom.domain.errors import AuthenticationNotSuccessful

FAILURES: Final = 10
"""Wrong credentials in a row before somebody has to wait."""

WAIT: Final = timedelta(seconds=30)

PATIENCE: Final = 5.0
"""Seconds that a credential waits at most for what other workers are looking at."""


class Seen(NamedTuple):
    """What all workers have seen of one holder: wrong credentials in a row, when the last of them came (None:
    there was none), and how many are being looked at."""

    wrong: int
    last: datetime | None
    under_way: int


class Tally(Protocol):
    """Port: where guesses are counted, for all workers of the server. `holder` is any text."""

    def read(self, holder: str) -> Seen:
        """Return what was seen of a holder, by this worker too."""

    def begin(self, holder: str) -> bool:
        """Say that this worker looks at a credential; False when it looks at too many already."""

    def end(self, holder: str) -> None:
        """Say that it does so no more."""

    def wrong(self, holder: str, now: datetime) -> None:
        """Count a wrong one."""

    def right(self, holder: str, now: datetime) -> None:
        """Forget the wrong ones."""


class Guesses:
    """Lets credentials be looked at: in this worker, one of each holder at a time."""

    def __init__(self, tally: Tally, clock: Clock) -> None:
        self._tally = tally
        self._clock = clock
        self._looking: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def alone(self, holder: str) -> AsyncIterator[None]:
        """Have no other request of this worker look at a credential of the holder."""
        lock, others = self._looking.get(holder) or (asyncio.Lock(), 0)
        self._looking[holder] = lock, others + 1
        try:
            async with lock:
                yield
        finally:
            lock, others = self._looking.pop(holder)
            if others > 1:
                self._looking[holder] = lock, others - 1

    @asynccontextmanager
    async def look(self, holder: str) -> AsyncIterator[None]:
        """Look at a credential, which is wrong when AuthenticationNotSuccessful is raised inside; `alone`
        goes around it.

        Raises AuthenticationNotSuccessful, too, when nothing may be looked at now.
        """
        await self._begin(holder)
        try:
            yield
        except AuthenticationNotSuccessful:
            self._tally.wrong(holder, self._clock.now())
            raise
        else:
            self._tally.right(holder, self._clock.now())
        finally:
            self._tally.end(holder)

    async def _begin(self, holder: str) -> None:
        loop = asyncio.get_running_loop()
        given_up = loop.time() + PATIENCE
        while loop.time() < given_up:
            # First it is said, then the others are looked at: of two at once, one at least sees the other.
            if self._tally.begin(holder):
                seen = self._tally.read(holder)
                if self._free(seen):
                    return
                self._tally.end(holder)
                if self._has_to_wait(seen):
                    break
            await asyncio.sleep((5 + secrets.randbelow(20)) / 1000)  # at random, or they would meet again
        raise wrong()

    def _free(self, seen: Seen) -> bool:
        if seen.wrong < FAILURES:
            return seen.wrong + seen.under_way <= FAILURES
        return seen.under_way == 1 and not self._has_to_wait(seen)

    def _has_to_wait(self, seen: Seen) -> bool:
        return seen.wrong >= FAILURES and seen.last is not None and self._clock.now() < seen.last + WAIT


def wrong() -> AuthenticationNotSuccessful:
    """Return the one answer to whatever is wrong."""
    return AuthenticationNotSuccessful("the user name or the credential is wrong")
