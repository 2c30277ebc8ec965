"""Frames between the workers and the writer process.

Rule: a frame is its length (4 bytes, little-endian) and `marshal` of plain tuples.

marshal is several times faster than any other serialisation here, and neither stable between Python versions
nor safe against hostile input. Neither matters: both ends are forks of one process, and the socket lets only
this user in, who could change the database itself.
"""

import marshal
from collections.abc import Iterator
from typing import Any, Final

MAX_FRAME: Final = 64 * 2**20
"""Bytes. A message has 4 MiB at most by default, and a batch of them in one change set is one message."""

_LENGTH_SIZE: Final = 4


class FrameError(Exception):
    """What was received is no frame; the connection is of no more use."""


def pack(value: tuple[Any, ...] | list[Any]) -> bytes:
    """Return the frame of a value. Raises ValueError if it is too large, or not made of plain values."""
    payload = marshal.dumps(value)
    if len(payload) > MAX_FRAME:
        raise ValueError(
            f"a change of {len(payload)} bytes is more than the store takes at once ({MAX_FRAME})"
        )
    return len(payload).to_bytes(_LENGTH_SIZE, "little") + payload


class FrameReader:
    """Cuts received bytes into values."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Yield the value of each frame that `data` completes. Raises FrameError."""
        buffer = self._buffer
        buffer += data
        start = 0
        available = len(buffer)
        while available - start >= _LENGTH_SIZE:
            payload = start + _LENGTH_SIZE
            size = int.from_bytes(buffer[start:payload], "little")
            if size > MAX_FRAME:
                raise FrameError(f"a frame of {size} bytes")
            if available - payload < size:
                break
            start = payload + size
            try:
                yield marshal.loads(buffer[payload:start])  # noqa: S302 -- see above
            except (ValueError, EOFError, TypeError) as error:
                raise FrameError("a frame that is not marshalled") from error
        del buffer[:start]
