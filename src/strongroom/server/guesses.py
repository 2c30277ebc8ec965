"""Wrong credentials, counted by all workers in memory that they share.

Rule: as in `shared.py`, every cell has one writer, the worker whose row it is in, and nothing is locked. So
nobody takes back what another has counted: whoever saw a right credential writes down when, and what was
wrong before that counts no more. The memory is made before the workers fork, and never grows.

    row     PLACES cells: what is being looked at (a key, or 0)
            BUCKETS times WAYS entries: key (or 0), wrong ones in a row, when the last came, when one
            was right
"""

import hashlib
import mmap
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from strongroom.engine.guesses import Seen

PLACES: Final = 64
"""Credentials that a worker looks at at once."""

BUCKETS: Final = 2048
WAYS: Final = 4
"""Each worker remembers so many times so many holders; of those that share a bucket, the one whose last
credential came the longest ago goes first. Who shares one, nobody outside can tell."""

_KEY, _WRONG, _LAST, _RIGHT, _WORDS = range(5)
_CELL: Final = 8
_ROW: Final = PLACES + BUCKETS * WAYS * _WORDS
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class GuessMemory:
    """The memory of at most `rows` workers at once. Make it before forking."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.cells = memoryview(mmap.mmap(-1, _CELL * rows * _ROW)).cast("q")
        self.secret = secrets.token_bytes(16)
        """So that nobody can choose a holder that shares a bucket with another one."""

    def clear(self, row: int) -> None:
        """Forget what a worker that is gone was looking at, but not what it has counted."""
        start = row * _ROW
        self.cells[start : start + PLACES] = memoryview(bytes(_CELL * PLACES)).cast("q")


class SharedTally:
    """What one worker sees of it; see `engine.guesses.Tally`."""

    def __init__(self, memory: GuessMemory, row: int) -> None:
        self._cells = memory.cells
        self._secret = memory.secret
        self._own = row * _ROW
        self._rows = range(0, memory.rows * _ROW, _ROW)

    def read(self, holder: str) -> Seen:
        key, cells = self._key(holder), self._cells
        entries = [entry for row in self._rows if (entry := self._find(row, key)) is not None]
        right = max((cells[entry + _RIGHT] for entry in entries), default=0)
        counting = [entry for entry in entries if cells[entry + _WRONG] and cells[entry + _LAST] >= right]
        under_way = sum(cells[row + place] == key for row in self._rows for place in range(PLACES))
        return Seen(
            sum(cells[entry + _WRONG] for entry in counting),
            max((_time(cells[entry + _LAST]) for entry in counting), default=None),
            under_way,
        )

    def begin(self, holder: str) -> bool:
        place = self._place(0)
        if place is None:
            return False
        self._cells[place] = self._key(holder)
        return True

    def end(self, holder: str) -> None:
        place = self._place(self._key(holder))
        if place is not None:
            self._cells[place] = 0

    def wrong(self, holder: str, now: datetime) -> None:
        key, cells = self._key(holder), self._cells
        right = max(
            (cells[entry + _RIGHT] for row in self._rows if (entry := self._find(row, key)) is not None),
            default=0,
        )
        own = self._own_entry(key)
        cells[own + _WRONG] = cells[own + _WRONG] + 1 if cells[own + _LAST] >= right else 1
        cells[own + _LAST] = _number(now)

    def right(self, holder: str, now: datetime) -> None:
        if self.read(holder).wrong:
            own = self._own_entry(self._key(holder))
            self._cells[own + _RIGHT] = _number(now)
            self._cells[own + _WRONG] = 0

    def _key(self, holder: str) -> int:
        digest = hashlib.blake2b(holder.encode(), digest_size=_CELL, key=self._secret).digest()
        return int.from_bytes(digest) >> 1 or 1

    def _place(self, key: int) -> int | None:
        """Return where this worker says that it looks at `key`; 0 finds a free place."""
        places = range(self._own, self._own + PLACES)
        return next((place for place in places if self._cells[place] == key), None)

    def _entries(self, row: int, key: int) -> Iterator[int]:
        start = row + PLACES + (key % BUCKETS) * WAYS * _WORDS
        return iter(range(start, start + WAYS * _WORDS, _WORDS))

    def _find(self, row: int, key: int) -> int | None:
        return next((entry for entry in self._entries(row, key) if self._cells[entry] == key), None)

    def _own_entry(self, key: int) -> int:
        """Return the entry of a key in our row, made now if there is none."""
        found = self._find(self._own, key)
        if found is not None:
            return found
        cells = self._cells
        found = min(
            self._entries(self._own, key), key=lambda one: max(cells[one + _LAST], cells[one + _RIGHT])
        )
        cells[found] = 0  # nobody takes what is written next for the one that was there
        for word in (_WRONG, _LAST, _RIGHT):
            cells[found + word] = 0
        cells[found] = key
        return found


def _number(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _time(number: int) -> datetime:
    return _EPOCH + number * _MICROSECOND
