"""What a reader remembers while nothing is committed, and that it forgets it with each commit."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom.store.records import ChangeSet, ObjectRow
from strongroom.store.sqlite import SHORT, SqliteBackend
from strongroom.store.sqlite_file import connect
from strongroom.store.wal_index import WalIndex
from tests.unit.store.processes import WriterProcess
from tests.unit.store.samples import creation, entry, generation_of, row, update

TENANT = 7


@pytest.fixture
def statements(backend: SqliteBackend) -> list[str]:
    """Return what the reader asks of SQLite from now on."""
    asked = list[str]()
    backend._reading._connection.set_trace_callback(asked.append)
    return asked


async def generation(backend: SqliteBackend, of: ObjectRow) -> int | None:
    return await generation_of(backend, of.tenant, of.unique_identifier)


def elsewhere(database: Path, statement: str) -> None:
    """Have another process execute a statement."""
    program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()"
    subprocess.run([sys.executable, "-c", program, database, statement], check=True)


async def test_a_generation_is_asked_for_once_until_a_commit(
    backend: SqliteBackend, statements: list[str]
) -> None:
    one, other = row(TENANT), row(TENANT)
    await backend.commit(creation(one))
    assert [await generation(backend, one) for _ in range(3)] == [1, 1, 1]
    assert len(statements) == 1
    await backend.commit(creation(other))
    assert await generation(backend, one) == 1
    assert len(statements) == 2
    await backend.commit(ChangeSet(objects=[update(one)]))
    assert await generation(backend, one) == 2


async def test_what_does_not_exist_is_asked_for_each_time(
    backend: SqliteBackend, statements: list[str]
) -> None:
    missing = row(TENANT)
    assert await generation(backend, missing) is None
    assert await generation(backend, missing) is None
    assert len(statements) == 2


async def test_an_entry_that_does_not_exist_is_asked_for_once_until_a_commit(
    backend: SqliteBackend, statements: list[str]
) -> None:
    wanted = entry(TENANT, "key")
    assert [await backend.entry(TENANT, wanted.kind, "key") for _ in range(3)] == [None] * 3
    assert len(statements) == 1
    await backend.commit(ChangeSet(entries=[wanted]))
    assert await backend.entry(TENANT, wanted.kind, "key") == wanted
    assert await backend.entry(TENANT, wanted.kind, "key") == wanted
    assert len(statements) == 3, "one that exists is read each time"


async def test_long_keys_are_not_remembered(backend: SqliteBackend, statements: list[str]) -> None:
    """A client chooses some, and may make them as long as a message."""
    for _ in range(2):
        assert await backend.entry(TENANT, 1, "k" * (SHORT + 1)) is None
    assert len(statements) == 2
    assert not backend._reading._absent


async def test_the_mark_changes_with_each_commit_of_anybody(backend: SqliteBackend, database: Path) -> None:
    one = row(TENANT)
    marks = {backend.mark()}
    await backend.commit(creation(one))
    assert await generation(backend, one) == 1
    marks.add(backend.mark())
    assert backend.mark() in marks, "and with nothing else"
    elsewhere(database, f"UPDATE objects SET generation = 9 WHERE sequence = {one.sequence}")
    marks.add(backend.mark())
    elsewhere(database, "PRAGMA wal_checkpoint(TRUNCATE)")
    elsewhere(database, f"UPDATE objects SET generation = 10 WHERE sequence = {one.sequence}")
    marks.add(backend.mark())
    assert len(marks) == 4
    assert None not in marks


async def test_the_version_is_asked_for_once_until_a_commit(
    backend: SqliteBackend, statements: list[str]
) -> None:
    first = await backend.version()
    assert await backend.version() == first
    assert len(statements) == 1
    await backend.commit(creation(row(TENANT)))
    assert await backend.version() != first


async def test_a_commit_of_another_program_counts(backend: SqliteBackend, database: Path) -> None:
    one = row(TENANT)
    await backend.commit(creation(one))
    assert await generation(backend, one) == 1
    elsewhere(database, f"UPDATE objects SET generation = 9 WHERE sequence = {one.sequence}")
    assert await generation(backend, one) == 9
    elsewhere(database, "PRAGMA wal_checkpoint(TRUNCATE)")
    elsewhere(database, f"UPDATE objects SET generation = 10 WHERE sequence = {one.sequence}")
    assert await generation(backend, one) == 10


async def test_the_death_of_the_writer_takes_nothing_away(
    backend: SqliteBackend, database: Path, address: Path, writer: WriterProcess
) -> None:
    one = row(TENANT)
    await backend.commit(creation(one))
    assert await generation(backend, one) == 1
    writer.stop(signal.SIGKILL)
    # Whoever comes now would take the index away, were our lock on it lost.
    elsewhere(database, f"UPDATE objects SET generation = 9 WHERE sequence = {one.sequence}")
    assert database.with_name(f"{database.name}-shm").exists()
    assert await generation(backend, one) == 9
    again = WriterProcess(database, address)
    try:
        await backend.commit(ChangeSet(objects=[update(one._replace(generation=9))]))
        assert await generation(backend, one) == 10
    finally:
        again.stop()


def test_a_format_of_the_future_is_not_read(database: Path, tmp_path: Path) -> None:
    connection = connect(database)
    connection.execute("SELECT count(*) FROM objects").fetchall()
    index = WalIndex(database)
    assert index.header() is not None
    content = bytearray(database.with_name("store.db-shm").read_bytes())
    connection.close()
    index.close()
    content[0] ^= 1
    (tmp_path / "other.db-shm").write_bytes(content)
    other = WalIndex(tmp_path / "other.db")
    assert other.header() is None
    other.close()


def test_a_database_without_an_index_is_an_error(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "plain.db").close()
    with pytest.raises(FileNotFoundError):
        WalIndex(tmp_path / "plain.db")
