"""The type of secret bytes.

Rule: key material is in a SecretBytes from decode to store, so that a leak shows up in review as the word
`reveal`. Python cannot wipe memory reliably; this type promises only that nothing prints it by accident.
"""

import hmac
from typing import NoReturn


class SecretBytes:
    """Bytes that do not print, hash or pickle; equality takes time independent of the content."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """Return the bytes; every call is a place that a review looks at."""
        return self._value

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
