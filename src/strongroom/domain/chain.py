"""How audit records are chained.

Rule: the hash of a record is SHA-256 of the hash before it and the record's bytes, so the last hash stands
for all records and their order. The store chains changes, a worker what it reads, and whoever verifies
computes the same.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final, NamedTuple

GENESIS: Final = bytes(32)
"""What stands for the hash before the first record."""


class Head(NamedTuple):
    """The end of a chain: how many records it has, and the hash of the last."""

    position: int
    hash: bytes


EMPTY: Final = Head(0, GENESIS)


def link(before: bytes, record: bytes) -> bytes:
    """Return the hash of a record that follows one with the hash `before`."""
    return sha256(before + record).digest()


def extend(head: Head, records: Iterable[bytes]) -> list[Head]:
    """Return the head after each of the records that follow `head`."""
    heads: list[Head] = []
    position, before = head
    for record in records:
        position += 1
        before = sha256(before + record).digest()
        heads.append(Head(position, before))
    return heads
