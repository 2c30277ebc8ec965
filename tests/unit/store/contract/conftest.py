"""The stores that the contract suite runs on: SQLite through a writer process, SQLite inline, PostgreSQL."""

import itertools
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from strongroom.store import migrate
from strongroom.store.postgres import PostgresBackend
from strongroom.store.records import Backend
from strongroom.store.sqlite import InlineSqliteBackend, SqliteBackend
from strongroom.store.url import PostgresUrl, SqliteUrl, parse
from tests.postgres import PostgresServer, postgres_server
from tests.unit.store.processes import WriterProcess

__all__ = ["postgres_server"]

_tenants = itertools.count(1)


@dataclass
class Store:
    """One database. Tests share it, each with a tenant of its own."""

    open: Callable[[], Backend]
    events: Callable[[], list[bytes]]
    """Reads the audit events from outside."""
    leave_unchained: Callable[[list[bytes]], None]
    """Writes audit events as a release without a chain did."""


def _sqlite_events(database: Path) -> list[bytes]:
    connection = sqlite3.connect(database)
    try:
        return [event for (event,) in connection.execute("SELECT event FROM audit ORDER BY sequence")]
    finally:
        connection.close()


def _sqlite_unchained(database: Path, events: list[bytes]) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.executemany("INSERT INTO audit (event) VALUES (?)", [(event,) for event in events])
    connection.close()


@pytest.fixture(scope="session")
def _sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    directory = tmp_path_factory.mktemp("sqlite")
    database, address = directory / "store.db", directory / "writer.sock"
    migrate.migrate(SqliteUrl(database))
    writer = WriterProcess(database, address)
    yield Store(
        lambda: SqliteBackend(database, address),
        lambda: _sqlite_events(database),
        lambda events: _sqlite_unchained(database, events),
    )
    writer.stop()


@pytest.fixture(scope="session")
def _inline(tmp_path_factory: pytest.TempPathFactory) -> Store:
    database = tmp_path_factory.mktemp("inline") / "store.db"
    migrate.migrate(SqliteUrl(database))
    return Store(
        lambda: InlineSqliteBackend(database),
        lambda: _sqlite_events(database),
        lambda events: _sqlite_unchained(database, events),
    )


@pytest.fixture(scope="session")
def _postgres(postgres_server: PostgresServer) -> Store:
    database = postgres_server.create_database()
    url = parse(postgres_server.url(database), Path("/"))
    assert isinstance(url, PostgresUrl)
    migrate.migrate(url)

    def events() -> list[bytes]:
        printed = postgres_server.sql(database, "SELECT encode(event, 'hex') FROM audit ORDER BY sequence")
        return [bytes.fromhex(line) for line in printed.splitlines()]

    def unchained(events: list[bytes]) -> None:
        for event in events:
            postgres_server.sql(database, f"INSERT INTO audit (event) VALUES ('\\x{event.hex()}')")

    return Store(lambda: PostgresBackend(url), events, unchained)


@pytest.fixture(
    scope="session", params=["sqlite", "inline", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(f"_{request.param}")
    return found


@pytest.fixture
async def backend(store: Store) -> AsyncIterator[Backend]:
    opened = store.open()
    await opened.start()
    yield opened
    await opened.close()


@pytest.fixture
def tenant() -> int:
    return next(_tenants)
