"""A backup of a server at work (faults 29 and 32, for backups).

Rule: what was acknowledged before the backup began is in it, what is in it is whole, and nothing is in it
that was never asked for. Both halves of a change that is one commit are there, or neither.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom import Client, testing
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.operations.get_attributes import GetAttributesRequest, GetAttributesResponse
from strongroom.registry import CryptographicAlgorithm, RecommendedCurve, State, Tag
from tests.e2e.backups import Kit, Place, create, old_client, running
from tests.postgres import postgres_server

__all__ = ["postgres_server"]

AT_WORK = 3
WARM_UP = 30
BACKUPS = 2
PAUSE = 0.02
"""Seconds between two steps of an author, or there would be too much to look at afterwards."""


READER = """
import asyncio, sys
from pathlib import Path
from strongroom.server.app import StrongroomAdapters
from strongroom.server.config import load_settings
from strongroom.server.data_directory import DataDirectory
async def main():
    directory = DataDirectory.open(Path(sys.argv[1]))
    settings = load_settings(directory.configuration)
    async with StrongroomAdapters().take_snapshot(settings, directory) as snapshot:
        objects = next(t for t in snapshot.tables if t.name == 'objects')
        print(await snapshot.count(objects), flush=True)
        sys.stdin.readline()
        print(await snapshot.count(objects), flush=True)
asyncio.run(main())
"""
"""Takes a snapshot, counts in it, waits for a line, and counts again."""


class Author(threading.Thread):
    """A client that makes keys and key pairs and remembers what it was told."""

    def __init__(self, profile: Path, number: int) -> None:
        super().__init__(daemon=True)
        self._client = Client.from_profile(profile)
        self._number = number
        self._stopping = threading.Event()
        self.asked: set[str] = set()
        """Names that were sent."""
        self.known: list[tuple[str, str]] = []
        """Names and identifiers that were acknowledged, keys after their activation."""
        self.pairs: list[tuple[str, str]] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            count = 0
            while not self._stopping.is_set():
                self._one(f"author{self._number}-{count}")
                count += 1
                self._stopping.wait(PAUSE)
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self._client.close()

    def _one(self, name: str) -> None:
        self.asked.add(name)
        if len(self.asked) % 3:
            key = self._client.create_symmetric_key(name=name)
            self._client.activate(key)
            self.known.append((name, key))
            return
        pair = self._client.create_key_pair(
            cryptographic_algorithm=CryptographicAlgorithm.ECDSA,
            cryptographic_length=None,
            recommended_curve=RecommendedCurve.P_256,
            private_key_name=f"{name}/private",
            public_key_name=f"{name}/public",
        )
        self.pairs.append((pair.private_key_unique_identifier, pair.public_key_unique_identifier))

    def finish(self) -> None:
        self._stopping.set()
        self.join(60)
        assert self.failure is None


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    postgres = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    return Place(tmp_path / "there", postgres)


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return Kit(tmp_path / "kit")


@pytest.fixture
def server(there: Place) -> Iterator[testing.Server]:
    with testing.server(there.folder, workers=2, store=there.url) as server:
        yield server


def test_a_backup_under_load_has_what_was_acknowledged_and_no_half_of_anything(
    server: testing.Server, kit: Kit, tmp_path: Path
) -> None:
    authors = [Author(server.profile, number) for number in range(AT_WORK)]
    for author in authors:
        author.start()
    while sum(len(author.known) for author in authors) < WARM_UP:
        assert all(author.is_alive() for author in authors)
    taken = []
    for number in range(BACKUPS):
        before = [(list(author.known), list(author.pairs)) for author in authors]
        file = tmp_path / f"{number}.age"
        create(server, file, kit)
        taken.append((file, before))
    grown = sum(len(author.known) for author in authors) - sum(len(known) for known, _ in taken[-1][1])
    for author in authors:
        author.finish()
    assert grown, "nothing was made while the last backup was"
    asked = {name for author in authors for name in author.asked}
    for number, (file, before) in enumerate(taken):
        folder = tmp_path / f"here{number}"
        restore = ["backup", "restore", str(file), "--identity", str(kit.path), "--data", f"{folder}/data"]
        printed = server.run(*restore, "--store", "sqlite:///strongroom.db", "-o", "json")
        assert json.loads(printed)["refused"] == 0
        with running(folder) as restored, old_client(server.profile, restored) as client:
            check(client, before, asked)


Before = list[tuple[list[tuple[str, str]], list[tuple[str, str]]]]
"""What each author knew before a backup: keys, and pairs."""


def check(client: Client, before: Before, asked: set[str]) -> None:
    found = {str(identifier): (name, state) for identifier, name, state in seen(client)}
    for known, pairs in before:
        for name, identifier in known:
            assert found.get(identifier) == (name, State.ACTIVE), f"{name} is lost, or its activation"
        assert all(identifier in found for pair in pairs for identifier in pair)
    names = {name for name, _ in found.values()}
    for name in names:
        asked_for, _, half = name.partition("/")
        assert asked_for in asked
        if half:
            assert {f"{asked_for}/private", f"{asked_for}/public"} <= names, f"{name} has no other half"


def seen(client: Client) -> Iterator[tuple[str, str, State]]:
    """Yield every object with its name and state; each can be read."""
    identifiers = client.locate()
    for start in range(0, len(identifiers), 50):
        page = identifiers[start : start + 50]
        reads = client.batch([GetRequest(unique_identifier=identifier) for identifier in page])
        assert all(isinstance(read, GetResponse) for read in reads)
        for answer in client.batch([GetAttributesRequest(unique_identifier=one) for one in page]):
            assert isinstance(answer, GetAttributesResponse)
            values = {key: value for key, value, _ in answer.attributes.attributes}
            yield answer.unique_identifier, values[Tag.NAME].name_value, values[Tag.STATE]


def test_a_backup_keeps_nobody_waiting(server: testing.Server) -> None:
    """A reader that never ends is the worst that a backup can be; changes go on beside it."""
    with Client.from_profile(server.profile, timeout=10.0) as client:
        client.create_symmetric_key(name="before")
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, str(server.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=server._environment(),
        )
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stdout.readline() == "1\n"
        for number in range(20):
            client.create_symmetric_key(name=f"meanwhile-{number}")
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline() == "1\n"
        assert reader.wait(60) == 0
        assert len(client.locate()) == 21
