"""Deadlines of all connections of a worker, with one timer.

Rule: a request never makes a timer. A connection stores the moment when its patience ends; a sweep over all
connections, a few times a second, finds those whose moment has passed. So a deadline is never early and at
most two intervals late.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

INTERVAL: Final = 0.25
NEVER: Final = float("inf")


class Timed(Protocol):
    """Something that can run out of time."""

    deadline: float
    """On the clock of the `Deadlines` it was added to."""
    valid_until: float
    """When the peer's certificate ends, in seconds since the epoch."""

    def expire(self) -> None:
        """The deadline has passed."""

    def outlive(self) -> None:
        """The certificate has ended."""


class Deadlines:
    """The connections of one worker and the time, as exact as deadlines need it."""

    __slots__ = ("_clock", "_members", "_wall_clock", "date", "now")

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._members: set[Timed] = set()
        self.now = 0.0
        """A moment between the present and one interval later: what deadlines are reckoned from."""
        self.date = 0.0
        """Seconds since the epoch at the last sweep: what certificates are checked against."""
        self.sweep()

    def add(self, member: Timed) -> None:
        """Watch over a connection until `discard`."""
        self._members.add(member)

    def discard(self, member: Timed) -> None:
        """Forget a connection; one that is unknown is no error."""
        self._members.discard(member)

    def sweep(self) -> None:
        """Tell everyone whose time is up."""
        present = self._clock()
        self.now = present + INTERVAL
        date = self.date = self._wall_clock()
        late = [
            member for member in self._members if member.deadline <= present or member.valid_until <= date
        ]
        for member in late:
            if member.valid_until <= date:
                member.outlive()
            else:
                member.expire()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            self.sweep()
