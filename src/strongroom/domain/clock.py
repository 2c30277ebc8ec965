"""Time.

Rule: nothing else in the server reads a clock, so that a test can move it.
"""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the current time (aware, UTC, second resolution as on the wire)."""


class SystemClock:
    """The clock of the machine."""

    __slots__ = ("_now", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._now = datetime.fromtimestamp(0, UTC)

    def now(self) -> datetime:
        second = int(time.time())
        if second != self._second:  # made once a second, since it is asked for with each request
            self._second, self._now = second, datetime.fromtimestamp(second, UTC)
        return self._now
