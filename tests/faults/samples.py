"""Data directories that older releases have left, from `tests/data/upgrades`."""

import json
import shutil
import sqlite3
import tarfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strongroom.domain.backups import Table
from strongroom.rootkey.file import FileRootKey
from strongroom.server.backup.archive import ArchiveWriter, Header, PartBegins
from strongroom.server.backup.create import KEYS, without_wrapping
from strongroom.server.backup.encryption import encrypt, encrypting
from strongroom.server.backup.parts import open_sealed, plain_files
from strongroom.server.backup.secrets import pack
from strongroom.server.data_directory import DataDirectory
from strongroom.store.tables import NOT_COPIED, select
from tests.inventory import Inventory
from tests.postgres import PostgresServer

FOLDER: Final = Path(__file__).parents[1] / "data" / "upgrades"
VERSIONS: Final = tuple(sorted(file.name.partition(".")[0] for file in FOLDER.glob("*.tar.xz")))


@dataclass(frozen=True)
class Sample:
    """A data directory as an older release left it, unpacked."""

    folder: Path
    version: str

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def database(self) -> Path:
        return self.data / "strongroom.db"

    @property
    def profile(self) -> Path:
        return self.folder / "test" / "profile.toml"

    @property
    def expected(self) -> Inventory:
        found: Inventory = json.loads((self.folder / "expected.json").read_text())
        return found


def unpack(version: str, folder: Path) -> Sample:
    """Unpack the sample of a schema version."""
    with tarfile.open(FOLDER / f"{version}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    (folder / "data").chmod(0o700)
    return Sample(folder, version)


def on_postgres(sample: Sample, server: PostgresServer) -> str:
    """Put the rows of a sample into a database, have its configuration name it, and return its name."""
    name = server.create_database()
    server.run_file(name, sample.folder / "postgresql.sql")
    configuration = sample.data / "strongroom.toml"
    text = configuration.read_text().replace("sqlite:///strongroom.db", server.url(name))
    configuration.write_text(text)
    sample.database.unlink()
    return name


def archive(sample: Sample, target: Path, recipient: str) -> None:
    """Write a backup as the release of the sample would have, had it known how."""
    directory = DataDirectory.open(sample.data)
    root_key = FileRootKey(directory.root_key)
    with closing(sqlite3.connect(sample.database)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        tables = [_table(database, name) for name in sorted(set(names) - NOT_COPIED)]
        keys = database.execute("SELECT store_key, wrapped FROM store_keys").fetchall()
        secrets = pack(
            {number: root_key.unwrap(wrapped) for number, wrapped in keys},
            dict(open_sealed(directory, root_key)),
        )
        header = Header(
            backup="old", created_at="2026-01-01T00:00:00+00:00", server="0", schema=sample.version,
            database="sqlite", format=1,
        )  # fmt: skip
        with target.open("wb") as file, encrypting(file, [recipient]) as plain:
            writer = ArchiveWriter(plain.write, header)
            writer.begin(PartBegins(KEYS, "keys"))
            writer.data(encrypt(secrets, [recipient]))
            writer.end()
            for name in plain_files(directory):
                writer.begin(PartBegins(name, "file"))
                writer.data((directory.path / name).read_bytes())
                writer.end()
            for table in tables:
                writer.begin(PartBegins(table.name, "table", table.columns, table.order))
                rows = database.execute(select(table)).fetchall()
                writer.rows(without_wrapping(table, rows))
                writer.end()
            writer.finish()


def _table(database: sqlite3.Connection, name: str) -> Table:
    columns = database.execute(f"PRAGMA table_info({name})").fetchall()
    return Table(name, tuple(row[1] for row in columns), tuple(row[1] for row in columns if row[5]))


def copy_database(sample: Sample, target: Path) -> Path:
    """Copy the SQLite store of a sample that nobody has open."""
    shutil.copy(sample.database, target)
    return target
