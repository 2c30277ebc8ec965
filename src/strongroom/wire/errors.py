"""What a codec says of what it refuses.

Rule: an error names the place, in the specification's names and as a byte offset, never the value,
which may be a key.
"""

from collections.abc import Sequence
from typing import TypeAlias

Path: TypeAlias = tuple[tuple[str, int | None], ...]


class DecodeError(Exception):
    """The bytes are not a well-formed message, or not the one that was expected.

    `path` holds (name, occurrence) steps from the root; occurrences count from 0, and None means that
    no other item of the name stands beside it, as far as was read. `at` is the offset in the bytes as
    received, None where that is not known.
    """

    def __init__(
        self, message: str, *, path: Sequence[tuple[str, int | None]] = (), at: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path: Path = tuple(path)
        self.at = at

    def __str__(self) -> str:
        text = _located(self.message, self.path)
        return text if self.at is None else f"{text} (byte {self.at})"


class MessageTooLarge(DecodeError):
    """The size, declared or real, is over the limit; nothing was buffered."""


class EncodeError(Exception):
    """An Item holds a value that its type, or the encoding, cannot express."""

    def __init__(self, message: str, *, path: Sequence[tuple[str, int | None]] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path: Path = tuple(path)

    def __str__(self) -> str:
        return _located(self.message, self.path)


def _located(message: str, path: Path) -> str:
    where = ".".join(name if n is None else f"{name}[{n}]" for name, n in path)
    return f"{where}: {message}" if where else message
