"""The type of secret bytes.

Rule: key material is in a SecretBytes from decode to store, so that a leak shows up in review as the word
`reveal`. Python cannot wipe memory reliably; this type promises only that nothing prints it by accident.
"""

import hmac
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


class SecretBytes:
    """Bytes that do not print, hash or pickle; equality takes time independent of the content."""

    __slots__ = ("_made", "_value")

    _made: tuple[Callable[[bytes], Any], Any]

    def __init__(self, value: bytes | memoryview) -> None:
        """Hold bytes, or for a moment a view of the message that they came in."""
        self._value = value

    def reveal(self) -> bytes:
        """Return the bytes; every call is a place that a review looks at."""
        value = self._value
        return value if isinstance(value, bytes) else bytes(value)

    def view(self) -> bytes | memoryview:
        """Return the same for what only reads them, without copying what is a view of a message."""
        return self._value

    def once(self, make: Callable[[bytes], T]) -> T:
        """Return what `make` makes of the bytes (a cipher): made once, and kept as long as this object is."""
        try:
            by, made = self._made
            if by is make:
                kept: T = made
                return kept
        except AttributeError:
            pass
        made = make(self.reveal())
        self._made = make, made
        return made

    def __len__(self) -> int:
        return len(self._value)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretBytes):
            return NotImplemented
        return hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"SecretBytes({len(self._value)} bytes)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("SecretBytes is not pickled: secrets leave the process only sealed")
