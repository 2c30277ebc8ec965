"""The SQLite back end.

Rule: reads go straight to the file, on the event loop, since a point read costs a few microseconds; changes
go to the writer process. No read leaves a transaction open: every statement is stepped to its end before the
event loop runs again, so the next one sees every commit that was acknowledged before it.
"""

import asyncio
import contextlib
import sqlite3
from collections import deque
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from strongroom.domain.chain import EMPTY, Head
from strongroom.store import address as unix
from strongroom.store import migrate, resend, statements, visibility
from strongroom.store.changes import client_row, flatten
from strongroom.store.frames import FrameError, FrameReader, pack
from strongroom.store.locate import SQLITE, search
from strongroom.store.records import (
    ALL_ENTRIES,
    AuditRow,
    ChangeSet,
    ClientRow,
    EntryRow,
    Located,
    LocateQuery,
    ObjectRow,
    OutcomeUnknown,
    StoreKeyRow,
    StoreUnavailable,
    Visible,
    Written,
)
from strongroom.store.sqlite_file import COMMITTED, Answer, SqliteFile, connect, raise_for, unavailable
from strongroom.store.wal_index import WalIndex

READER_CACHE_KIB: Final = 8_192
REMEMBERED: Final = 10_000
"""Generations, and entries that do not exist, that a reader knows by heart while nothing is committed."""
SHORT: Final = 100
"""Characters of a key that is remembered for an entry that does not exist: some are of a client's choice."""
CONNECT_FOR: Final = 5.0
"""Seconds to try before a commit gives up: the supervisor restarts a writer that died."""
CONNECT_PAUSE: Final = 0.02
_SOME_TEXT: Final = partial(str, encoding="utf-8", errors="replace")
"""What reads a text that may be damaged. It is slower, so it is used once there is one."""


class _Reader:
    """Reads of one connection. With `watch` it remembers some of them until something is committed."""

    def __init__(self, path: Path, connection: sqlite3.Connection, *, watch: bool = False) -> None:
        self._path = path
        self._connection = connection
        self._cursor = connection.cursor()
        self._index: WalIndex | None = None
        self._seen: bytes | None = None
        self._version: int | None = None
        self._written: dict[tuple[int, str], Written] = {}
        self._absent: set[tuple[int, int, str]] = set()
        if watch:
            with contextlib.suppress(OSError):
                self._index = WalIndex(path)

    def close(self) -> None:
        self._connection.close()
        if self._index is not None:
            self._index.close()

    def _read_on(self, error: sqlite3.Error) -> None:
        """Return if it is worth reading again: from now on, what is no text is read with signs in its place.

        No seal fits it then, so it is refused wherever it is used, and keeps nothing else from being read.
        Raises StoreUnavailable for any other error.
        """
        # SQLite itself gives each of its errors a number.
        if hasattr(error, "sqlite_errorcode") or self._connection.text_factory is not str:
            raise unavailable(self._path, error) from error
        self._connection.text_factory = _SOME_TEXT

    def _unchanged(self) -> bool:
        """Tell whether what is remembered still holds; forgets it otherwise."""
        if self._index is None:
            return False
        header = self._index.header()
        if header is not None and header == self._seen:
            return True
        # What is read from here on is at least as new as this.
        self._seen, self._version = header, None
        self._written.clear()
        self._absent.clear()
        return False

    def mark(self) -> bytes | None:
        return None if self._index is None else self._index.header()

    def version(self) -> int:
        if self._unchanged() and self._version is not None:
            return self._version
        try:
            row: tuple[int] = self._cursor.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            raise unavailable(self._path, error) from error
        self._version = row[0]
        return row[0]

    def written(self, tenant: int, unique_identifier: str) -> Written | None:
        place = (tenant, unique_identifier)
        if self._unchanged() and (known := self._written.get(place)) is not None:
            return known
        try:
            row: Written | None = self._cursor.execute(statements.WRITTEN, place).fetchone()
        except sqlite3.Error as error:
            self._read_on(error)
            return self.written(tenant, unique_identifier)
        if row is None:
            return None
        if self._seen is not None:
            if len(self._written) >= REMEMBERED:
                self._written.clear()
            self._written[place] = row
        return row

    def fetch(self, tenant: int, unique_identifier: str, visible: Visible | None) -> ObjectRow | None:
        statement, parameters = visibility.fetch(tenant, unique_identifier, visible)
        try:
            row = self._cursor.execute(statement, parameters).fetchone()
        except sqlite3.Error as error:
            self._read_on(error)
            return self.fetch(tenant, unique_identifier, visible)
        return None if row is None else ObjectRow._make(row)

    def locate(self, query: LocateQuery) -> Located:
        steps = search(query, SQLITE)
        execute = self._cursor.execute
        try:
            statement = next(steps)
            while True:
                statement = steps.send(execute(*statement).fetchall())
        except StopIteration as answer:
            located: Located = answer.value
            return located
        except sqlite3.Error as error:
            self._read_on(error)
            return self.locate(query)

    def entry(self, tenant: int, kind: int, key: str) -> EntryRow | None:
        place = (tenant, kind, key)
        if self._unchanged() and place in self._absent:
            return None
        rows = self.entries(statements.ENTRY, place)
        if rows:
            return rows[0]
        if self._seen is not None and len(key) <= SHORT:
            if len(self._absent) >= REMEMBERED:
                self._absent.clear()
            self._absent.add(place)
        return None

    def entries(self, statement: str, parameters: tuple[int | str, ...]) -> list[EntryRow]:
        try:
            return [EntryRow._make(row) for row in self._cursor.execute(statement, parameters).fetchall()]
        except sqlite3.Error as error:
            self._read_on(error)
            return self.entries(statement, parameters)

    def count(self, statement: str, parameters: tuple[int, ...]) -> int:
        try:
            counted: int = self._cursor.execute(statement, parameters).fetchall()[0][0]
            return counted
        except sqlite3.Error as error:
            raise unavailable(self._path, error) from error

    def usage(self, tenant: int, owner: int | None) -> tuple[int, int]:
        statement, parameters = statements.usage_of(tenant, owner)
        try:
            objects, size = self._connection.execute(statement, parameters).fetchall()[0]
        except sqlite3.Error as error:
            raise unavailable(self._path, error) from error
        return objects, size

    def clients(self) -> list[ClientRow]:
        try:
            return [client_row(row) for row in self._cursor.execute(statements.CLIENTS).fetchall()]
        except sqlite3.Error as error:
            self._read_on(error)
            return self.clients()

    def audit_rows(self, statement: str, parameters: tuple[int | bytes, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._cursor.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            self._read_on(error)
            return self.audit_rows(statement, parameters)

    def store_keys(self) -> list[StoreKeyRow]:
        try:
            return [StoreKeyRow._make(row) for row in self._cursor.execute(statements.STORE_KEYS).fetchall()]
        except sqlite3.Error as error:
            self._read_on(error)
            return self.store_keys()


def _open_reader(path: Path, *, watch: bool = False) -> _Reader:
    try:
        connection = connect(path)
        # Opened for writing, since after a crash the first to come repairs the log; but it never writes.
        for pragma in ("query_only = 1", f"cache_size = -{READER_CACHE_KIB}"):
            connection.execute(f"PRAGMA {pragma}").close()
    except sqlite3.Error as error:
        raise unavailable(path, error) from error
    return _Reader(path, connection, watch=watch)


def _usage(path: Path, tenant: int, owner: int | None) -> tuple[int, int]:
    reader = _open_reader(path)
    try:
        return reader.usage(tenant, owner)
    finally:
        reader.close()


class _Link(asyncio.Protocol):
    """The connection to the writer: frames out, answers in, in the same order."""

    def __init__(self) -> None:
        self.lost = False
        self._frames = FrameReader()
        self._pending: deque[asyncio.Future[Answer]] = deque()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's, though they do the same.
        self._transport = cast(asyncio.Transport, transport)

    def send(self, frame: bytes) -> asyncio.Future[Answer]:
        """Send a change set, with all others of this moment; the future is its answer, or raises
        OutcomeUnknown."""
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._pending.append(future)
        if not self._unsent:
            self._loop.call_soon(self._send_all)
        self._unsent.append(frame)
        return future

    def _send_all(self) -> None:
        # Whoever is woken by the first of many would write that one alone.
        frames, self._unsent = self._unsent, []
        if self._transport is not None and not self.lost:
            self._transport.writelines(frames)

    def data_received(self, data: bytes) -> None:
        pending = self._pending
        try:
            for answers in self._frames.feed(data):
                for answer in answers:
                    future = pending.popleft()
                    if not future.done():
                        future.set_result(answer)
        except FrameError:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        for future in self._pending:
            if not future.done():
                future.set_exception(
                    OutcomeUnknown(
                        "the writer process ended before it answered; the change may have been made or not, "
                        "so look before you repeat it"
                    )
                )
        self._pending.clear()

    async def drained(self) -> None:
        """Return when every change set that was sent is answered."""
        await asyncio.gather(*self._pending, return_exceptions=True)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _DirectReads:
    """The reading half of `Backend`, done inline."""

    _reader: _Reader | None = None
    _reads_apart = True
    """Writes go through another connection: SQLite then counts them for this one."""

    @property
    def _reading(self) -> _Reader:
        if self._reader is None:
            raise StoreUnavailable("the store is closed")
        return self._reader

    def mark(self) -> bytes | None:
        return None if self._reader is None else self._reader.mark()

    async def version(self) -> int | None:
        return self._reading.version() if self._reads_apart else None

    async def written(self, tenant: int, unique_identifier: str) -> Written | None:
        return self._reading.written(tenant, unique_identifier)

    async def fetch(
        self, tenant: int, unique_identifier: str, visible: Visible | None = None
    ) -> ObjectRow | None:
        return self._reading.fetch(tenant, unique_identifier, visible)

    async def locate(self, query: LocateQuery) -> Located:
        return self._reading.locate(query)

    async def usage(self, tenant: int, owner: int | None) -> tuple[int, int]:
        return self._reading.usage(tenant, owner)

    async def entry(self, tenant: int, kind: int, key: str) -> EntryRow | None:
        return self._reading.entry(tenant, kind, key)

    async def entries(self, tenant: int, kind: int, owner: int, maximum: int = ALL_ENTRIES) -> list[EntryRow]:
        return self._reading.entries(statements.ENTRIES, (tenant, kind, owner, maximum))

    async def count_entries(self, tenant: int, kind: int, owner: int) -> int:
        return self._reading.count(statements.COUNT_ENTRIES, (tenant, kind, owner))

    async def due_entries(self, kind: int, before: int, maximum: int, offset: int = 0) -> list[EntryRow]:
        return self._reading.entries(statements.DUE_ENTRIES, (kind, before, maximum, offset))

    async def clients(self) -> list[ClientRow]:
        return self._reading.clients()

    async def store_keys(self) -> list[StoreKeyRow]:
        return self._reading.store_keys()

    async def audit_head(self) -> Head:
        rows = self._reading.audit_rows(statements.AUDIT_HEAD)
        return Head(*rows[0]) if rows else EMPTY

    async def audit_rows(self, after: int, maximum: int) -> list[AuditRow]:
        return list(map(AuditRow._make, self._reading.audit_rows(statements.AUDIT_ROWS, (after, maximum))))

    async def has_event(self, event: bytes, among: int) -> bool:
        return bool(self._reading.audit_rows(statements.HAS_EVENT, (among, event)))

    async def chain_events(self) -> int:
        return 0  # the writer did it


class SqliteBackend(_DirectReads):
    """A worker's view of an SQLite store whose writer process listens at `writer_address`."""

    def __init__(self, database: Path, writer_address: Path) -> None:
        self._database = database
        self._writer_address = writer_address
        self._link: _Link | None = None
        self._connecting = asyncio.Lock()

    async def start(self) -> None:
        self._reader = _open_reader(self._database, watch=True)
        await self._connect()

    async def close(self) -> None:
        if self._link is not None:
            await self._link.drained()
            self._link.abort()
            self._link = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    async def usage(self, tenant: int, owner: int | None) -> tuple[int, int]:
        # A scan: beside the event loop, on a connection of its own.
        return await asyncio.to_thread(_usage, self._database, tenant, owner)

    async def commit(self, changes: ChangeSet) -> None:
        frame = pack(tuple(flatten(changes)))
        try:
            await self._send(changes, frame)
        except OutcomeUnknown as lost:
            await resend.after(lost, changes, lambda: self._send(changes, frame), self)

    async def is_lasting(self, look: resend.Look) -> bool:
        return await look(self)  # no reader sees what is not on disk

    async def scrub(self) -> None:
        await self.commit(ChangeSet())

    async def _send(self, changes: ChangeSet, frame: bytes) -> None:
        link = self._link
        if link is None or link.lost:
            link = await self._connect()
        answer = await link.send(frame)
        if answer[0] != COMMITTED:
            raise_for(answer, changes)

    async def _connect(self) -> _Link:
        async with self._connecting:
            if self._link is not None and not self._link.lost:
                return self._link
            loop = asyncio.get_running_loop()
            deadline = loop.time() + CONNECT_FOR
            while True:
                try:
                    connection = unix.connect(self._writer_address)
                    break
                except OSError as error:
                    if loop.time() >= deadline:
                        raise StoreUnavailable(
                            f"the writer process does not listen at {self._writer_address}"
                            f" ({error.strerror}); nothing was changed"
                        ) from error
                await asyncio.sleep(CONNECT_PAUSE)
            _, self._link = await loop.create_unix_connection(_Link, sock=connection)
            return self._link


class InlineSqliteBackend(_DirectReads):
    """An SQLite store that this process alone writes: administration without a server, and tests.

    `database` None keeps it in memory, with the newest schema.
    """

    def __init__(self, database: Path | None) -> None:
        self._database = database
        self._file: SqliteFile | None = None

    async def start(self) -> None:
        if self._database is None:
            path = Path(":memory:")
            connection = sqlite3.connect(path, isolation_level=None)
            migrate.migrate_sqlite(connection, str(path))
            self._reader = _Reader(path, connection)
            self._file = SqliteFile(path, connection)
            self._reads_apart = False
        else:
            self._reader = _open_reader(self._database)
            self._file = SqliteFile(self._database)

    async def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._file is not None:
            self._file.close()
            self._file = None

    async def scrub(self) -> None:
        await self.commit(ChangeSet())

    async def commit(self, changes: ChangeSet) -> None:
        if self._file is None:
            raise StoreUnavailable("the store is closed")
        (answer,) = self._file.apply([flatten(changes)])
        raise_for(answer, changes)
