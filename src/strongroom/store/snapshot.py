"""A store as it was at one moment, read while others change it.

Rule: one read transaction for everything, which no writer waits for. SQLite is read through SQLite only: a
process that opened the file by other means would drop its locks.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from sys import getsizeof
from typing import Final

import asyncpg

from strongroom.domain.backups import Row, Snapshot, Table
from strongroom.domain.store_failures import StoreFailure
from strongroom.store import migrate, postgres_connect, postgres_schema, sqlite_file, tables, versions
from strongroom.store.records import StoreUnavailable
from strongroom.store.url import PostgresUrl, SqliteUrl, StoreUrl

PAGE: Final = 256
"""Rows that are given at once by SQLite, which reads one after the other."""

PAGE_BYTES: Final = 1 << 20
"""What they take in memory at most, but for the last of them."""

POSTGRES_PAGE: Final = 32
"""Rows that are read at once of PostgreSQL, however large they are: each may be as large as a message."""


@asynccontextmanager
async def take_snapshot(url: StoreUrl) -> AsyncIterator[Snapshot]:
    """Give the store as it is now, until the block ends. Raises StoreFailure, for an older schema too.

    An SQLite store cannot shorten its log meanwhile; it grows by what is changed until the end.
    """
    with translated():
        if isinstance(url, SqliteUrl):
            connection = sqlite_file.connect(url.path)
            try:
                yield _sqlite_snapshot(connection)
            finally:
                connection.close()
        else:
            async with _postgres_snapshot(url) as snapshot:
                yield snapshot


@contextmanager
def translated() -> Iterator[None]:
    """Turn what databases raise into StoreFailure."""
    try:
        yield
    except StoreUnavailable as error:
        raise StoreFailure(str(error)) from error
    except sqlite3.Error as error:
        raise StoreFailure(str(sqlite_file.unavailable(Path("of the store"), error))) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise StoreFailure(f"the database fails: {str(error) or type(error).__name__}") from error


def _sqlite_snapshot(connection: sqlite3.Connection) -> "SqliteTables":
    connection.execute("PRAGMA query_only = 1").close()
    connection.text_factory = as_stored
    connection.execute("BEGIN")
    # The transaction begins with what it reads first.
    return SqliteTables(connection, str(migrate.sqlite_version(connection)))


@asynccontextmanager
async def _postgres_snapshot(url: PostgresUrl) -> AsyncIterator["PostgresTables"]:
    connection = await postgres_connect.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            schema = await postgres_schema.version(connection)
            versions.check(schema, "the database")
            yield PostgresTables(connection, str(schema))
    finally:
        await connection.close()


def as_stored(stored: bytes) -> str | bytes:
    """Return a text of the database; as bytes where it was damaged, which is no reason to read nothing."""
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored


class SqliteTables:
    """The tables that one SQLite connection sees."""

    database = "sqlite"

    def __init__(self, connection: sqlite3.Connection, schema: str) -> None:
        self._connection = connection
        self.schema = schema
        self.tables: Sequence[Table] = tables.TABLES

    async def count(self, table: Table) -> int:
        with translated():
            counted: int = self._connection.execute(tables.count(table)).fetchone()[0]
        return counted

    async def rows(self, table: Table) -> AsyncIterator[Sequence[Row]]:
        with translated():
            page: list[Row] = []
            held = 0
            for row in self._connection.execute(tables.select(table)):
                page.append(row)
                held += sum(map(getsizeof, row))
                if len(page) == PAGE or held >= PAGE_BYTES:
                    yield page
                    page, held = [], 0
            if page:
                yield page


class PostgresTables:
    """The tables that one PostgreSQL connection sees, in one transaction."""

    database = "postgresql"

    def __init__(self, connection: asyncpg.Connection, schema: str) -> None:
        self._connection = connection
        self.schema = schema
        self.tables: Sequence[Table] = tables.TABLES

    async def count(self, table: Table) -> int:
        with translated():
            counted: int = await self._connection.fetchval(tables.count(table), timeout=postgres_connect.LONG)
        return counted

    async def rows(self, table: Table) -> AsyncIterator[Sequence[Row]]:
        with translated():
            query = tables.select(table, collation='COLLATE "C"')
            # The first row comes once all are sorted.
            cursor = await self._connection.cursor(query, timeout=postgres_connect.LONG)
            while page := await cursor.fetch(POSTGRES_PAGE, timeout=postgres_connect.LONG):
                yield [tuple(row) for row in page]
