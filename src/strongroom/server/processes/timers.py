"""Things to do later, for a loop around `select`.

Rule: no thread and no signal; the loop asks how long it may sleep and runs what is due. However long that
takes, the loop has its turn before anything is run again.
"""

import time
from collections.abc import Callable

from strongroom.server.processes.edge import carry_on


class Timers:
    """Actions in the order of their times."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, Callable[[], None]]] = []

    def add(self, seconds: float, action: Callable[[], None]) -> None:
        """Run `action` once, in so many seconds."""
        self._waiting.append((time.monotonic() + seconds, action))
        self._waiting.sort(key=lambda entry: entry[0])

    def sleep(self) -> float | None:
        """Return how long nothing is due, in seconds; None for ever."""
        return max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None

    def run(self) -> None:
        """Run what is due by now; what fails is logged."""
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            _, action = self._waiting.pop(0)
            carry_on(action)
