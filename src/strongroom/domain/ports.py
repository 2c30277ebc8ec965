"""Ports to the outside that are too small for a file of their own.

Rule: each port is a Protocol whose docstring is the contract; adapters implement it, `server/app.py` picks
one.
"""

from typing import Protocol

from strongroom.model.secret import SecretBytes


class RootKeyError(Exception):
    """The root key cannot be used; the message says why and names the cure. Final: no start."""


class WrongRootKey(RootKeyError):
    """`wrapped` was made by another root key; where there are several, try the next."""


class RootKey(Protocol):
    """The key above all others: it wraps store keys and nothing else. It never leaves its provider."""

    def wrap(self, key: SecretBytes) -> bytes:
        """Return `key` (32 bytes) sealed, together with what tells this root key from another."""

    def unwrap(self, wrapped: bytes) -> SecretBytes:
        """Return the key that `wrap` was given.

        Raises WrongRootKey if `wrapped` was made by another root key (try the next one); RootKeyError,
        final, when it is damaged.
        """
