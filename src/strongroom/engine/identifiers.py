"""Unique Identifiers of new objects.

Rule: a UUID of version 7 (RFC 9562 §5.7): milliseconds, then 74 random bits. Nobody guesses one, and those of
objects that are made one after the other stand side by side in the index of the store, where each random one
would change a page of its own.
"""

import os
import time

from strongroom.model.identifiers import UniqueIdentifier

_VARIANT = 0b10 << 62
_RANDOM = (1 << 62) - 1


def new_identifier() -> UniqueIdentifier:
    """Return a Unique Identifier that no object has."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    low = _VARIANT | random & _RANDOM
    return UniqueIdentifier(
        f"{milliseconds >> 16 & 0xFFFFFFFF:08x}-{milliseconds & 0xFFFF:04x}-7{random >> 62 & 0xFFF:03x}"
        f"-{low >> 48:04x}-{low & 0xFFFFFFFFFFFF:012x}"
    )
