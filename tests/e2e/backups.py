"""What tests of backups share: empty stores, kits, a site and its backup, servers on what was restored."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pyrage import x25519

from strongroom import Client, testing
from tests.inventory import populate
from tests.postgres import PostgresServer


@dataclass
class Kit:
    """An age identity in a file, as it would lie in a safe."""

    path: Path
    identity: x25519.Identity = field(default_factory=x25519.Identity.generate)

    def __post_init__(self) -> None:
        self.path.write_text(f"# recovery kit\n{self.identity}\n")

    @property
    def recipient(self) -> str:
        return str(self.identity.to_public())


@dataclass
class Place:
    """A store that is empty at first."""

    folder: Path
    postgres: PostgresServer | None
    database: str = ""

    def __post_init__(self) -> None:
        self.folder.mkdir()
        if self.postgres is not None:
            self.database = self.postgres.create_database()

    @property
    def url(self) -> str | None:
        return None if self.postgres is None else self.postgres.url(self.database)

    @property
    def option(self) -> list[str]:
        return [] if self.url is None else ["--store", self.url]

    def index(self) -> list[tuple[str, ...]]:
        """Return every name and index term."""
        if self.postgres is None:
            with closing(
                sqlite3.connect(f"file:{self.folder}/data/strongroom.db?mode=ro", uri=True)
            ) as found:
                rows = found.execute(
                    "SELECT 'term', tenant, lower(hex(term)), sequence FROM terms UNION ALL"
                    " SELECT 'name', tenant, lower(hex(name)), owner FROM names"
                ).fetchall()
            return sorted(tuple(map(str, row)) for row in rows)
        printed = self.postgres.sql(
            self.database,
            "SELECT 'term', tenant, encode(term, 'hex'), sequence FROM terms UNION ALL"
            " SELECT 'name', tenant, encode(name, 'hex'), owner FROM names",
        )
        return sorted(tuple(line.split("|")) for line in printed.splitlines())

    def count(self, rows: str) -> int:
        """Return how many rows there are: a table, and a condition if need be."""
        if self.postgres is not None:
            return int(self.postgres.sql(self.database, f"SELECT count(*) FROM {rows}"))
        with closing(sqlite3.connect(f"file:{self.folder}/data/strongroom.db?mode=ro", uri=True)) as found:
            ((number,),) = found.execute(f"SELECT count(*) FROM {rows}").fetchall()
        return int(number)


@contextmanager
def running(folder: Path) -> Iterator[testing.Server]:
    """Run a server on the data directory in `folder`, which was made before."""
    server = testing.Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def old_client(profile: Path, server: testing.Server) -> Iterator[Client]:
    """Connect to a server with the certificate, key and authority that a client was given by another."""
    files = {name: profile.parent / f"{name}.pem" for name in ("cert", "key", "ca")}
    with Client([server.address], cert=files["cert"], key=files["key"], ca=files["ca"]) as client:
        yield client


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    return Kit(tmp_path_factory.mktemp("safe") / "kit")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    """Give a running server whose client has an object of every kind."""
    with testing.server(tmp_path_factory.mktemp("site")) as server:
        with Client.from_profile(server.profile) as client:
            populate(client)
        yield server


@pytest.fixture(scope="module")
def backup(site: testing.Server, kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a backup of the site."""
    file = tmp_path_factory.mktemp("backups") / "site.age"
    create(site, file, kit)
    return file


def create(server: testing.Server, file: Path, kit: Kit, *more: str) -> dict[str, object]:
    """Make a backup and return what the command says of it."""
    data = str(server.directory)
    printed = server.run(
        "backup",
        "create",
        "--data",
        data,
        "--to",
        str(file),
        "--recipient",
        kit.recipient,
        "-o",
        "json",
        *more,
    )
    record: dict[str, object] = json.loads(printed)
    return record
