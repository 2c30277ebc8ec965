"""How answers are given to TLS, and where they go when the peer is gone."""

import asyncio
from collections.abc import Iterator
from typing import Final

from strongroom.engine.answers import Answer

PIECE: Final = 64 * 1024
"""Bytes of a long answer that are given to TLS at a time. It encrypts all that it is given before any of it
leaves, and keeps the memory for that as long as the connection."""


def pieces(answer: Answer) -> Iterator[memoryview]:
    """Yield an answer in pieces of PIECE bytes at most."""
    for part in (answer,) if isinstance(answer, bytes) else answer:
        view = memoryview(part)
        for start in range(0, len(part), PIECE):
            yield view[start : start + PIECE]


class _Nowhere(asyncio.Transport):
    """In the place of a transport that is no more."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Lose it."""

    def close(self) -> None:
        """Do nothing."""

    abort = pause_reading = resume_reading = close


NOWHERE: Final = _Nowhere()
