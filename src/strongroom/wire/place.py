"""Memory for bytes of which it is known how many they will be."""

from io import BytesIO
from typing import Final

LONG: Final = 64 * 1024
"""Bytes of a value that is better not copied: that would take as long as to encrypt it."""


class Place:
    """Bytes that are written where they stay, and taken without copying them, unlike those of a bytearray.

    Whoever makes slices of `view` releases them before `take`, which raises BufferError otherwise.
    """

    __slots__ = ("_memory", "view")

    def __init__(self, size: int) -> None:
        """Take memory for `size` bytes, 1 or more."""
        self._memory = BytesIO()
        self._memory.seek(size - 1)
        self._memory.write(b"\0")
        self.view = self._memory.getbuffer()

    def take(self, size: int) -> bytes:
        """Return the first `size` bytes; the place is gone with that."""
        self.view.release()
        self._memory.truncate(size)
        return self._memory.getvalue()
