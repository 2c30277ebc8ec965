"""SIGKILL in the middle of a restore (fault 35's neighbour), and key material in backups (fault 40's).

Rule: whatever is left of a restore that did not end is no data directory, nobody can start a server on it,
and an empty database is empty still.
"""

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
from typing import Final

import pytest
from pyrage import decrypt

from strongroom import Client, testing
from strongroom.cli.exit import ExitCode
from strongroom.rootkey.file import FileRootKey
from strongroom.server.backup.archive import ArchiveReader, Data, Event, PartBegins, Rows, encode_row
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import NotFound, OperatorError
from tests.e2e.backups import Kit, Place, old_client, running
from tests.e2e.test_backup import create, postgres_server
from tests.inventory import inventory, known, populate

__all__ = ["postgres_server"]

POINTS: Final = (
    "before root key",
    "before tables",
    "rows",
    "before upgrade",
    "before opening",
    "before mark",
    "before commit",
    "before configuration",
)

KILLED: Final = """
import os, signal, sys
from strongroom.cli.main import main
from strongroom.server import app
from strongroom.server.backup import restore, unpack
from strongroom.store import filling

point = sys.argv.pop(1)

def dies_at(name, owner, attribute, times=1):
    if name != point:
        return
    wrapped = getattr(owner, attribute)
    calls = iter(range(1, times))
    def dying(*arguments, **keywords):
        if next(calls, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return wrapped(*arguments, **keywords)
    setattr(owner, attribute, dying)

dies_at("before root key", app.StrongroomAdapters, "create_root_key")
for kind in (filling._SqliteFilling, filling._PostgresFilling):
    dies_at("before tables", kind, "begin")
    dies_at("rows", kind, "put", times=3)
    dies_at("before upgrade", kind, "upgrade")
    dies_at("before opening", kind, "open_records")
    dies_at("before mark", kind, "mark")
    dies_at("before commit", kind, "commit")
if point == "before configuration":
    written = restore.write_private
    def write_private(path, content):
        if path.name == "strongroom.toml":
            os.kill(os.getpid(), signal.SIGKILL)
        written(path, content)
    restore.write_private = write_private
main()
"""
"""The command line, killed at a point of a restore."""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    return Kit(tmp_path_factory.mktemp("safe") / "kit")


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
        words = ["backup", "restore", str(backup), "--data", str(data), "--identity", str(kit.path)]
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, point, *words, *here.option],
            env=site._environment(),
            capture_output=True,
            check=False,
        )
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
    words = ["backup", "restore", str(backup), "--identity", str(kit.path), *here.option, "--data"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, "before commit", *words, str(here.folder / "first")],
        env=site._environment(),
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    started = site.try_run("serve", str(here.folder / "first"))
    assert started.returncode == ExitCode.NOT_FOUND
    assert "holds no data directory" in started.stderr
    site.run(*words, str(here.folder / "data"))
    with Client.from_profile(site.profile) as client:
        before = inventory(client)
    with running(here.folder) as restored, old_client(site.profile, restored) as client:
        assert inventory(client) == before


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
