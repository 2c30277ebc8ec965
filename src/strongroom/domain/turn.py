"""For whom the work at hand is done, and how long work lets go of what it has been given.

Rule: the engine says it once for each operation; whoever shares out something scarce among clients asks here,
and nobody decides anything else by it. Work that may be long (a batch, a search without an index) gives way
after each slice, so that the other clients of the process have their turn.
"""

from contextvars import ContextVar
from time import perf_counter
from typing import Final, Protocol

NOBODY: Final = 0

SLICE: Final = 0.000_25
"""Seconds for which one client is served while others wait."""


class Line(Protocol):
    """Who has the next turn in this process."""

    async def turn_of(self, client: int) -> None:
        """Return when it is the client's turn."""


client: Final = ContextVar("client", default=NOBODY)
"""The number of the client that pays for the work; NOBODY is the server itself."""

line: Final[ContextVar[Line | None]] = ContextVar("line", default=None)
"""Where work waits for its next slice; None outside a server, where nobody else waits."""


class Pace:
    """A stretch of work that gives way after each slice: await it wherever the work can be interrupted."""

    __slots__ = ("_end",)

    def __init__(self) -> None:
        self._end = perf_counter() + SLICE

    async def __call__(self) -> None:
        """Return at once, or after the others had their turn."""
        if perf_counter() < self._end:
            return
        waits_in = line.get()
        if waits_in is None:
            # Here, since the client loads what operations are declared with, and need not load this.
            from asyncio import sleep

            await sleep(0)
        else:
            await waits_in.turn_of(client.get())
        self._end = perf_counter() + SLICE
