"""SIGKILL of every process at once, again and again, while clients write (design C4; faults 23, 29, 34).

Rule: after each restart every acknowledged change is there and no half of another one. One store goes through
all the rounds, so that what one round leaves is what the next one finds.
"""

import json
import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Protocol

import pytest

from strongroom import Client, testing
from strongroom.domain.audit import ADMINISTRATION
from strongroom.registry import State
from tests.faults.compare import compare
from tests.faults.load import Load
from tests.postgres import PostgresServer, running_server
from tests.processes import kill_trees

ROUNDS: Final = 50
LONG_ROUNDS: Final = 1000
CLIENTS: Final = 4
MOST_STEPS: Final = 60
"""A round ends after a random number of them."""

LONGEST_LOAD: Final = 2.0
"""Seconds."""

OLD_STORIES: Final = 10
"""How many stories of earlier rounds are looked at again in each."""

DATABASE_TOO: Final = 10
"""In every one of so many rounds PostgreSQL dies with Strongroom."""


class Database(Protocol):
    """What a store needs beside Strongroom's own processes."""

    url: str | None

    def dies(self, round_: int) -> list[int]:
        """Return the first process of what is to die in this round, if anything is."""

    def revive(self) -> None:
        """Start again what has died."""

    def count(self, rows: str) -> int:
        """Return how many rows there are: a table, and a condition if need be."""

    def events(self) -> list[bytes]:
        """Return what stands in the audit trail."""

    def check(self) -> None:
        """Raise AssertionError when the database is damaged."""


class Sqlite:
    """A file; there is nothing beside it."""

    url: str | None = None

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def dies(self, round_: int) -> list[int]:
        return []

    def revive(self) -> None:
        pass

    def count(self, rows: str) -> int:
        ((number,),) = self._query(f"SELECT count(*) FROM {rows}")
        return int(number)

    def events(self) -> list[bytes]:
        return [event for (event,) in self._query("SELECT event FROM audit")]

    def check(self) -> None:
        assert self._query("PRAGMA integrity_check") == [("ok",)]

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self._directory}/strongroom.db?mode=ro", uri=True)) as database:
            return database.execute(statement).fetchall()


class Postgres:
    """A PostgreSQL server, killed in some of the rounds."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._name = server.create_database()
        self._dead = False
        self.url: str | None = server.url(self._name)

    def dies(self, round_: int) -> list[int]:
        self._dead = round_ % DATABASE_TOO == 0
        return [self._server.pid] if self._dead else []

    def revive(self) -> None:
        if self._dead:
            self._server.stop()
            self._server.start()

    def count(self, rows: str) -> int:
        return int(self._server.sql(self._name, f"SELECT count(*) FROM {rows}"))

    def events(self) -> list[bytes]:
        printed = self._server.sql(self._name, "SELECT encode(event, 'hex') FROM audit")
        return [bytes.fromhex(line) for line in printed.split()]

    def check(self) -> None:
        pass  # it has no such check


class Site:
    """A server on a store, and the clients that write to it."""

    def __init__(self, server: testing.Server, database: Database, chance: random.Random) -> None:
        self.load = Load(server.profile, clients=CLIENTS, chance=chance)
        self._server = server
        self._database = database
        self._chance = chance
        self._client = Client.from_profile(server.profile)

    def round(self, number: int) -> None:
        """Let the clients work for a moment, kill everything at once, restart and compare."""
        self.load.start()
        self.load.wait_for(self._chance.randrange(MOST_STEPS), at_most=LONGEST_LOAD)
        time.sleep(self._chance.uniform(0.0, 0.005))
        self.load.seen_dying.set()
        kill_trees([self._server.process.pid, *self._database.dies(number)], chance=self._chance)
        self._server.kill()
        self.load.join()
        self._database.revive()
        self._server.start()
        touched = self.load.touched()
        older = self._chance.sample(self.load.stories, min(OLD_STORIES, len(self.load.stories)))
        compare(list({id(story): story for story in touched + older}.values()), self._client)
        self._database.check()

    def finish(self) -> None:
        """Compare everything that was ever written, and count what nobody has asked for."""
        stories = self.load.stories
        compare(stories, self._client)
        keys = [key for story in stories for line in story.world for key in line]
        taken = [key for key in keys if key.names and key.state is not State.DESTROYED]
        assert self._database.count("objects") == len(keys)
        assert self._database.count("names") == len(taken)
        assert self._database.count("terms WHERE sequence NOT IN (SELECT sequence FROM objects)") == 0
        operations = Counter(json.loads(event)["operation"] for event in self._database.events())
        for name in list(operations):  # what is not part of a story
            if name == "Get" or name.startswith(ADMINISTRATION):
                del operations[name]
        assert operations.total() == sum(story.requests_done for story in stories)

    def close(self) -> None:
        self._client.close()
        self.load.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Give a running server with its clients. STRONGROOM_SEED repeats the choices of a failed run."""
    seed = os.environ.get("STRONGROOM_SEED") or f"{random.SystemRandom().randrange(10**9)}"
    print(f"STRONGROOM_SEED={seed}")  # pytest shows it when the test fails
    chance = random.Random(seed)
    if request.param == "sqlite":
        yield from _site(tmp_path, Sqlite(tmp_path / "data"), chance)
    else:
        with running_server() as postgres:
            yield from _site(tmp_path, Postgres(postgres), chance)


def _site(folder: Path, database: Database, chance: random.Random) -> Iterator[Site]:
    with testing.server(folder, workers=2, store=database.url) as server:
        site = Site(server, database, chance)
        yield site
        site.close()


@pytest.mark.timeout(600)
def test_a_kill_loses_no_acknowledged_change_and_leaves_no_half_of_another(site: Site) -> None:
    for number in range(1, ROUNDS + 1):
        site.round(number)
    site.finish()


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_thousand_kills_lose_no_acknowledged_change(site: Site) -> None:
    for number in range(1, LONG_ROUNDS + 1):
        site.round(number)
    site.finish()
