"""The servers that are measured, each in a folder of its own and gone when the block ends.

Rule: starting and stopping only. Everything listens on 127.0.0.1 and picks a free port.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.load import Client, Server
from strongroom import testing

HERE = Path(__file__).resolve().parent
ENVIRONMENT = os.environ | {"PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1"}
START_SECONDS = 30
STOP_SECONDS = 10

PYKMIP_SETTINGS = """\
[server]
hostname=127.0.0.1
port={port}
certificate_path={certs}/server.pem
key_path={certs}/server.key
ca_path={certs}/ca.pem
auth_suite=TLS1.2
policy_path={folder}/policy
enable_tls_client_auth=True
logging_level=INFO
database_path={folder}/pykmip.db
"""


class ServerFailed(Exception):
    """A server did not come up; the message holds the end of what it printed."""


def make_certificates(folder: Path) -> Client:
    """Make a throw-away CA, `server.pem` and `client.pem` in `folder`; return the client's files."""
    subprocess.run([HERE.parent / "tools" / "debian.sh", "openssl"], check=True)
    subprocess.run(["sh", HERE / "mkcerts.sh", folder], check=True)
    return Client(folder / "ca.pem", folder / "client.pem", folder / "client.key")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def process(
    command: Sequence[str | Path], log: Path, *, ended_by: signal.Signals = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` in a process group of its own, its output in `log`; end the whole group."""
    with log.open("wb") as out:
        running = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env=ENVIRONMENT, start_new_session=True
        )
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, ended_by)
        try:
            running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def wait_until_it_accepts(port: int, running: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while running.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise ServerFailed(f"{running.args!r} does not listen on port {port}:\n{log.read_text()[-2000:]}")


@contextlib.contextmanager
def echo(folder: Path, *, program: Path, certs: Path, client: Client, answer: int = 300) -> Iterator[Server]:
    """The physical limit: TLS and the sockets, nothing else. It answers with `answer` bytes."""
    port, log = free_port(), folder / "echo.log"
    command: list[str | Path] = [
        program,
        str(port),
        certs / "ca.pem",
        certs / "server.pem",
        certs / "server.key",
        str(answer),
    ]
    with process(command, log) as running:
        wait_until_it_accepts(port, running, log)
        yield Server("echo", port, running.pid, client)


@contextlib.contextmanager
def pykmip(folder: Path, *, certs: Path, client: Client) -> Iterator[Server]:
    """PyKMIP's server on a fresh SQLite file, with the settings that it comes with."""
    port, log = free_port(), folder / "pykmip.out"
    (folder / "policy").mkdir(parents=True)
    settings = folder / "pykmip.conf"
    settings.write_text(PYKMIP_SETTINGS.format(port=port, certs=certs, folder=folder))
    start = "from kmip.services.server import server; server.main()"
    command: list[str | Path] = [sys.executable, "-c", start, "-f", settings, "-l", folder / "pykmip.log"]
    # It would take ten seconds to end of itself, and there is nothing to keep.
    with process(command, log, ended_by=signal.SIGKILL) as running:
        wait_until_it_accepts(port, running, log)
        yield Server("PyKMIP", port, running.pid, client)


@contextlib.contextmanager
def strongroom(folder: Path, *, workers: int = 1) -> Iterator[Server]:
    """Strongroom on a fresh data directory with one enrolled client, all rules and audit on."""
    folder.mkdir(exist_ok=True)
    with testing.server(folder, workers=workers) as server:
        client = server.profile.parent
        files = Client(client / "ca.pem", client / "cert.pem", client / "key.pem")
        yield Server("Strongroom", server.port, server.process.pid, files)
