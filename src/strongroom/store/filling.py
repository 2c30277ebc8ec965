"""An empty store that a backup is put into.

Rule: nothing is a store before `commit`. PostgreSQL does everything in one transaction; an SQLite file gets
its name then, so that one whose process was killed is in nobody's way. What is done with the records is in
`store/refilling.py`.
"""

import glob
import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg

from strongroom.domain.backups import Filling, Row, Table
from strongroom.domain.store_failures import StoreFailure
from strongroom.model.identifiers import MAXIMUM_BYTES
from strongroom.store import migrate, postgres_connect, postgres_schema, statements, tables, versions
from strongroom.store.refilling import RefilledRecords
from strongroom.store.snapshot import PostgresTables, SqliteTables, translated
from strongroom.store.url import PostgresUrl, SqliteUrl, StoreUrl

_SHOWN: Final = 64
"""Characters of an identifier that is too long."""

_BESIDE: Final = ("-journal", "-wal", "-shm")
"""What SQLite calls the files that belong to a database."""

_SQLITE_COLUMNS: Final = "SELECT name FROM pragma_table_info(?) ORDER BY cid"
_SQLITE_TABLES: Final = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid"
_POSTGRES_TABLES: Final = (
    "SELECT c.relname, array_agg(a.attname ORDER BY a.attnum) FROM pg_class c"
    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
    " GROUP BY c.oid, c.relname ORDER BY c.oid"
)


@asynccontextmanager
async def fill(url: StoreUrl) -> AsyncIterator[Filling]:
    """Give an empty store to be filled. What is not committed when the block ends is gone.

    An SQLite file must not exist, nor what SQLite keeps beside one; it is made, mode 0600, is of no use
    before `commit`, and is also gone when the block fails behind that.
    """
    with translated():
        if isinstance(url, SqliteUrl):
            partial = _make(url.path)
            opened = None
            try:
                opened = _SqliteFilling(partial, url.path)
                yield opened
            except BaseException:
                if opened is not None and opened.committed:
                    _remove(url.path)
                raise
            finally:
                if opened is not None:
                    opened.close()
                _remove(partial)
        else:
            async with _postgres_filling(url) as filling:
                yield filling


def _make(path: Path) -> Path:
    """Make the file that becomes `path`, and return it; those of processes that were killed are removed."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        if path.exists():
            raise FileExistsError
        for beside in (path.with_name(path.name + suffix) for suffix in _BESIDE):
            if beside.exists():
                # SQLite would carry out what stands there, on whatever database is at `path`.
                raise StoreFailure(f"{beside} is left of another store, which had this name; move it away")
        for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
            process = left.name.split(".")[-2]
            # In a container each process has the number of the one before.
            if process == str(os.getpid()) or not Path("/proc", process).exists():
                _remove(left)
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise StoreFailure(f"cannot make {path}: {error.strerror}") from error
    return partial


def _put_in_place(partial: Path, path: Path) -> None:
    """Give a whole file its name, never in place of another. Raises OSError and StoreFailure."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise _exists(path) from None
    except OSError:
        # A file system without hard links, each of which says so in its own way.
        if path.exists():
            raise _exists(path) from None
        partial.rename(path)


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _exists(path: Path) -> StoreFailure:
    return StoreFailure(f"{path} exists already; a backup is restored into a store that does not")


def _remove(path: Path) -> None:
    for suffix in ("", *_BESIDE):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


class SqliteRecords(RefilledRecords, SqliteTables):
    """The records of an SQLite store that this connection writes."""

    async def put(self, table: Table, rows: Sequence[Row]) -> None:
        with translated():
            self._connection.executemany(_insert(table), rows)

    async def put_unless_there(self, table: Table, rows: Sequence[Row]) -> None:
        with translated():
            self._connection.executemany(f"{_insert(table)} ON CONFLICT DO NOTHING", rows)


class _SqliteFilling(SqliteRecords):
    """A new SQLite file, which becomes the one at `path`."""

    def __init__(self, partial: Path, path: Path) -> None:
        self._partial = partial
        self._path = path
        self.committed = False
        connection = sqlite3.connect(partial, isolation_level=None)
        super().__init__(connection, "")
        # One journal for all, and of no use until the end: nothing was there before.
        for pragma in ("journal_mode = DELETE", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}").close()
        migrate.overwrite(connection)

    async def begin(self, schema: str) -> Sequence[Table]:
        with translated():
            migrate.check_known(schema)
            migrate.migrate_sqlite(self._connection, str(self._path), to=schema)
            found = [
                Table(name, tuple(column for (column,) in self._connection.execute(_SQLITE_COLUMNS, (name,))))
                for (name,) in self._connection.execute(_SQLITE_TABLES).fetchall()
                if name not in tables.NOT_COPIED
            ]
            self._connection.execute("BEGIN")
        return found

    async def upgrade(self) -> None:
        with translated():
            self._connection.execute("COMMIT")
            migrate.migrate_sqlite(self._connection, str(self._path))
            self._connection.execute("BEGIN")

    async def commit(self) -> None:
        with translated():
            self._connection.execute("COMMIT")
            migrate.mark_swept(self._connection)
            self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
            # So that its log is in it, and gone, before it has another name.
            self._connection.close()
        try:
            _put_in_place(self._partial, self._path)
            self.committed = True  # from here on it is ours to remove
            self._partial.unlink(missing_ok=True)
            _sync_folder(self._path)
        except OSError as error:
            raise StoreFailure(f"cannot make {self._path}: {error.strerror}") from error

    def close(self) -> None:
        self._connection.close()


@asynccontextmanager
async def _postgres_filling(url: PostgresUrl) -> AsyncIterator["_PostgresFilling"]:
    connection = await postgres_connect.connect(url)
    try:
        await connection.execute("BEGIN")
        yield _PostgresFilling(connection)
    finally:
        # What was not committed is rolled back by the server, when it sees that we are gone.
        await connection.close()


class PostgresRecords(RefilledRecords, PostgresTables):
    """The records of a PostgreSQL store that this connection writes, in one transaction."""

    async def put(self, table: Table, rows: Sequence[Row]) -> None:
        if not rows:
            return
        with translated():
            try:
                await self._connection.copy_records_to_table(
                    table.name, records=rows, columns=table.columns, timeout=postgres_connect.LONG
                )
            except (ValueError, asyncpg.DataError) as error:
                raise StoreFailure(f"PostgreSQL cannot hold a row of {table.name}: {error}") from error
            except asyncpg.ProgramLimitExceededError as error:
                # Older releases let clients choose such identifiers.
                long = [text for row in rows for text in row if isinstance(text, str) and _is_long(text)]
                raise StoreFailure(
                    f"PostgreSQL cannot hold a row of {table.name}: {error}; what is called"
                    f" {', '.join(f'{text[:_SHOWN]!r}...' for text in long)} has to be obliterated by its"
                    " owner before the backup is made, or the backup restored into SQLite"
                ) from error

    async def put_unless_there(self, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            sql = statements.numbered(f"{_insert(table)} ON CONFLICT DO NOTHING")
            with translated():
                await self._connection.executemany(sql, rows, timeout=postgres_connect.LONG)


class _PostgresFilling(PostgresRecords):
    """An empty PostgreSQL database, in one transaction."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        super().__init__(connection, "")

    async def begin(self, schema: str) -> Sequence[Table]:
        with translated():
            migrate.check_known(schema)
            # Whoever migrates an empty database meanwhile waits, and finds it full.
            await self._connection.execute(postgres_schema.MIGRATION_LOCK, timeout=postgres_connect.LONG)
            if await self._connection.fetch(_POSTGRES_TABLES):
                raise StoreFailure(
                    "the database is not empty; a backup is restored into an empty one: "
                    "drop it and make it again, or name another with --store"
                )
            await postgres_schema.run_script(self._connection, migrate.script("postgresql", None, schema))
            found = await self._connection.fetch(_POSTGRES_TABLES)
        return [Table(name, tuple(columns)) for name, columns in found if name not in tables.NOT_COPIED]

    async def upgrade(self) -> None:
        with translated():
            schema = await postgres_schema.version(self._connection)
            if schema != versions.VERSIONS[-1]:
                await postgres_schema.run_script(self._connection, migrate.script("postgresql", schema))

    async def commit(self) -> None:
        with translated():
            for name, column in await self._connection.fetch(_COUNTED):
                await self._connection.execute(_count_on(name, column), timeout=postgres_connect.LONG)
            # A standby may have to get all of it first.
            await self._connection.execute("COMMIT", timeout=postgres_connect.LONG)


_COUNTED: Final = (
    "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND pg_get_serial_sequence(quote_ident(table_name), column_name)"
    " IS NOT NULL"
)
"""Columns that the database numbers itself."""


def _count_on(table: str, column: str) -> str:
    """Return the SQL that goes on counting where the rows end."""
    name, counted = tables.quoted(table), tables.quoted(column)
    return (
        f"SELECT setval(pg_get_serial_sequence('{name}', '{column}'), max({counted}))"  # noqa: S608
        f" FROM {name} HAVING max({counted}) IS NOT NULL"
    )


def _is_long(text: str) -> bool:
    return len(text.encode()) > MAXIMUM_BYTES


def _insert(table: Table) -> str:
    columns = ", ".join(map(tables.quoted, table.columns))
    places = ", ".join("?" * len(table.columns))
    return f"INSERT INTO {tables.quoted(table.name)} ({columns}) VALUES ({places})"  # noqa: S608
