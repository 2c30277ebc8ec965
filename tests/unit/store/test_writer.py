"""The writer process: what it promises when things go wrong (faults 29 and 30)."""

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.store import address as unix
from strongroom.store import migrate
from strongroom.store.frames import MAX_FRAME
from strongroom.store.records import ChangeSet, ObjectRow, OutcomeUnknown, StoreUnavailable
from strongroom.store.sqlite import InlineSqliteBackend, SqliteBackend
from strongroom.store.url import SqliteUrl
from tests.unit.store.load import Load
from tests.unit.store.processes import WriterProcess
from tests.unit.store.samples import creation, generation_of, row


async def test_a_killed_writer_loses_no_acknowledged_change(database: Path, address: Path) -> None:
    writer = WriterProcess(database, address)
    backend = SqliteBackend(database, address)
    await backend.start()
    load = Load(backend)
    for more in (10, 4, 22, 14, 6):
        await load.progress(beyond=len(load.acknowledged) + more)
        writer.stop(signal.SIGKILL)
        writer = await asyncio.to_thread(WriterProcess, database, address)
    await load.stop()
    assert not load.failures
    assert len(load.acknowledged) > 50
    for identifier, generation in load.acknowledged.items():
        found = await generation_of(backend, 1, identifier)
        assert found is not None
        assert found >= generation
    await backend.close()
    writer.stop()
    connection = sqlite3.connect(database)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    # No half of a change set: one event and one term for each generation.
    generations, terms, events = (
        connection.execute(query).fetchone()[0]
        for query in (
            "SELECT sum(generation) FROM objects",
            "SELECT count(*) FROM terms",
            "SELECT count(*) FROM audit",
        )
    )
    assert generations == terms == events
    connection.close()


async def test_a_change_whose_answer_was_lost_is_not_made_twice(database: Path, address: Path) -> None:
    writer = WriterProcess(database, address)
    backend = SqliteBackend(database, address)
    await backend.start()
    os.kill(writer.pid, signal.SIGSTOP)
    objects = [row(1) for _ in range(5)]
    commits = [asyncio.create_task(backend.commit(creation(new, events=[b"event"]))) for new in objects]
    await asyncio.sleep(0.05)
    writer.stop(signal.SIGKILL)
    writer = await asyncio.to_thread(WriterProcess, database, address)
    await asyncio.gather(*commits)
    for new in objects:
        assert await backend.fetch(new.tenant, new.unique_identifier) == new
    connection = sqlite3.connect(database)
    assert connection.execute("SELECT count(*) FROM audit").fetchone() == (5,)
    connection.close()
    await backend.close()
    writer.stop()


async def test_a_lost_answer_that_nothing_tells_of_is_an_unknown_outcome(
    database: Path, address: Path
) -> None:
    writer = WriterProcess(database, address)
    backend = SqliteBackend(database, address)
    await backend.start()
    os.kill(writer.pid, signal.SIGSTOP)
    commit = asyncio.create_task(backend.commit(ChangeSet(events=[b"only an event"])))
    await asyncio.sleep(0.05)
    writer.stop(signal.SIGKILL)
    with pytest.raises(OutcomeUnknown, match="look before you repeat"):
        await commit
    await backend.close()


async def test_without_a_writer_a_change_is_refused_and_reads_go_on(
    database: Path, address: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strongroom.store.sqlite.CONNECT_FOR", 0.1)
    writer = WriterProcess(database, address)
    backend = SqliteBackend(database, address)
    await backend.start()
    new = row(1)
    await backend.commit(creation(new))
    writer.stop()
    await asyncio.sleep(0.05)
    with pytest.raises(StoreUnavailable, match="writer process"):
        await backend.commit(creation(row(1)))
    assert await backend.fetch(new.tenant, new.unique_identifier) == new
    await backend.close()


async def test_a_limit_on_the_file_refuses_changes_until_it_is_lifted(database: Path, address: Path) -> None:
    writer = WriterProcess(database, address, file_size=300_000)
    backend = SqliteBackend(database, address)
    await backend.start()
    acknowledged = await fill(backend)
    with pytest.raises(StoreUnavailable, match="check the disk, its free space and quotas"):
        await backend.commit(creation(row(1, attributes=bytes(10_000))))
    for new in acknowledged:
        assert await backend.fetch(new.tenant, new.unique_identifier) == new
    writer.lift_limit()
    await backend.commit(creation(row(1, attributes=bytes(10_000))))
    await backend.close()
    writer.stop()


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    path = tmp_path / "small"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a file system")
    yield path
    run("umount", "--lazy", path)


async def fill(backend: SqliteBackend) -> list[ObjectRow]:
    """Commit until the store refuses; return what it acknowledged."""
    acknowledged: list[ObjectRow] = []
    with contextlib.suppress(StoreUnavailable):
        while len(acknowledged) < 1_000:
            new = row(1, attributes=bytes(10_000))
            await backend.commit(creation(new))
            acknowledged.append(new)
    return acknowledged


async def test_a_full_disk_refuses_changes_until_there_is_space(small_disk: Path, address: Path) -> None:
    database = small_disk / "store.db"
    migrate.migrate(SqliteUrl(database))
    writer = WriterProcess(database, address)
    backend = SqliteBackend(database, address)
    await backend.start()
    acknowledged = await fill(backend)
    with pytest.raises(StoreUnavailable, match="free some space"):
        await backend.commit(creation(row(1, attributes=bytes(10_000))))
    for new in acknowledged:
        assert await backend.fetch(new.tenant, new.unique_identifier) == new
    run("mount", "-o", "remount,size=8m", small_disk)
    await backend.commit(creation(row(1, attributes=bytes(10_000))))
    await backend.close()
    writer.stop()


async def test_a_lock_of_another_program_refuses_changes_until_it_is_gone(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strongroom.store.sqlite_file.BUSY_TIMEOUT", 50)
    backend = InlineSqliteBackend(database)
    await backend.start()
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked by another program"):
        await backend.commit(creation(row(1)))
    other.execute("ROLLBACK")
    await backend.commit(creation(row(1)))
    other.close()
    await backend.close()


async def test_a_read_only_file_system_refuses_changes_and_reads_go_on(small_disk: Path) -> None:
    database, address = small_disk / "store.db", small_disk.parent / "writer.sock"
    migrate.migrate(SqliteUrl(database))
    writer = WriterProcess(database, address)
    first = SqliteBackend(database, address)
    await first.start()
    new = row(1)
    await first.commit(creation(new))
    writer.stop(signal.SIGKILL)
    copy = small_disk.parent / "copy"
    run("cp", "-r", small_disk, copy)
    await first.close()
    run("umount", small_disk)
    run("mount", "-o", "bind,ro", copy, small_disk)
    writer = WriterProcess(database, address)
    backend = SqliteBackend(database, address)
    await backend.start()
    with pytest.raises(StoreUnavailable, match="is read-only; make the file and its directory writable"):
        await backend.commit(creation(row(1)))
    assert await backend.fetch(new.tenant, new.unique_identifier) == new
    run("mount", "-o", "remount,bind,rw", small_disk)
    await backend.commit(creation(row(1)))
    await backend.close()
    writer.stop()


async def test_a_missing_database_is_not_replaced_by_an_empty_one(tmp_path: Path, address: Path) -> None:
    writer = WriterProcess(tmp_path / "gone.db", address)
    with pytest.raises(StoreUnavailable, match="check that it exists"):
        await SqliteBackend(tmp_path / "gone.db", address).start()
    assert "gone.db" not in os.listdir(tmp_path)
    writer.stop()


async def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StoreUnavailable, match="restore it from a backup"):
        await InlineSqliteBackend(tmp_path / "store.db").start()


async def test_a_deep_data_directory_works(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    database, address = deep / "store.db", deep / "writer.sock"
    migrate.migrate(SqliteUrl(database))
    writer = WriterProcess(database, address)
    backend = SqliteBackend(database, address)
    await backend.start()
    await backend.commit(creation(row(1)))
    await backend.close()
    assert writer.stop() == 0
    assert address.name not in os.listdir(deep)


def test_the_socket_and_the_database_are_for_this_user_only(
    writer: WriterProcess, database: Path, address: Path
) -> None:
    assert stat.S_IMODE(address.stat().st_mode) == 0o600
    assert stat.S_IMODE(database.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "garbage",
    [(MAX_FRAME + 1).to_bytes(4, "little"), b"\x04\0\0\0\xff\xff\xff\xff", b"\0\0\0\0"],
    ids=["too large", "not marshalled", "empty"],
)
async def test_a_broken_frame_costs_only_its_connection(
    backend: SqliteBackend, address: Path, garbage: bytes
) -> None:
    connection = unix.connect(address)
    connection.setblocking(True)
    connection.settimeout(60)
    connection.sendall(garbage)
    assert connection.recv(1) == b""
    connection.close()
    await backend.commit(creation(row(1)))


async def test_a_change_that_is_too_large_is_refused_before_it_is_sent(backend: SqliteBackend) -> None:
    with pytest.raises(ValueError, match="more than the store takes at once"):
        await backend.commit(creation(row(1, attributes=bytes(MAX_FRAME))))
    await backend.commit(creation(row(1)))


async def test_a_large_change_goes_through(backend: SqliteBackend) -> None:
    new = row(1, attributes=os.urandom(8 * 2**20))
    await backend.commit(creation(new))
    assert await backend.fetch(new.tenant, new.unique_identifier) == new


async def test_what_was_sent_before_the_end_is_written(database: Path, address: Path) -> None:
    writer = WriterProcess(database, address)
    backend = SqliteBackend(database, address)
    await backend.start()
    objects = [row(1) for _ in range(200)]
    commits = [asyncio.create_task(backend.commit(creation(new))) for new in objects]
    await asyncio.sleep(0)  # they begin
    await asyncio.sleep(0)  # what they have to send leaves
    assert await asyncio.to_thread(writer.stop) == 0
    await asyncio.gather(*commits)
    await backend.close()


async def test_a_cancelled_caller_does_not_disturb_the_others(backend: SqliteBackend) -> None:
    kept = [row(1) for _ in range(5)]
    commits = [asyncio.create_task(backend.commit(creation(new))) for new in kept]
    await asyncio.sleep(0)
    commits[2].cancel()
    results = await asyncio.gather(*commits, return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [asyncio.CancelledError]
    await backend.commit(creation(row(1)))


def test_the_writer_ends_when_its_parent_is_gone(database: Path, address: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from strongroom.store import writer\n"
        "if os.fork() == 0:\n"
        "    writer.serve(Path(sys.argv[1]), Path(sys.argv[2]), ready=lambda: print('ready', flush=True))\n"
        "    print('ended', flush=True)\n"
        "    os._exit(0)\n"
        "os.read(0, 1)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, database, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    parent.kill()
    assert parent.stdout.readline() == b"ended\n"
    parent.communicate()


async def test_no_read_keeps_a_transaction_open(backend: SqliteBackend, database: Path) -> None:
    new = row(1)
    await backend.commit(creation(new, terms=[b"t"]))
    await backend.fetch(new.tenant, new.unique_identifier)
    await generation_of(backend, new.tenant, new.unique_identifier)
    other = sqlite3.connect(database, isolation_level=None)
    busy, _, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not busy
    other.close()


def test_a_socket_of_the_same_path_is_replaced(address: Path) -> None:
    first = unix.listen(address)
    second = unix.listen(address)
    client = unix.connect(address)
    second.setblocking(True)
    second.accept()[0].close()
    for opened in (first, second, client):
        opened.close()
    with pytest.raises(ConnectionRefusedError):
        unix.connect(address)
    assert isinstance(first, socket.socket)


async def test_a_scrub_that_meets_a_reader_fails_alone_and_is_tried_again(
    backend: SqliteBackend, database: Path
) -> None:
    """What is committed in the same transaction is committed, and is told so."""
    first, second = row(1), row(1)
    await backend.commit(creation(first))
    reader = sqlite3.connect(database, isolation_level=None)
    reader.execute("BEGIN").connection.execute("SELECT count(*) FROM objects").fetchall()
    scrubbed, committed = await asyncio.gather(
        backend.scrub(), backend.commit(creation(second)), return_exceptions=True
    )
    assert isinstance(scrubbed, StoreUnavailable)
    assert committed is None
    assert await backend.fetch(1, second.unique_identifier) is not None
    reader.close()
    await backend.scrub()
    assert database.with_name(f"{database.name}-wal").stat().st_size == 0


def test_who_is_ready_has_shown_a_sign_of_life(database: Path, address: Path) -> None:
    """Whoever hangs before the first one is not watched, and nobody would take its place."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from strongroom.store import writer\n"
        "tell = lambda word: lambda: print(word, flush=True)\n"
        "writer.serve(Path(sys.argv[1]), Path(sys.argv[2]), ready=tell('ready'), alive=tell('alive'))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, database, address],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["alive\n", "ready\n"]
        process.terminate()
