"""A change of the root key under load, killed in the middle (fault 40)."""

import contextlib
import json
import random
import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import pytest

from strongroom import Client, testing
from strongroom.client.errors import KMIPError
from strongroom.rootkey.envelope import parse
from tests.faults.dying_server import NEVER, STEPS
from tests.postgres import PostgresServer, postgres_server
from tests.processes import kill_trees
from tests.sealed import Vault

__all__ = ["postgres_server"]

OBJECTS: Final = 12


def dying(step: str) -> list[str]:
    return [sys.executable, "-m", "tests.faults.dying_server", step]


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = Vault(tmp_path / "vault", f"--recovery={tmp_path}/vault/kit", command=dying(NEVER), workers=2)
    made._options = (*made._options, f"--passphrase-file={made.passphrase_file}")
    made.start()
    made.enrol(testing.CLIENT)
    yield made
    if made._process is not None:
        made.kill()


def contents(vault: Vault) -> Mapping[str, Any]:
    """Return every object that the client has, opened."""
    with Client.from_profile(vault.profile) as client:
        return {identifier: client.get(identifier) for identifier in client.locate()}


def create(vault: Vault, number: int) -> None:
    with Client.from_profile(vault.profile) as client:
        for _ in range(number):
            client.create_symmetric_key()


def generations(vault: Vault) -> set[int]:
    """Return which root keys wrap the store keys in the database."""
    with closing(sqlite3.connect(vault.directory / "strongroom.db")) as database:
        rows = database.execute("SELECT wrapped FROM store_keys").fetchall()
    assert len(rows) > 3, "there are too few store keys for this test to mean anything"
    return {parse(wrapped).generation for (wrapped,) in rows}


def rotate(vault: Vault, to: str) -> int:
    options = [f"--passphrase-file={vault.passphrase_file}"] if to == "passphrase" else []
    return vault.try_run(
        "server", "root", "rotate", "--to", to, "--data", str(vault.directory), *options
    ).returncode


def finished(vault: Vault) -> dict[str, Any]:
    """Have what is left done now; by itself the server does it ten seconds after the beginning."""
    from strongroom.server.admin import call_server
    from strongroom.server.data_directory import DataDirectory

    directory = DataDirectory.open(vault.directory)
    done = call_server(directory, {"command": "root.finish"})
    assert isinstance(done, dict)
    assert done["finished"]
    return vault.status()


def key_files_become(vault: Vault, count: int) -> bool:
    """Tell whether so many are left soon: whoever was first to finish removes the others after that."""
    give_up = time.monotonic() + 120
    while len(list(vault.directory.glob("root*.key"))) != count:
        if time.monotonic() > give_up:
            return False
        time.sleep(0.05)
    return True


class Readers:
    """Clients that read everything again and again."""

    def __init__(self, vault: Vault, wanted: Mapping[str, Any]) -> None:
        self._vault = vault
        self._wanted = dict(wanted)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read) for _ in range(2)]
        self.reads = 0
        self.wrong: list[str] = []

    def __enter__(self) -> "Readers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        with Client.from_profile(self._vault.profile) as client:
            while not self._stop.is_set():
                for identifier, value in self._wanted.items():
                    try:
                        if client.get(identifier) != value:
                            self.wrong.append(f"{identifier} is another one")
                    except KMIPError as error:
                        self.wrong.append(str(error))
                    self.reads += 1


def test_everything_is_readable_while_root_keys_and_providers_change(vault: Vault) -> None:
    create(vault, OBJECTS)
    wanted = contents(vault)
    with Readers(vault, wanted) as readers:
        for number, provider in enumerate(("file", "passphrase", "file"), 2):
            before = readers.reads
            assert rotate(vault, provider) == 0
            assert generations(vault) == {number}
            assert readers.reads > before
            create(vault, 3)
    assert not readers.wrong
    assert generations(vault) == {4}
    assert len(contents(vault)) == OBJECTS + 9


def test_killed_at_any_step_everything_is_readable_and_it_is_finished_afterwards(vault: Vault) -> None:
    """One data directory goes through every step, so a kill comes after a kill that was finished."""
    create(vault, OBJECTS)
    wanted = contents(vault)
    vault.stop()
    for number, step in enumerate(STEPS):
        provider = ("passphrase", "file")[number % 2]
        before = json.loads(_book(vault) or '{"root_keys": [{"generation": 1}]}')["root_keys"][-1]
        vault._command = tuple(dying(step))
        vault.start()
        assert contents(vault) == wanted, step
        # The command itself is an ordinary one: the server dies under it.
        vault._command = tuple(dying(NEVER))
        assert rotate(vault, provider) != 0, step
        assert vault._ended() != 0, f"the server has not died at: {step}"
        vault.start()
        assert contents(vault) == wanted, step
        found = finished(vault)
        if found["root_key_generation"] == before["generation"]:
            assert step == STEPS[0], (
                "only before anything was written may it be as if it had never been begun"
            )
            assert rotate(vault, provider) == 0
        assert generations(vault) == {before["generation"] + 1}, step
        assert vault.status()["provider"] == provider
        assert vault.status()["root_key_changing"] is False
        assert key_files_become(vault, int(provider == "file")), step
        create(vault, 1)
        wanted = contents(vault)
        vault.stop()


def _book(vault: Vault) -> str:
    path = vault.directory / "root.json"
    return path.read_text() if path.exists() else ""


def test_a_server_finishes_by_itself_what_was_cut(vault: Vault) -> None:
    create(vault, OBJECTS)
    wanted = contents(vault)
    vault.stop()
    vault._command = tuple(dying("some store keys are wrapped again"))
    vault.start()
    vault._command = tuple(dying(NEVER))
    assert rotate(vault, "file") != 0
    vault._ended()
    old = (vault.directory / "root.key").read_bytes()
    assert generations(vault) == {1, 2}, "there is something left to be finished"
    vault.start()
    give_up = time.monotonic() + 120
    while vault.status()["root_key_changing"]:
        assert time.monotonic() < give_up
        assert contents(vault) == wanted
        time.sleep(0.5)
    assert generations(vault) == {2}
    assert (vault.directory / "root.key").read_bytes() != old
    vault.stop()
    vault.start()
    assert contents(vault) == wanted, "the older root key is not needed any more"


@pytest.mark.postgres
def test_two_nodes_on_one_database_change_the_root_key_together(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """Each reads what the other writes, also under store keys that are made meanwhile."""
    store = postgres_server.url(postgres_server.create_database())
    one = Vault(tmp_path / "one", "--store", store, command=dying(NEVER))
    two = Vault(tmp_path / "two", command=dying(NEVER))
    shutil.rmtree(two.directory)
    with ExitStack() as stack:
        stack.callback(_end, one, two)
        one.start()
        one.enrol(testing.CLIENT)
        own = shutil.ignore_patterns("*.sock", "lock", "audit")
        shutil.copytree(one.directory, two.directory, ignore=own)
        shutil.copytree(one.profile.parent, two.profile.parent)
        two.start()
        two.profile.write_text(two.profile.read_text().replace(one.address, two.address))
        create(one, OBJECTS)
        with Readers(two, contents(one)) as readers:
            for number, to in enumerate(("file", "passphrase", "file"), 2):
                changing = threading.Thread(target=rotate, args=(one, to))
                changing.start()
                while changing.is_alive():
                    create(one, 1)
                    assert contents(one) == contents(two)
                give_up = time.monotonic() + 120
                while not (_settled(one, number) and _settled(two, number)):
                    assert time.monotonic() < give_up
                    time.sleep(0.5)
        assert not readers.wrong
        for node in (one, two):
            node.stop()
            node.start()  # which opens every store key
            create(node, 1)
        assert (one.directory / "root.key").read_bytes() == (two.directory / "root.key").read_bytes()


def _settled(vault: Vault, generation: int) -> bool:
    found = vault.status()
    return found["root_key_generation"] == generation and not found["root_key_changing"]


def _end(*vaults: Vault) -> None:
    for vault in vaults:
        if vault._process is not None:
            vault.kill()


@pytest.mark.long
def test_killed_at_random_moments_again_and_again(vault: Vault) -> None:
    chance = random.Random(40)
    create(vault, OBJECTS)
    wanted = contents(vault)
    for round_ in range(20):
        provider = chance.choice(["file", "passphrase"])
        command = threading.Thread(target=rotate, args=(vault, provider))
        command.start()
        time.sleep(chance.uniform(0.2, 3.0))
        kill_trees([vault.process.pid], chance=chance)
        vault._ended()
        command.join()
        vault.start()
        assert contents(vault) == wanted, round_
        with contextlib.suppress(AssertionError):
            finished(vault)
