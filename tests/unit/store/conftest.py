"""An SQLite store with its writer process."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from strongroom.store import migrate
from strongroom.store.sqlite import SqliteBackend
from strongroom.store.url import SqliteUrl
from tests.unit.store.processes import WriterProcess


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    migrate.migrate(SqliteUrl(path))
    return path


@pytest.fixture
def address(tmp_path: Path) -> Path:
    return tmp_path / "writer.sock"


@pytest.fixture
def writer(database: Path, address: Path) -> Iterator[WriterProcess]:
    process = WriterProcess(database, address)
    yield process
    process.stop()


@pytest.fixture
async def backend(writer: WriterProcess, database: Path, address: Path) -> AsyncIterator[SqliteBackend]:
    opened = SqliteBackend(database, address)
    await opened.start()
    yield opened
    await opened.close()
