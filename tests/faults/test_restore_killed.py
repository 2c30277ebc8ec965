"""SIGKILL in the middle of a restore (fault 35's neighbour), and key material in backups (fault 40's).

Rule: whatever is left of a restore that did not end is no data directory, nobody can start a server on it,
and an empty database is empty still.
"""

import asyncio
import base64
import io
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pyrage import decrypt

from strongroom import Client, testing
from strongroom.cli.exit import ExitCode
from strongroom.domain.store_failures import StoreFailure
from strongroom.rootkey.file import FileRootKey
from strongroom.server.backup.archive import ArchiveReader, Data, Event, PartBegins, Rows, encode_row
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import NotFound, OperatorError
from strongroom.store.filling import fill
from strongroom.store.url import SqliteUrl
from tests import preloaded
from tests.e2e.backups import Kit, Place, create, kit, old_client, running
from tests.faults.dying_restore import POINTS
from tests.inventory import inventory, known, populate
from tests.postgres import postgres_server

__all__ = ["kit", "postgres_server"]


def restore_until(point: str, site: testing.Server, *words: str) -> "subprocess.CompletedProcess[str]":
    """Restore, and be killed at a point."""
    program = [sys.executable, "-m", "tests.faults.dying_restore", point]
    return preloaded.run([*program, "backup", "restore", *words], env=site._environment(), timeout=60)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    with testing.server(tmp_path_factory.mktemp("site")) as server:
        with Client.from_profile(server.profile) as client:
            populate(client)
            inventory(client)  # the first Get changes an attribute
        yield server


@pytest.fixture(scope="module")
def backup(site: testing.Server, kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("backups") / "site.age"
    create(site, file, kit)
    return file


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    postgres = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    return Place(tmp_path / "here", postgres)


def test_a_restore_that_was_killed_leaves_nothing_to_start_on(
    site: testing.Server, backup: Path, kit: Kit, here: Place
) -> None:
    for number, point in enumerate(POINTS):
        data = here.folder / f"data{number}"
        words = [str(backup), "--data", str(data), "--identity", str(kit.path), *here.option]
        killed = restore_until(point, site, *words)
        assert killed.returncode == -signal.SIGKILL, (point, killed)
        with pytest.raises(NotFound, match="holds no data directory"):
            DataDirectory.open(data)
        with pytest.raises(OperatorError, match="is not empty and not a complete data directory"):
            DataDirectory.create(data)
        if here.postgres is not None and point != "before configuration":
            tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            assert here.postgres.sql(here.database, tables) == "0", point


def test_after_a_restore_that_was_killed_another_one_works(
    site: testing.Server, backup: Path, kit: Kit, here: Place
) -> None:
    words = [str(backup), "--identity", str(kit.path), *here.option, "--data"]
    killed = restore_until("before commit", site, *words, str(here.folder / "first"))
    assert killed.returncode == -signal.SIGKILL
    started = site.try_run("serve", str(here.folder / "first"))
    assert started.returncode == ExitCode.NOT_FOUND
    assert "holds no data directory" in started.stderr
    site.run("backup", "restore", *words, str(here.folder / "data"))
    with Client.from_profile(site.profile) as client:
        before = inventory(client)
    with running(here.folder) as restored, old_client(site.profile, restored) as client:
        assert inventory(client) == before


def test_a_restore_that_was_killed_is_not_in_the_way_of_the_next_outside_the_directory_either(
    site: testing.Server, backup: Path, kit: Kit, tmp_path: Path
) -> None:
    store = tmp_path / "stores" / "outside.db"
    store.parent.mkdir()
    words = [str(backup), "--identity", str(kit.path), "--store", f"sqlite:///{store}", "--data"]
    for number, point in enumerate(POINTS[:-1]):
        killed = restore_until(point, site, *words, str(tmp_path / f"data{number}"))
        assert killed.returncode == -signal.SIGKILL, (point, killed)
        assert not store.exists()
    site.run("backup", "restore", *words, str(tmp_path / "data"))
    assert [file.name for file in store.parent.iterdir()] == ["outside.db"]
    assert store.stat().st_mode & 0o777 == 0o600


def test_nor_when_the_next_has_the_number_of_the_one_that_was_killed(tmp_path: Path) -> None:
    """As in a container, where each process has the number of the one before."""

    async def begin() -> None:
        async with fill(SqliteUrl(tmp_path / "store.db")):
            pass

    (tmp_path / f".store.db.{os.getpid()}.partial").write_bytes(b"half a store")
    asyncio.run(begin())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", ["-wal", "-journal", "-shm"])
def test_what_another_store_has_left_is_never_taken_for_a_part_of_the_restored_one(
    left: str, tmp_path: Path
) -> None:
    """SQLite carries out the log that lies beside a database, also when that is another one by now."""

    async def begin() -> None:
        async with fill(SqliteUrl(tmp_path / "store.db")):
            pass

    beside = tmp_path / f"store.db{left}"
    beside.write_bytes(b"changes of a store that was taken away")
    with pytest.raises(StoreFailure, match=f"{beside} is left of another store"):
        asyncio.run(begin())
    assert list(tmp_path.iterdir()) == [beside]
    beside.unlink()
    asyncio.run(begin())


def forms(value: bytes) -> Iterator[bytes]:
    """Yield the ways in which a secret may be written."""
    yield value
    yield value.hex().encode()
    yield value.hex().upper().encode()
    for shift in range(3):
        yield base64.b64encode(value[shift : shift + 27])
        yield base64.urlsafe_b64encode(value[shift : shift + 27])


def test_no_key_material_is_in_clear_in_a_backup_nor_behind_its_first_encryption(
    site: testing.Server, backup: Path, kit: Kit
) -> None:
    """Whoever reads the stream sees sealed records; the keys to them are encrypted once more."""
    secrets = [known("kept key"), known("kept password"), known("kept opaque")]
    root = FileRootKey(site.directory / "root.key")
    stream = decrypt(backup.read_bytes(), [kit.identity])
    events = list(ArchiveReader(io.BytesIO(stream).read).events())
    part: PartBegins | None = None
    keys: list[bytes] = []
    read = bytearray()
    for event in events:
        part = event if isinstance(event, PartBegins) else part
        read += plain(event)
        if part is not None and part.kind == "keys" and isinstance(event, Data):
            keys.append(event.data)
    opened = decrypt(b"".join(keys), [kit.identity])
    with closing(sqlite3.connect(f"file:{site.directory}/strongroom.db?mode=ro", uri=True)) as database:
        wrapped = [blob for (blob,) in database.execute("SELECT wrapped FROM store_keys").fetchall()]
    store_keys = [root.unwrap(blob).reveal() for blob in wrapped]
    assert store_keys
    assert all(key in opened for key in store_keys), "the search would find them"
    for content in (backup.read_bytes(), stream, bytes(read), site.log_text().encode()):
        for secret in [*secrets, *store_keys, *wrapped]:
            assert not any(form in content for form in forms(secret))
    assert (site.directory / "root.key").read_bytes()[22:54] not in opened


def plain(event: Event) -> bytes:
    """Return what an event holds, as it would be printed or written."""
    if isinstance(event, Rows):
        return b"".join(map(encode_row, event.rows))
    return event.data if isinstance(event, Data) else repr(event).encode()


def test_a_backup_that_is_killed_leaves_no_file_of_its_name(
    site: testing.Server, kit: Kit, tmp_path: Path
) -> None:
    program = (
        "import os, signal, sys\n"
        "from strongroom.cli.main import main\n"
        "from strongroom.server.backup import create\n"
        "create._rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "main()\n"
    )
    target = tmp_path / "backup.age"
    words = ["backup", "create", "--data", str(site.directory), "--to", str(target)]
    killed = subprocess.run(
        [sys.executable, "-c", program, *words, "--recipient", kit.recipient],
        env=site._environment(),
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert not target.exists()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".backup.age.")
    assert left.stat().st_mode & 0o777 == 0o600
    assert os.path.getsize(left) > 0
