"""What a decoder says of bytes it refuses.

Rule: an error names the place, in the specification's names and as a byte offset, never the value,
which may be a key.
"""

from collections.abc import Sequence


class DecodeError(Exception):
    """The bytes are not a well-formed message, or not the one that was expected.

    `path` holds (name, occurrence) steps from the root; an occurrence of None means the only one.
    `at` is the offset of the item in the message, None where the encoding has no offsets.
    """

    def __init__(
        self, message: str, *, path: Sequence[tuple[str, int | None]] = (), at: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = tuple(path)
        self.at = at

    def __str__(self) -> str:
        where = ".".join(name if n is None else f"{name}[{n}]" for name, n in self.path)
        text = f"{where}: {self.message}" if where else self.message
        return text if self.at is None else f"{text} (byte {self.at})"


class MessageTooLarge(DecodeError):
    """The declared size is over the limit; nothing was buffered."""
