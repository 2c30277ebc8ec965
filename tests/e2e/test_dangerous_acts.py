"""Approvals, holds and deletion windows on a server as its users run it, with people and certificates."""

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom import Client, testing
from strongroom.cli.exit import ExitCode
from strongroom.client.errors import PermissionDenied
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.destroy import DestroyRequest
from tests.e2e.commands import Run
from tests.e2e.conftest import eventually
from tests.processes import kill_trees

PEOPLE = {
    "ada": ("administrator", ["ada-laptop"]),
    "carol": ("approver", ["carol-laptop", "carol-phone"]),
    "dan": ("approver", ["dan-laptop"]),
    # Whoever uses keys as `test` may also approve, but not what they ask for.
    "tess": ("approver", ["test", "tess-laptop"]),
}
APPROVAL = re.compile(r"approval approve (\S+?)`")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    with testing.server(tmp_path_factory.mktemp("acts"), workers=2) as server:
        for person, (role, clients) in PEOPLE.items():
            options = []
            for client in clients:
                if client != "test":
                    server.enrol(client)
                options += ["--client", client]
            local(server, "person", "add", person, "--role", role, *options)
        yield server


def local(server: testing.Server, *words: str) -> str:
    return server.run(*words, "--data", str(server.directory))


def profile(server: testing.Server, client: str) -> str:
    return str(server.folder / client / "profile.toml")


def key(server: testing.Server, name: str | None = None) -> UniqueIdentifier:
    with Client.from_profile(server.profile) as client:
        return client.create_symmetric_key(name=name)


def named_in(sentence: str) -> str:
    """Return the approval that a refusal names."""
    found = APPROVAL.search(sentence)
    assert found is not None, sentence
    return found[1]


def approve(server: testing.Server, run: Run, approval: str, *clients: str) -> None:
    for client in clients:
        run("approval", "approve", approval, "--profile", profile(server, client))


def require(server: testing.Server, run: Run, what: str, tenant: str = "default") -> None:
    """Have something laid down, with the approval that it may need itself."""
    words = ("approval", "require", what, "--tenant", tenant, "--profile", profile(server, "ada-laptop"))
    done = server.try_run(*words)
    if done.returncode == ExitCode.PENDING_APPROVAL:
        approve(server, run, named_in(done.stderr), "carol-laptop", "dan-laptop")
        done = server.try_run(*words)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def two_to_destroy(server: testing.Server, run: Run) -> Iterator[None]:
    require(server, run, "destroy=2")
    yield
    require(server, run, "destroy=0")


@pytest.mark.usefixtures("two_to_destroy")
def test_a_key_is_destroyed_once_two_people_have_said_so_from_their_own_machines(
    server: testing.Server, run: Run
) -> None:
    doomed, spared = key(server, "doomed"), key(server)
    refused = run("key", "destroy", doomed, "--yes", code=ExitCode.PENDING_APPROVAL)
    approval = named_in(refused.error)
    shown = json.loads(
        run("approval", "show", approval, "-o", "json", "--profile", profile(server, "carol-laptop")).out
    )
    assert (shown["operation"], shown["objects"], shown["names"]) == ("Destroy", [doomed], ["doomed"])
    assert (shown["requester"], shown["needed"], shown["approved_by"]) == ("test", 2, [])

    approve(server, run, approval, "carol-laptop")
    run("key", "destroy", doomed, "--yes", code=ExitCode.PENDING_APPROVAL)
    approve(server, run, approval, "carol-phone")
    run("key", "destroy", doomed, "--yes", code=ExitCode.PENDING_APPROVAL)
    vote = ("approval", "approve", approval)
    run(*vote, "--profile", profile(server, "tess-laptop"), code=ExitCode.DENIED)
    run(*vote, "--profile", profile(server, "ada-laptop"), code=ExitCode.DENIED)
    run(*vote, "--profile", str(server.profile), code=ExitCode.DENIED)
    done = server.try_run(*vote, "--data", str(server.directory))
    assert done.returncode == ExitCode.DENIED
    assert "only people vote" in done.stderr
    run("key", "destroy", doomed, "--yes", code=ExitCode.PENDING_APPROVAL)

    approve(server, run, approval, "dan-laptop")
    run("key", "destroy", spared, "--yes", code=ExitCode.PENDING_APPROVAL)
    run("key", "destroy", doomed, "--yes")
    run(*vote, "--profile", profile(server, "dan-laptop"), code=ExitCode.NOT_FOUND)


@pytest.mark.usefixtures("two_to_destroy")
def test_who_can_wait_is_told_with_poll(server: testing.Server, run: Run) -> None:
    doomed = key(server)
    with Client.from_profile(server.profile) as client:
        later = client.later(DestroyRequest(unique_identifier=doomed))
        assert later.poll() is None
        ann = profile(server, "carol-laptop")
        found: list[str] = []

        def asked() -> bool:
            rows = json.loads(run("approval", "list", "-o", "json", "--profile", ann).out)
            found[:] = [row["approval"] for row in rows if row["objects"] == [doomed]]
            return bool(found)

        eventually(asked)
        approve(server, run, found[0], "carol-laptop", "dan-laptop")
        assert later.wait(60).unique_identifier == doomed


@pytest.mark.usefixtures("two_to_destroy")
def test_votes_and_what_was_voted_on_survive_a_kill(server: testing.Server, run: Run) -> None:
    doomed = key(server)
    with Client.from_profile(server.profile) as client:
        with pytest.raises(PermissionDenied) as refused:
            client.destroy(doomed)
        approval = named_in(str(refused.value))
    approve(server, run, approval, "carol-laptop", "dan-laptop")
    kill_trees([server.process.pid])
    server.kill()
    server.start()
    with Client.from_profile(server.profile) as client:
        client.destroy(doomed)
        other = client.create_symmetric_key()
        with pytest.raises(PermissionDenied):
            client.destroy(other)


def test_policy_is_changed_once_two_people_have_said_so(server: testing.Server, run: Run) -> None:
    require(server, run, "policy=2", "system")
    words = ("person", "add", "eve", "--role", "approver")
    ada = ("--profile", profile(server, "ada-laptop"))
    approval = named_in(run(*words, *ada, code=ExitCode.PENDING_APPROVAL).error)
    # The machine itself asks for something else than Ada does.
    done = server.try_run(*words, "--data", str(server.directory))
    assert done.returncode == ExitCode.PENDING_APPROVAL
    assert named_in(done.stderr) != approval
    approve(server, run, approval, "carol-laptop", "dan-laptop")
    run(*words, *ada)
    run("person", "remove", "eve", *ada, code=ExitCode.PENDING_APPROVAL)
    rejected = named_in(run("person", "remove", "eve", *ada, code=ExitCode.PENDING_APPROVAL).error)
    run("approval", "reject", rejected, "--profile", profile(server, "dan-laptop"))
    run("person", "remove", "eve", *ada, code=ExitCode.DENIED)
    require(server, run, "policy=0", "system")


def test_a_requirement_is_in_force_in_every_worker_at_once(server: testing.Server, run: Run) -> None:
    """Answers to Get that workers remember included."""
    wanted = key(server)
    clients = [Client.from_profile(server.profile) for _ in range(8)]
    for client in clients:
        for _ in range(3):
            client.get(wanted)
    require(server, run, "export=1")
    for client in clients:
        with pytest.raises(PermissionDenied):
            client.get(wanted)
        client.close()
    words = ("approval", "require", "export=0", "--tenant", "default")
    ada = ("--profile", profile(server, "ada-laptop"))
    approve(server, run, named_in(run(*words, *ada, code=ExitCode.PENDING_APPROVAL).error), "carol-laptop")
    run(*words, *ada)


def test_a_held_key_is_not_destroyed(server: testing.Server, run: Run) -> None:
    held = key(server)
    ada = ("--profile", profile(server, "ada-laptop"))
    hold = run("hold", "add", held, "--reason", "case 7", *ada).identifier
    assert "legal hold" in run("key", "destroy", held, "--yes", code=ExitCode.DENIED).error
    assert "case 7" in run("hold", "list", *ada).out
    run("hold", "remove", hold, *ada)
    run("key", "destroy", held, "--yes")


def test_a_destroyed_key_is_restored_within_its_window_without_the_name_that_was_taken(
    server: testing.Server, run: Run
) -> None:
    ada = ("--profile", profile(server, "ada-laptop"))
    run("safeguard", "set", "default", "--deletion-window", "7d", *ada)
    lost = key(server, "precious")
    with Client.from_profile(server.profile) as client:
        before = client.get(lost)
    run("key", "destroy", lost, "--yes")
    assert lost in run("object", "parked", "-o", "id", *ada).out
    key(server, "precious")
    restored = json.loads(run("object", "restore", lost, "-o", "json", *ada).out)
    assert restored["names_left_out"] == ["precious"]
    with Client.from_profile(server.profile) as client:
        assert client.get(lost) == before
    run("object", "restore", lost, *ada, code=ExitCode.NOT_FOUND)
    run("safeguard", "set", "default", "--deletion-window", "0", *ada)


def test_the_end_of_the_window_leaves_nothing_in_the_files_of_a_live_server(
    server: testing.Server, run: Run
) -> None:
    ada = ("--profile", profile(server, "ada-laptop"))
    run("safeguard", "set", "default", "--deletion-window", "2s", *ada)
    lost = key(server)
    run("key", "destroy", lost, "--yes")
    file = server.directory / "strongroom.db"
    reader = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    rows = reader.execute("SELECT sealed FROM entries WHERE kind = 42 AND key = ?", (lost,)).fetchall()
    reader.close()
    ((sealed,),) = rows
    pieces = [sealed[start : start + 24] for start in range(0, len(sealed) - 24, 24)]

    def files() -> bytes:
        return b"".join(path.read_bytes() for path in sorted(Path(server.directory).glob("strongroom.db*")))

    left = files()
    assert any(piece in left for piece in pieces)
    give_up = time.monotonic() + 60
    while any(piece in left for piece in pieces):
        assert time.monotonic() < give_up, "the sealed bytes are still there"
        time.sleep(0.2)
        left = files()
    run("object", "restore", lost, *ada, code=ExitCode.NOT_FOUND)
    run("safeguard", "set", "default", "--deletion-window", "0", *ada)
