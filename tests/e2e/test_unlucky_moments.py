"""Processes of a server that stop or die while others wait for them, start or leave.

Rule: whatever was stored is in force everywhere soon, whoever was to tell of it; whoever is to be there is
there again, and whoever is not is not.
"""

import contextlib
import os
import signal
import socket
import sqlite3
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from strongroom import Client, KMIPError, testing
from strongroom.cli.exit import ExitCode
from strongroom.rootkey.stored import StoredKeyring
from strongroom.server.admin import call_server
from strongroom.server.app import StrongroomAdapters
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import Denied, OperatorError
from strongroom.server.messages import Message
from strongroom.server.root.places import wrapped_files
from tests.e2e.conftest import endpoint, eventually, status
from tests.e2e.slow_server import HELD
from tests.e2e.test_serve import answers, children
from tests.e2e.unlucky_server import NO_PAIRS
from tests.interop.endpoint import Endpoint
from tests.sealed import Vault
from tests.unit.rootkey.conftest import PASSPHRASE, new, place

WITHIN: Final = 2.5
"""Seconds within which a revocation is effective, and half a second for a machine with other work."""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[testing.Server]:
    with testing.server(tmp_path, workers=2) as server:
        yield server


def writer(server: testing.Server) -> int:
    workers = {worker["pid"] for worker in status(server)["workers"]}
    (found,) = set(children(server.process.pid)) - workers
    return found


def ask(server: testing.Server, command: str, **arguments: object) -> object:
    request: Message = {"command": command, **arguments}
    return call_server(DataDirectory.open(server.directory), request)


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def served(clients: list[Client]) -> int:
    count = 0
    for client in clients:
        with contextlib.suppress(KMIPError):
            client.query()
            count += 1
    return count


@pytest.fixture
def clients(own: testing.Server) -> Iterator[list[Client]]:
    """Six connections of the client of the server, on both workers."""
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(Client.from_profile(own.profile)) for _ in range(6)]
        assert served(made) == 6
        yield made


def revoke(server: testing.Server) -> None:
    """Revoke the client, and find that nobody can say whether it was done."""
    done = server.try_run("client", "revoke", "test", "--data", str(server.directory))
    assert done.returncode == ExitCode.UNREACHABLE


@pytest.mark.parametrize("who", ["writer", "worker"])
def test_a_revocation_that_nobody_heard_of_in_time_is_in_force(
    own: testing.Server, clients: list[Client], who: str
) -> None:
    """The command fails after five seconds; what it asked for is done when the process goes on."""
    pid = writer(own) if who == "writer" else status(own)["workers"][0]["pid"]
    with stopped(pid):
        revoke(own)
    time.sleep(WITHIN)
    assert served(clients) == 0


def test_a_revocation_is_in_force_though_the_worker_that_asked_for_it_is_dead(
    own: testing.Server, clients: list[Client]
) -> None:
    worker = status(own)["workers"][0]["pid"]
    with stopped(writer(own)):
        asked = threading.Thread(target=revoke, args=(own,))
        asked.start()
        time.sleep(2.0)
        os.kill(worker, signal.SIGKILL)
        asked.join()
    time.sleep(WITHIN)
    assert served(clients) == 0


def test_a_worker_that_was_starting_during_a_reload_leaves_with_its_generation(
    own_echo: testing.Server,
) -> None:
    before = set(children(own_echo.process.pid))
    os.kill(status(own_echo)["workers"][0]["pid"], signal.SIGKILL)
    eventually(lambda: bool(set(children(own_echo.process.pid)) - before))
    (starting,) = set(children(own_echo.process.pid)) - before
    with stopped(starting):
        own_echo.process.send_signal(signal.SIGHUP)
        own_echo.wait_for_log('"reloaded"')
    eventually(lambda: {worker["generation"] for worker in status(own_echo)["workers"]} == {2})
    assert [worker["state"] for worker in status(own_echo)["workers"]] == ["serving"] * 2


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[testing.Server]:
    command = (sys.executable, "-m", "tests.e2e.slow_server")
    with testing.server(tmp_path, workers=2, command=command) as server:
        yield server


def refused(where: Endpoint, connection: socket.socket) -> bool:
    """Tell whether a client is turned away; one that is let in is told that its message is too long."""
    try:
        stream = where.context().wrap_socket(connection, server_hostname=where.host)
        stream.sendall(b"\x42\x00\x78\x01\xff\xff\xff\xf8")
        return stream.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True


def test_a_worker_that_starts_slowly_has_what_was_changed_meanwhile_before_it_serves(
    slow: testing.Server,
) -> None:
    """It is given its time: nobody waits for it, and nobody ends it."""
    held = slow.directory / HELD
    held.touch()
    victim = status(slow)["workers"][0]["pid"]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: held.stat().st_size > 0)
    (starting,) = [worker["pid"] for worker in status(slow)["workers"] if worker["state"] == "starting"]
    slow.run("client", "revoke", "test", "--data", str(slow.directory))
    with contextlib.ExitStack() as stack:
        waiting = [socket.create_connection((slow.host, slow.port)) for _ in range(8)]
        for connection in waiting:
            stack.enter_context(connection)
        assert starting in children(slow.process.pid)
        held.unlink()
        eventually(lambda: [worker["state"] for worker in status(slow)["workers"]] == ["serving"] * 2)
        assert starting in {worker["pid"] for worker in status(slow)["workers"]}
        assert [refused(endpoint(slow), connection) for connection in waiting] == [True] * 8
    assert "worker_killed" not in slow.log_text()


def test_a_server_that_stops_does_not_reload(own: testing.Server, clients: list[Client]) -> None:
    with stopped(writer(own)):
        creating = threading.Thread(target=clients[0].create_symmetric_key)
        creating.start()
        time.sleep(0.3)
        own.process.send_signal(signal.SIGTERM)
        own.wait_for_log("server_stopping")
        own.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
    creating.join()
    assert own.process.wait(20) == 0
    assert "did not drain in time" not in own.log_text()


def test_a_sealed_server_starts_no_worker_in_the_place_of_one_that_had_died(tmp_path: Path) -> None:
    shares = ("--root-key", "shares", "--shares", "2/3", f"--shares-out={tmp_path}/vault/shares")
    vault = Vault(tmp_path / "vault", *shares, workers=2)
    vault.start_sealed()
    try:
        vault.unseal(1)
        vault.unseal(2)
        assert vault.said_ready()
        for _ in range(5):  # each start again waits longer
            victim = status(vault)["workers"][0]["pid"]
            os.kill(victim, signal.SIGKILL)
            eventually(lambda gone=victim: gone not in children(vault.process.pid))  # type: ignore[misc]
            eventually(lambda: len(children(vault.process.pid)) == 3)
        os.kill(status(vault)["workers"][0]["pid"], signal.SIGKILL)
        ask(vault, "seal")
        time.sleep(3.0)
        assert children(vault.process.pid) == []
        assert "worker_died" not in vault.log_text().rpartition('"server_sealed"')[2]
    finally:
        vault.stop()


def test_a_worker_that_stops_in_the_middle_of_a_command_does_not_keep_others_from_theirs(
    own: testing.Server,
) -> None:
    """It has not even heard of it, so another one does it; what comes next finds both, one of them new."""
    stopping = status(own)["workers"][0]["pid"]
    with stopped(stopping):
        ask(own, "policy.create", name="long", text="x" * 600_000)
    for _ in range(3):
        assert ask(own, "client.list")
    eventually(lambda: [worker["state"] for worker in status(own)["workers"]] == ["serving"] * 2)
    assert stopping not in {worker["pid"] for worker in status(own)["workers"]}


def test_a_worker_that_is_killed_by_a_signal_without_a_name_is_replaced(own_echo: testing.Server) -> None:
    victim = status(own_echo)["workers"][0]["pid"]
    os.kill(victim, signal.SIGRTMIN + 5)
    own_echo.wait_for_log("worker_died")
    eventually(lambda: len(status(own_echo)["workers"]) == 2)
    assert answers(own_echo)


def test_sigterm_does_not_wait_for_commands_that_wait(own: testing.Server) -> None:
    directory = DataDirectory.open(own.directory)

    def list_clients() -> None:
        with contextlib.suppress(OperatorError, OSError):
            call_server(directory, {"command": "client.list"})

    worker = status(own)["workers"][0]["pid"]
    asking = [threading.Thread(target=list_clients) for _ in range(6)]
    os.kill(worker, signal.SIGSTOP)
    for thread in asking:
        thread.start()
    time.sleep(1.0)
    own.process.send_signal(signal.SIGTERM)
    own.wait_for_log("server_stopping", timeout=20.0)  # to wait for all of them takes half a minute
    os.kill(worker, signal.SIGCONT)
    assert own.process.wait(20) == 0
    for thread in asking:
        thread.join()


def test_the_supervisor_follows_a_root_key_of_which_nobody_has_told_it(own: testing.Server) -> None:
    """Whoever has changed it died then; a worker that starts later has the root key from the supervisor."""
    keyring = StrongroomAdapters().open_root_key(DataDirectory.open(own.directory))
    made = new("file", 2)
    keyring.adopt(keyring.prepare(made.described, made.secret))
    eventually(lambda: status(own)["root_key_generation"] == 2)
    os.kill(status(own)["workers"][0]["pid"], signal.SIGKILL)
    own.wait_for_log("worker_died")
    eventually(lambda: [worker["state"] for worker in status(own)["workers"]] == ["serving"] * 2)


@pytest.fixture
def unlucky(tmp_path: Path) -> Iterator[testing.Server]:
    command = (sys.executable, "-m", "tests.e2e.unlucky_server")
    with testing.server(tmp_path, workers=2, command=command) as server:
        yield server


def all_serve(server: testing.Server, generation: int) -> bool:
    serving = [(worker["generation"], worker["state"]) for worker in status(server)["workers"]]
    return serving == [(generation, "serving")] * 2


@pytest.mark.parametrize("who", ["writer", "worker"])
def test_a_process_that_cannot_be_replaced_for_want_of_descriptors_is_replaced_later(
    unlucky: testing.Server, who: str
) -> None:
    victim = writer(unlucky) if who == "writer" else status(unlucky)["workers"][0]["pid"]
    (unlucky.directory / NO_PAIRS).write_text("0")
    os.kill(victim, signal.SIGKILL)
    unlucky.wait_for_log("store_writer_failed" if who == "writer" else "worker_not_started")
    (unlucky.directory / NO_PAIRS).unlink()
    eventually(lambda: len(children(unlucky.process.pid)) == 3)
    eventually(lambda: all_serve(unlucky, 1))
    with Client.from_profile(unlucky.profile) as client:
        assert client.create_symmetric_key()


def test_a_reload_that_fails_in_the_middle_leaves_the_workers_before(unlucky: testing.Server) -> None:
    before = set(children(unlucky.process.pid))
    (unlucky.directory / NO_PAIRS).write_text("1")
    unlucky.process.send_signal(signal.SIGHUP)
    unlucky.wait_for_log("reload_rejected")
    assert all_serve(unlucky, 1)
    assert set(children(unlucky.process.pid)) == before
    (unlucky.directory / NO_PAIRS).unlink()
    unlucky.process.send_signal(signal.SIGHUP)
    unlucky.wait_for_log('"reloaded"')
    eventually(lambda: all_serve(unlucky, 2))


def test_an_authority_that_cannot_be_opened_any_more_rejects_reloads_and_ends_nothing(
    own_echo: testing.Server,
) -> None:
    damaged = bytearray((own_echo.directory / "ca.key").read_bytes())
    damaged[40] ^= 1
    (own_echo.directory / "ca.key").write_bytes(damaged)
    (own_echo.directory / "server.pem").unlink()
    own_echo.process.send_signal(signal.SIGHUP)
    own_echo.wait_for_log("reload_rejected")
    assert "supervisor_failed" not in own_echo.log_text()
    assert answers(own_echo)
    assert own_echo.stop() == 0


def wrapped_keys(server: testing.Server) -> list[bytes]:
    """Return all that is wrapped by a root key: in the store, and in the data directory."""
    with closing(sqlite3.connect(server.directory / "strongroom.db")) as database:
        keys = [wrapped for (wrapped,) in database.execute("SELECT wrapped FROM store_keys")]
    return [*keys, *wrapped_files(DataDirectory.open(server.directory))]


def test_a_supervisor_that_has_missed_a_change_of_the_root_key_is_told_by_unsealing(
    own: testing.Server,
) -> None:
    """Nothing leads from the older root key to the newer one any more, and no worker could start.

    No worker lets go of the older one before the supervisor has the newer: so somebody else does.
    """
    keyring = StoredKeyring(place(own.directory))
    made = new("passphrase", 2)
    with stopped(own.process.pid):
        keyring.adopt(keyring.prepare(made.described, made.secret))
        eventually(lambda: all(map(keyring.is_current, wrapped_keys(own))))
        assert keyring.complete(keyring.state)
        assert not (own.directory / "root.key").exists()
    eventually(lambda: "unseal" in status(own)["problems"].get("root key", ""))
    found = status(own)
    assert (found["sealed"], found["health"], found["unsealing"]) == (False, "degraded", "passphrase")
    with pytest.raises(OperatorError, match="the supervisor needs it"):
        ask(own, "root.finish")
    os.kill(found["workers"][0]["pid"], signal.SIGKILL)
    own.wait_for_log("worker_died")
    with pytest.raises(Denied, match="does not open"):
        ask(own, "unseal", passphrase="another one entirely")
    ask(own, "unseal", passphrase=PASSPHRASE.reveal().decode())
    # A worker may have missed it, too, and makes room for another one now.
    eventually(lambda: not status(own)["problems"])
    eventually(lambda: [worker["state"] for worker in status(own)["workers"]] == ["serving"] * 2)
    with Client.from_profile(own.profile) as client:
        assert client.create_symmetric_key()
    with pytest.raises(OperatorError, match="not sealed"):
        ask(own, "unseal")
