"""How answers are given to TLS, when they leave, and where they go when the peer is gone."""

import asyncio
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Final, Protocol, TypeGuard

from strongroom.domain.turn import SLICE
from strongroom.engine.answers import Answer
from strongroom.server.listening.turns import Account
from strongroom.server.logs import get_logger

log = get_logger()

PIECE: Final = 64 * 1024
"""Bytes of a long answer that are given to TLS at a time. It encrypts all that it is given before any of it
leaves, and keeps the memory for that as long as the connection."""


def is_short(answer: Answer) -> TypeGuard[bytes]:
    """Tell whether an answer is given to TLS in one piece."""
    return isinstance(answer, bytes) and len(answer) <= PIECE


def pieces(answer: Answer) -> Iterator[memoryview]:
    """Yield an answer in pieces of PIECE bytes at most."""
    for part in (answer,) if isinstance(answer, bytes) else answer:
        view = memoryview(part)
        for start in range(0, len(part), PIECE):
            yield view[start : start + PIECE]


class Leaving(Protocol):
    """A connection whose answers leave."""

    transport: asyncio.Transport
    account: Account

    def abort(self, reason: str) -> None:
        """End the connection now."""


ALONE: Final = 64
"""Answers that leave alone before it is looked again whether they come together."""

TOGETHER: Final = 2.0
"""Answers that are ready at the same time on average: with fewer, waiting for each other costs more than it
saves."""


class Departures:
    """Lets short answers leave together, those of all connections, when all that has arrived was looked at.

    An answer that leaves alone wakes up a processor, which goes back to sleep before the next one is ready:
    an eighth of what a small request takes. No answer waits for others for longer than a slice, and none at
    all while there are hardly any others.
    """

    __slots__ = ("_alone", "_clock", "_count", "_due", "_since", "_size", "_together", "_waiting", "charged")

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._waiting: list[tuple[Leaving, bytes]] = []
        self._size = 0
        self._since = 0.0
        self._due = False
        self._count = 0
        self._alone = 0
        self._together = TOGETHER
        self.charged = 0.0
        """Seconds that all who have got their answers together have paid for that."""

    def add(self, connection: Leaving, answer: bytes) -> None:
        """Let an answer leave, now or soon; what is written to its connection meanwhile would overtake it."""
        if self._alone:
            self._alone -= 1
            connection.transport.write(answer)
            return
        waiting, now = self._waiting, self._clock()
        waiting.append((connection, answer))
        self._size += len(answer)
        self._count += 1
        if not self._due:
            self._due, self._since = True, now
            asyncio.get_running_loop().call_soon(self._leave_at_last)
        elif now - self._since > SLICE or self._size > PIECE:
            self.leave()
            self._since = now

    def leave(self) -> None:
        """Let all that waits leave now."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        clock = self._clock
        first = began = clock()
        for connection, answer in waiting:
            try:
                connection.transport.write(answer)
            except Exception:
                log.exception("answer_failed")
                connection.abort("answer_failed")
            now = clock()
            connection.account.use(now - began)
            began = now
        self.charged += began - first

    def _leave_at_last(self) -> None:
        self._together += (self._count - self._together) / 4
        self._due, self._count = False, 0
        if self._together < TOGETHER:
            self._alone = ALONE
        self.leave()


class _Nowhere(asyncio.Transport):
    """In the place of a transport that is no more."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Lose it."""

    def close(self) -> None:
        """Do nothing."""

    abort = pause_reading = resume_reading = close


NOWHERE: Final = _Nowhere()
