"""Data that goes to the server in parts.

Rule: cuts and joins bytes; which requests carry them is the methods' affair.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

from strongroom.client.errors import ProtocolError
from strongroom.model.secret import SecretBytes

PART_SIZE: Final = 1 << 20
"""Bytes of a part. In XML and JSON a byte takes two characters, and a message is at most 4 MiB by default."""


@runtime_checkable
class Readable(Protocol):
    """A file that is open for reading bytes."""

    def read(self, size: int, /) -> bytes: ...


Source: TypeAlias = bytes | SecretBytes | Readable | Iterable[bytes]
"""All of the data, or a file or an iterable that gives it bit by bit."""


class Part(NamedTuple):
    """One part of some data, and which."""

    data: bytes
    first: bool
    last: bool

    def fields(self, correlation_value: bytes | None) -> dict[str, Any]:
        """Return what a request says of the part; the value is that of the answer to the part before.

        Raises ProtocolError when there was none: the server would take the part for data of its own.
        """
        if correlation_value is None and not self.first:
            raise ProtocolError("the server took the first part for all of the data; it knows no parts")
        return {
            "correlation_value": correlation_value,
            "init_indicator": True if self.first and not self.last else None,
            "final_indicator": True if self.last and not self.first else None,
        }


def parts(source: Source) -> Iterator[Part]:
    """Yield data in parts of PART_SIZE; what is given as bytes, or is short, comes alone, nothing too."""
    if isinstance(source, bytes | SecretBytes):
        yield Part(source if isinstance(source, bytes) else source.reveal(), first=True, last=True)
        return
    first, held = True, b""
    for chunk in _chunks(source):
        if held:
            yield Part(held, first=first, last=False)
            first = False
        held = chunk
    yield Part(held, first=first, last=True)


def _chunks(source: Readable | Iterable[bytes]) -> Iterator[bytes]:
    """Yield pieces of PART_SIZE, the last one shorter."""
    buffer = bytearray()
    for piece in _pieces(source):
        buffer += piece
        while len(buffer) >= PART_SIZE:
            yield bytes(buffer[:PART_SIZE])
            del buffer[:PART_SIZE]
    if buffer:
        yield bytes(buffer)


def _pieces(source: Readable | Iterable[bytes]) -> Iterator[bytes]:
    if not isinstance(source, Readable):
        yield from source
        return
    # A file is an iterable too, of lines that may be of any length.
    while piece := source.read(PART_SIZE):
        yield piece
