"""Audit events of commits are witnessed: only this server can have written them, each once.

Rule: who can write the database can add events to the audit table, or copy old ones to its end, and the
server would chain and sign them. What an event says is believed only with a witness: a keyed digest of the
event under a key derived from a store key, and a number that its process has used once.

    "witness":"STORE_KEY.PROCESS.NUMBER.DIGEST"       all in hex, the last field of the event
"""

import os
from bisect import bisect_right
from collections.abc import Callable
from hashlib import blake2b
from itertools import count
from operator import itemgetter
from typing import Final

from strongroom.model.secret import SecretBytes

_DIGEST: Final = 16
WITNESSED: Final = b',"witness":"'
"""What every event has that is witnessed."""

_END: Final = b'"}'

_MISSING: Final = 16_384
"""Gaps in the numbers of a process that are remembered, the newest ones."""


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
        self._seen: dict[bytes, _Numbers] = {}

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
        first = self._seen.setdefault(parts[1], _Numbers()).note(number)
        return None if first else "it is a copy of an older one"


class _Numbers:
    """Which numbers of a process have come: all up to the newest, but for those that are missing.

    A number is drawn before its event is sent. So an event whose commit hangs and is sent again comes after
    any number of later ones, and one that was refused never comes.
    """

    __slots__ = ("_missing", "_newest")

    def __init__(self) -> None:
        self._newest = 0
        self._missing: list[tuple[int, int]] = []

    def note(self, number: int) -> bool:
        """Note a number; tell whether it has not come before."""
        missing = self._missing
        if number > self._newest:
            if number > self._newest + 1:
                missing.append((self._newest + 1, number - 1))
                del missing[:-_MISSING]
            self._newest = number
            return True
        place = bisect_right(missing, number, key=itemgetter(0)) - 1
        if place < 0 or number > missing[place][1]:
            return False
        low, high = missing[place]
        missing[place : place + 1] = [
            gap for gap in ((low, number - 1), (number + 1, high)) if gap[0] <= gap[1]
        ]
        return True


def _digest(key: SecretBytes, head: bytes) -> bytes:
    return blake2b(head, key=key.reveal(), digest_size=_DIGEST).hexdigest().encode()
