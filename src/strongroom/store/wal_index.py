"""Whether anything was committed to an SQLite database, without asking SQLite.

Rule: looks at the header of the write-ahead log's index, and changes nothing. Whoever commits writes that
header last, and a read transaction begins with it (SQLite documentation, "WAL-mode File Format", section 2):
while it stays the same, a query gives what it gave before.

The index is a file in shared memory, and SQLite's locks are on it. The system ends the locks of a process as
soon as that closes the file by any other means; so it is opened once and closed after the connections.
"""

import contextlib
import mmap
from pathlib import Path
from struct import Struct
from typing import Final

_HEADER: Final = 96
"""Bytes of two copies of the same; each is written whole before the other."""

_FORMAT: Final = 3_007_000

_beginning = Struct("=I8xB").unpack_from
"""The version of the format, and whether the header was written."""


class WalIndex:
    """The index of the database of an open connection that has read something: before, there may be none."""

    def __init__(self, database: Path) -> None:
        """Open it; raises OSError, for a database that is used otherwise, too."""
        self._file = database.with_name(f"{database.name}-shm").open("rb", buffering=0)
        self._memory: mmap.mmap | None = None
        # From here on it stays open, whatever else goes wrong.
        with contextlib.suppress(OSError, ValueError):
            memory = mmap.mmap(self._file.fileno(), _HEADER, access=mmap.ACCESS_READ)
            self._memory = memory

    def header(self) -> bytes | None:
        """Return something that differs after each commit, and while one is being made.

        None where this cannot be told: the index is in a format of the future.
        """
        memory = self._memory
        return None if memory is None or _beginning(memory) != (_FORMAT, 1) else memory[:]

    def close(self) -> None:
        """Let go. No connection of this process to the database may be open."""
        if self._memory is not None:
            self._memory.close()
        self._file.close()
