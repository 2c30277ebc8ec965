"""Schema versions: which one a database has, and how it gets the newest.

Rule: the check at start-up is one query and loads no alembic; only `migrate` does, when there is something to
do.
"""

import asyncio
import io
import os
import sqlite3
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, TypeVar

from strongroom.store.records import StoreUnavailable
from strongroom.store.url import PostgresUrl, SqliteUrl, StoreUrl
from strongroom.store.versions import HOLDS_KEYS, VERSION_QUERY, VERSION_TABLE, VERSIONS, check, is_newer

Dialect = Literal["sqlite", "postgresql"]
T = TypeVar("T")

_SWEPT: Final = 1
"""The user_version of an SQLite file in which nothing that was removed is left. Older releases set none, and
left it in free pages wherever SQLite was not built to overwrite them."""


def current_version(url: StoreUrl) -> str | None:
    """Return the schema version, None for an empty or missing database. Raises StoreUnavailable.

    Like everything here that takes a URL, not to be called from a running event loop.
    """
    if isinstance(url, PostgresUrl):
        return asyncio.run(_postgres_version(url))
    return _look(url.path, sqlite_version) if url.path.exists() else None


def holds_keys(url: StoreUrl) -> bool:
    """Tell whether a database has store keys, and so belongs to a root key. Raises StoreUnavailable."""
    if current_version(url) is None:
        return False
    if isinstance(url, PostgresUrl):
        return asyncio.run(_postgres_holds_keys(url))
    return _look(url.path, lambda connection: bool(connection.execute(HOLDS_KEYS).fetchone()[0]))


def _look(path: Path, look: Callable[[sqlite3.Connection], T]) -> T:
    try:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            return look(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {path}: {error}") from error


def risks(url: StoreUrl) -> list[str]:
    """Return what would lose acknowledged changes: how the database is set up. Raises StoreUnavailable."""
    return asyncio.run(_postgres_risks(url)) if isinstance(url, PostgresUrl) else []


def migrate(url: StoreUrl) -> None:
    """Bring the database to the newest schema, all or nothing; an SQLite file that is missing is made, mode
    0600.

    Raises SchemaTooNew, StoreUnavailable.
    """
    if isinstance(url, SqliteUrl):
        _migrate_sqlite_file(url.path)
    else:
        asyncio.run(_migrate_postgres(url))


def sqlite_version(connection: sqlite3.Connection) -> str | None:
    """Return the schema version, None when there is none. Raises sqlite3.Error."""
    present = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (VERSION_TABLE,)).fetchall()
    if not present:
        return None
    (version,) = connection.execute(VERSION_QUERY).fetchone()
    return str(version)


def migrate_sqlite(connection: sqlite3.Connection, database: str, *, to: str = VERSIONS[-1]) -> None:
    """Do the same for an open SQLite database (isolation level None). Raises sqlite3.Error, SchemaTooNew."""
    version = sqlite_version(connection)
    if version == to:
        return
    if is_newer(version):
        check(version, database)
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{script('sqlite', version, to)}\nCOMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def overwrite(connection: sqlite3.Connection) -> None:
    """Have an SQLite connection overwrite what it removes, however SQLite was built. Raises sqlite3.Error."""
    connection.execute("PRAGMA secure_delete = ON").close()


def mark_swept(connection: sqlite3.Connection) -> None:
    """Say of an SQLite file that nothing is left in it of what was removed. Raises sqlite3.Error."""
    connection.execute(f"PRAGMA user_version = {_SWEPT}").close()


def may_hold_remains(path: Path) -> bool:
    """Tell whether an SQLite file may hold what an older release has removed. Raises StoreUnavailable."""
    try:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            built_in = ("SECURE_DELETE",) in connection.execute("PRAGMA compile_options").fetchall()
            return not built_in and not _is_swept(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot read {path}: {error}") from error


def create_sqlite_file(path: Path) -> None:
    """Make an empty file, mode 0600, if there is none. Raises OSError."""
    # SQLite would create it with whatever the umask allows.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def check_known(version: str) -> None:
    """Return if this program knows a schema version. Raises SchemaTooNew."""
    if version not in VERSIONS:
        check(version, "the backup")


def _migrate_sqlite_file(path: Path) -> None:
    try:
        create_sqlite_file(path)
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            overwrite(connection)
            is_new = sqlite_version(connection) is None
            migrate_sqlite(connection, str(path))
            _sweep(connection, path, is_new=is_new)
        finally:
            connection.close()
    except OSError as error:
        raise StoreUnavailable(f"cannot create {path}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot migrate {path}: {error}; nothing was changed") from error


def _sweep(connection: sqlite3.Connection, path: Path, *, is_new: bool) -> None:
    """Let nothing be left of what was removed before this release, once. Raises StoreUnavailable."""
    if _is_swept(connection):
        return
    try:
        if not is_new:
            connection.execute("VACUUM").close()
        mark_swept(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"{path} has the newest schema, but what was removed before is not overwritten yet: {error};"
            " that needs as much free space as the database has: give the command again"
        ) from error


def _is_swept(connection: sqlite3.Connection) -> bool:
    ((found,),) = connection.execute("PRAGMA user_version").fetchall()
    return bool(found >= _SWEPT)


async def _postgres_version(url: PostgresUrl) -> str | None:
    from strongroom.store import postgres_connect, postgres_schema

    connection = await postgres_connect.connect(url)
    try:
        return await postgres_schema.version(connection)
    finally:
        await connection.close()


async def _postgres_holds_keys(url: PostgresUrl) -> bool:
    from strongroom.store import postgres_schema

    return await postgres_schema.holds_keys(url)


async def _postgres_risks(url: PostgresUrl) -> list[str]:
    from strongroom.store import postgres_schema

    return await postgres_schema.warnings(url)


async def _migrate_postgres(url: PostgresUrl) -> None:
    from strongroom.store import postgres_schema

    await postgres_schema.migrate(url, lambda version: script("postgresql", version))


@lru_cache
def script(dialect: Dialect, version: str | None, to: str = VERSIONS[-1]) -> str:
    """Return the SQL that leads from one version (None: nothing) to another."""
    from alembic import command
    from alembic.config import Config

    printed = io.StringIO()
    config = Config(output_buffer=printed)
    config.set_main_option("script_location", "strongroom.store:migrations")
    config.attributes["dialect"] = dialect
    command.upgrade(config, to if version is None else f"{version}:{to}", sql=True)
    return printed.getvalue()
