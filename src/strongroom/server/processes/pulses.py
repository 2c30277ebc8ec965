"""Signs of life of the children, in memory that they share with their parent.

Rule: a child shows one at least once a second while it can work; the parent looks once a second and counts
looks, not time. Whatever stops all of them at once, such as a pause of the container, lets nobody seem dead.
"""

import mmap
from typing import Final

PULSE: Final = 1.0
"""Seconds between signs of life, and between looks."""

LONGEST_SILENCE: Final = 60
"""Seconds without a sign of life after which a child is taken to hang."""

NOTED_SILENCE: Final = 5
"""Seconds without one after which `server status` says so."""


class Pulse:
    """The pulse of one child at a time. It is watched from its first sign on, until it is cleared."""

    def __init__(self, cells: "memoryview[int]") -> None:
        self._cells = cells
        self._seen = 0
        self.silence = 0
        """For how many looks, which are about seconds, the child has shown nothing."""

    def show(self) -> None:
        """In the child: show a sign of life."""
        self._cells[0] += 1

    def look(self) -> None:
        """In the parent, once a second: see whether there was one since the last look."""
        shown = self._cells[0]
        self.silence = self.silence + 1 if shown and shown == self._seen else 0
        self._seen = shown

    def clear(self) -> None:
        """Forget a child that is gone."""
        self._cells[0] = self._seen = self.silence = 0


def make_pulses(count: int) -> list[Pulse]:
    """Return the pulses of `count` children; to be made before they are forked."""
    cells = memoryview(mmap.mmap(-1, 8 * count)).cast("Q")
    return [Pulse(cells[row : row + 1]) for row in range(count)]
