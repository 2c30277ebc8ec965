"""Audit events of commits are witnessed: only this server can have written them, each once.

Rule: who can write the database can add events to the audit table, or copy old ones to its end, and the
server would chain and sign them. What an event says is believed only with a witness: a keyed digest of the
event under a key derived from a store key, and a number that its process has used once.

    "witness":"STORE_KEY.PROCESS.NUMBER.DIGEST"       all in hex, the last field of the event
"""

import os
from collections.abc import Callable
from hashlib import blake2b
from itertools import count
from typing import Final

from strongroom.model.secret import SecretBytes

_DIGEST: Final = 16
WITNESSED: Final = b',"witness":"'
"""What every event has that is witnessed."""

_END: Final = b'"}'

_WINDOW: Final = 4096
"""How far behind the newest of its process an event may come: commits on PostgreSQL overtake each other."""


def event_key(store_key: SecretBytes) -> SecretBytes:
    """Return the key of the digests (32 bytes), derived from a store key."""
    return SecretBytes(blake2b(b"audit events", key=store_key.reveal(), digest_size=32).digest())


class Witness:
    """What one process adds to its events."""

    def __init__(self) -> None:
        self._process = os.urandom(8).hex()
        self._numbers = count(1)

    def add(self, event: bytes, store_key: int, key: SecretBytes) -> bytes:
        """Return the event, one line of JSON, with its witness."""
        head = b"%b%b%x.%b.%x." % (
            event[:-1],
            WITNESSED,
            store_key,
            self._process.encode(),
            next(self._numbers),
        )
        return head + _digest(key, head) + _END


class Witnesses:
    """Checks the events of a store, in their order. `key_of` returns the key for a store key, or None."""

    def __init__(self, key_of: Callable[[int], SecretBytes | None]) -> None:
        self._key_of = key_of
        self._seen: dict[bytes, tuple[int, set[int]]] = {}

    def doubt(self, event: bytes) -> str | None:
        """Return what is wrong with an event, None for one that this server wrote and that comes first."""
        _, found, rest = event.rpartition(WITNESSED)
        parts = rest.removesuffix(_END).split(b".")
        if not found or len(parts) != 4 or not rest.endswith(_END):
            return "it has no witness"
        try:
            store_key, number = int(parts[0], 16), int(parts[2], 16)
        except ValueError:
            return "its witness cannot be read"
        key = self._key_of(store_key)
        if key is None or _digest(key, event[: len(event) - len(parts[3]) - len(_END)]) != parts[3]:
            return "this server did not write it"
        return None if self._first(parts[1], number) else "it is a copy of an older one"

    def _first(self, process: bytes, number: int) -> bool:
        """Note the number of a process; tell whether it has not come before."""
        newest, recent = self._seen.setdefault(process, (0, set()))
        if number <= newest - _WINDOW or number in recent:
            return False
        recent.add(number)
        if number > newest:
            self._seen[process] = (number, recent)
            if len(recent) > 2 * _WINDOW:
                self._seen[process] = (number, {one for one in recent if one > number - _WINDOW})
        return True


def _digest(key: SecretBytes, head: bytes) -> bytes:
    return blake2b(head, key=key.reveal(), digest_size=_DIGEST).hexdigest().encode()
