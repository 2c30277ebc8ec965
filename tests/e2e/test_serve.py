"""The server as a process: start, refuse to start, stop, crash, reload."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom import Client, testing
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import BlockCipherMode
from strongroom.server.processes import supervisor
from tests.e2e.conftest import ECHO, endpoint, eventually, frame, https, status
from tests.e2e.echo_server import NO_WORKERS
from tests.interop.endpoint import RawConnection
from tests.processes import computed_by


def answers(server: testing.Server) -> bool:
    with contextlib.suppress(OSError), endpoint(server).connect() as connection:
        return connection.exchange(frame(b"hello"))[8:13] == b"hello"
    return False


def refuses(server: testing.Server) -> bool:
    """Tell whether nobody listens at the port."""
    try:
        socket.create_connection((server.host, server.port)).close()
    except ConnectionRefusedError:
        return True
    return False


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# Starting


def test_the_ready_line_is_exact_and_every_listener_accepts_by_then(own_echo: testing.Server) -> None:
    own_echo.stop()
    process = subprocess.Popen(
        [*ECHO, "serve", str(own_echo.directory), "--listen", "127.0.0.1:0"],
        env=own_echo._environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"ready kmip=(127\.0\.0\.1:\d+) https=(127\.0\.0\.1:\d+)\n", line)
        assert found is not None
        own_echo.address, own_echo.https_address = found.groups()
        assert answers(own_echo)
        with https(own_echo) as connection:
            assert connection.post(frame(b"hello")).body[8:13] == b"hello"
        process.terminate()
        assert process.stdout.read() == ""
        assert process.wait(60) == 0


def test_ipv6_addresses_are_printed_in_brackets(own_echo: testing.Server) -> None:
    own_echo.stop()
    own_echo.address = "[::1]:0"
    own_echo.start()
    assert own_echo.address.startswith("[::1]:")
    assert answers(own_echo)


def test_a_second_server_on_the_directory_is_refused(echo: testing.Server) -> None:
    done = echo.try_run("serve", str(echo.directory), "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert f"in use by process {echo.process.pid}" in done.stderr
    assert done.stderr.count("\n") == 1
    assert answers(echo)


def test_a_busy_port_is_named_with_the_cure(echo: testing.Server, tmp_path: Path) -> None:
    """Also when the other program is a Strongroom, whose sockets share ports among themselves."""
    other = testing.Server(tmp_path, command=ECHO)
    other.run("init", str(other.directory))
    done = other.try_run("serve", str(other.directory), "--listen", echo.address)
    assert done.returncode == 1
    assert f"{echo.address} is in use by another program" in done.stderr
    assert "--listen" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "root.key").unlink(), "root key"),
        (lambda d: (d / "root.key").chmod(0o640), "chmod 600"),
        (lambda d: (d / "root.key").write_bytes(b"x" * 62), "root.key is not a root key"),
        (lambda d: d.chmod(0o755), "chmod 700"),
        (lambda d: (d / "strongroom.toml").unlink(), "strongroom init"),
        (lambda d: (d / "strongroom.toml").write_text("lisen = 1"), "did you mean 'listen'"),
        (lambda d: (d / "strongroom.toml").write_text('store = "mysql://x"'), "sqlite:///FILE"),
        (lambda d: (d / "strongroom.db").unlink(), "strongroom backup restore"),
        (lambda d: (d / "ca.pem").write_text("x"), "ca.pem"),
    ],
    ids=[
        *("no root key", "open root key", "bad root key", "open directory", "no configuration"),
        *("unknown key", "unknown store", "no store", "bad ca"),
    ],
)
def test_a_damaged_directory_is_refused_in_one_line_with_the_cure(
    echo: testing.Server, tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    other = testing.Server(tmp_path, command=ECHO)
    other.run("init", str(other.directory))
    damage(other.directory)
    done = other.try_run("serve", str(other.directory), "--listen", "127.0.0.1:0")
    assert done.returncode in (1, 3)
    assert message in done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_a_long_data_directory_path_works(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d" * 60] * 3)
    deep.mkdir(parents=True)
    with testing.server(deep, command=ECHO) as server:
        server.enrol("web")
        assert answers(server)


def test_it_runs_on_the_standard_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_LOOP", "asyncio")
    with testing.server(tmp_path, command=ECHO) as server:
        assert answers(server)
        server.run("client", "revoke", testing.CLIENT, "--data", str(server.directory))
        assert not answers(server)
        assert server.stop() == 0


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_mebibyte_goes_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: str) -> None:
    """A long message is read to its place and answered in pieces, by whichever event loop."""
    monkeypatch.setenv("STRONGROOM_LOOP", loop)
    mode = CryptographicParameters(block_cipher_mode=BlockCipherMode.GCM, random_iv=True, tag_length=16)
    data = os.urandom(1 << 20)
    with testing.server(tmp_path) as server, Client.from_profile(server.profile) as client:
        key = client.create_symmetric_key(name="key")
        client.activate(key)
        sealed = client.encrypt(key, data, cryptographic_parameters=mode)
        opened = client.decrypt(
            key,
            sealed.data or b"",
            cryptographic_parameters=mode,
            iv_counter_nonce=sealed.iv_counter_nonce,
            authenticated_encryption_tag=sealed.authenticated_encryption_tag,
        )
        assert opened.reveal() == data


# Stopping


def test_sigterm_ends_with_0_and_leaves_nothing_behind(own_echo: testing.Server) -> None:
    pids = [own_echo.process.pid, *children(own_echo.process.pid)]
    assert own_echo.stop() == 0
    assert not any(alive(pid) for pid in pids)
    assert not (own_echo.directory / "admin.sock").exists()


def test_sigterm_finishes_the_request_in_flight_and_answers_close_notify(own_echo: testing.Server) -> None:
    with endpoint(own_echo).connect() as connection:
        connection.stream.sendall(frame(b"wait"))
        time.sleep(0.03)
        own_echo.process.send_signal(signal.SIGTERM)
        assert connection.stream.recv(100)[8:12] == b"wait"
        assert connection.stream.recv(1) == b""
    assert own_echo.process.wait(60) == 0


def test_sigterm_finishes_a_long_answer(own_echo: testing.Server) -> None:
    """faults 39."""
    with endpoint(own_echo).connect() as connection:
        body = b"wait" + b"x" * (1 << 20)
        connection.stream.sendall(frame(body))
        own_echo.process.send_signal(signal.SIGTERM)
        received = bytearray()
        while chunk := connection.stream.recv(1 << 16):
            received += chunk
            time.sleep(0.01)
    assert len(received) == len(frame(body))
    assert own_echo.process.wait(60) == 0


def test_sigterm_ends_within_ten_seconds_whatever_hangs(own_echo: testing.Server) -> None:
    """faults 39."""
    with endpoint(own_echo).connect() as connection:
        connection.stream.sendall(frame(b"hang"))
        with socket.create_connection((own_echo.host, own_echo.port), 60):
            time.sleep(0.1)
            start = time.monotonic()
            assert own_echo.stop() == 0
            assert time.monotonic() - start < 10


def test_a_stopping_server_refuses_new_connections_at_once(own_echo: testing.Server) -> None:
    with endpoint(own_echo).connect() as connection:
        connection.stream.sendall(frame(b"hang"))
        time.sleep(0.1)
        own_echo.process.send_signal(signal.SIGTERM)
        own_echo.wait_for_log("server_stopping")
        eventually(lambda: refuses(own_echo))
        assert own_echo.process.poll() is None, "it does so while it waits for what is under way"


def test_ctrl_c_stops_like_sigterm(own_echo: testing.Server) -> None:
    own_echo.process.send_signal(signal.SIGINT)
    assert own_echo.process.wait(60) == 0


def test_sigkill_takes_every_process_along_and_the_server_starts_again(own_echo: testing.Server) -> None:
    for _ in range(3):
        pids = children(own_echo.process.pid)
        assert len(pids) == 3
        own_echo.kill()
        own_echo.start()
        assert not any(alive(pid) for pid in pids)
        assert answers(own_echo)


# Crashes of parts


def test_a_worker_that_is_killed_is_replaced(own_echo: testing.Server) -> None:
    for _ in range(2):
        victim = status(own_echo)["workers"][0]["pid"]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda pid=victim: pid not in [w["pid"] for w in status(own_echo)["workers"]])  # type: ignore[misc]
        eventually(lambda: [w["state"] for w in status(own_echo)["workers"]] == ["serving"] * 2)
        for _ in range(8):
            assert answers(own_echo)
    own_echo.wait_for_log("worker_died")


def test_a_writer_that_is_killed_is_replaced(own_echo: testing.Server) -> None:
    workers = [worker["pid"] for worker in status(own_echo)["workers"]]
    (writer,) = set(children(own_echo.process.pid)) - set(workers)
    os.kill(writer, signal.SIGKILL)
    own_echo.wait_for_log("store_writer_died")
    own_echo.enrol("late")
    assert [worker["pid"] for worker in status(own_echo)["workers"]] == workers


def test_a_writer_that_dies_under_a_command_is_replaced_meanwhile(own_echo: testing.Server) -> None:
    """The supervisor waits for a worker then, and the worker for the writer."""
    workers = [worker["pid"] for worker in status(own_echo)["workers"]]
    for number in range(3):
        eventually(lambda: len(children(own_echo.process.pid)) == 3)
        (writer,) = set(children(own_echo.process.pid)) - set(workers)
        os.kill(writer, signal.SIGSTOP)
        later = threading.Timer(0.5, os.kill, (writer, signal.SIGKILL))
        later.start()
        own_echo.run("policy", "create", f"late-{number}", "--data", str(own_echo.directory))
        later.join()
    assert [worker["pid"] for worker in status(own_echo)["workers"]] == workers


def test_connections_are_spread_evenly_over_the_workers(own_echo: testing.Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(32):
            stack.enter_context(endpoint(own_echo).connect())
        eventually(lambda: [w["connections"] for w in status(own_echo)["workers"]] == [16, 16])
    eventually(lambda: [w["connections"] for w in status(own_echo)["workers"]] == [0, 0])


# Reload


def serial(server: testing.Server) -> str:
    """Return the serial number of the certificate that a new connection is shown."""
    with endpoint(server).connect() as connection:
        return str(connection.stream.getpeercert()["serialNumber"])  # type: ignore[index]


def test_sighup_serves_a_new_certificate_and_leaves_old_connections_alone(own_echo: testing.Server) -> None:
    before = serial(own_echo)
    with endpoint(own_echo).connect() as connection:
        (own_echo.directory / "server.pem").unlink()
        own_echo.process.send_signal(signal.SIGHUP)
        own_echo.wait_for_log("reloaded")
        # The old workers take connections until they hear that they are to leave.
        eventually(lambda: serial(own_echo) != before)
        assert connection.exchange(frame(b"hello"))[8:13] == b"hello"
        own_echo.run("client", "revoke", testing.CLIENT, "--data", str(own_echo.directory))
        assert connection.stream.recv(1) == b""


def test_a_certificate_that_is_replaced_on_disk_is_served_within_a_minute(own_echo: testing.Server) -> None:
    """faults 38. Nobody needs to send a signal; somebody else has issued the pair for the same names."""
    assert supervisor.WATCH_INTERVAL < 30, "the server looks often enough; this one looks more often"
    before = serial(own_echo)
    other = testing.Server(own_echo.folder / "other", command=ECHO)
    other.folder.mkdir()
    other.run("init", str(other.directory))
    for name in ("root.key", "ca.pem", "ca.key"):
        shutil.copy(own_echo.directory / name, other.directory / name)
    (other.directory / "server.pem").unlink()
    other.start()
    other.stop()
    for name in ("server.key", "server.pem"):
        shutil.copy(other.directory / name, own_echo.directory / name)
    eventually(lambda: serial(own_echo) != before, within=30)


def test_a_certificate_that_could_not_be_shown_at_once_is_shown_later(own_echo: testing.Server) -> None:
    """A reload that fails for another reason is tried again until the workers have what is on disk."""
    before = serial(own_echo)
    (own_echo.directory / NO_WORKERS).touch()
    (own_echo.directory / "server.pem").unlink()
    own_echo.wait_for_log("server_certificate_issued")
    own_echo.wait_for_log("reload_rejected")
    assert serial(own_echo) == before
    (own_echo.directory / NO_WORKERS).unlink()
    eventually(lambda: serial(own_echo) != before)


def test_sighup_keeps_the_old_certificate_when_the_new_pair_is_bad(own_echo: testing.Server) -> None:
    """faults 38."""
    before = serial(own_echo)
    shutil.copy(own_echo.profile.parent / "key.pem", own_echo.directory / "server.key")
    own_echo.process.send_signal(signal.SIGHUP)
    own_echo.wait_for_log("reload_rejected")
    assert serial(own_echo) == before


def test_sighup_keeps_the_old_configuration_when_the_new_one_is_bad(own_echo: testing.Server) -> None:
    (own_echo.directory / "strongroom.toml").write_text("policy = 3")
    own_echo.process.send_signal(signal.SIGHUP)
    own_echo.wait_for_log("reload_rejected")
    assert answers(own_echo)


def test_no_connection_fails_during_reloads(own_echo: testing.Server) -> None:
    """More reloads than generations may live at once: the oldest idle workers go, nobody is turned away."""
    for _ in range(6):
        own_echo.process.send_signal(signal.SIGHUP)
        for _ in range(10):
            assert answers(own_echo)
    eventually(lambda: own_echo.log_text().count('"reloaded"') >= 1)


# Floods


def test_silent_connections_do_not_keep_a_good_client_out(tmp_path: Path) -> None:
    """It waits for no deadline of theirs, and for less than a second that the worker computes."""
    settings: dict[str, dict[str, object]] = {
        "connections": {"unfinished_per_address": 64},
        "deadlines": {"handshake": 8.0},
    }
    with testing.server(tmp_path, command=ECHO, settings=settings) as server, contextlib.ExitStack() as stack:
        worker = status(server)["workers"][0]["pid"]
        for _ in range(1500):
            stack.enter_context(socket.create_connection((server.host, server.port), 60))
        start, computed = time.monotonic(), computed_by(worker)
        assert answers(server)
        assert computed_by(worker) - computed < 1
        assert time.monotonic() - start < 8
        server.wait_for_log("handshakes_shed")
        eventually(lambda: status(server)["workers"][0]["connections"] == 0)


def test_a_client_has_a_limited_number_of_connections_over_all_workers(tmp_path: Path) -> None:
    with (
        testing.server(
            tmp_path, workers=2, command=ECHO, settings={"connections": {"per_client": 10}}
        ) as server,
        contextlib.ExitStack() as stack,
    ):
        connections = [stack.enter_context(endpoint(server).connect()) for _ in range(12)]
        assert sum(_served(connection) for connection in connections) == 10
        connections[0].stream.close()
        eventually(lambda: answers(server))


def _served(connection: RawConnection) -> bool:
    with contextlib.suppress(OSError):
        return connection.exchange(frame(b"hello"))[8:13] == b"hello"
    return False
