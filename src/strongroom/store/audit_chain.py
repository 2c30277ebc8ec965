"""The chain of audit events in an SQLite database.

Rule: the writer appends and nobody else, so an event has its place in the chain from the moment it is there.
Events that an older Strongroom has left unchained come first, in their order.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

from strongroom.domain.chain import EMPTY, Head, extend
from strongroom.store import statements

_AT_ONCE: Final = 1000
"""Events of an older release that are chained in one step."""


class ChainEnd:
    """Where the next event goes, as one connection knows it.

    The end is kept in memory, and read again when another connection has written since.
    """

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self._head: Head | None = None
        self._version: object = None

    def append(self, events: Sequence[bytes]) -> Head | None:
        """Write events in an open transaction; return the new end, for `keep`. Raises sqlite3.Error."""
        if not events:
            return None
        head = self._current()
        heads = extend(head, events)
        self._cursor.executemany(
            statements.APPEND_EVENT,
            [(event, position, hash_) for event, (position, hash_) in zip(events, heads, strict=True)],
        )
        return heads[-1]

    def keep(self, head: Head | None) -> None:
        """Remember what `append` returned, once the transaction is committed."""
        if head is not None:
            self._head = head

    def _current(self) -> Head:
        # Inside a transaction that may write: nobody else can, and what others wrote before is counted.
        version = self._cursor.execute("PRAGMA data_version").fetchall()
        if self._head is None or version != self._version:
            self._head, self._version = self._catch_up(), version
        return self._head

    def _catch_up(self) -> Head:
        execute = self._cursor.execute
        rows = execute(statements.AUDIT_HEAD).fetchall()
        head = Head(*rows[0]) if rows else EMPTY
        while rows := execute(statements.UNCHAINED, (_AT_ONCE,)).fetchall():
            heads = extend(head, [event for _, event in rows])
            self._cursor.executemany(
                statements.CHAIN_EVENT,
                [(*head, sequence) for (sequence, _), head in zip(rows, heads, strict=True)],
            )
            head = heads[-1]
        return head
