"""Servers as their users run them: processes, TLS and a store on disk.

Rule: `server` is the whole product; `echo` is the same but for an engine that answers each request with
itself, for tests of what happens around a request.
"""

import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom import testing
from tests.e2e.commands import run as run
from tests.interop.endpoint import Endpoint, HttpsConnection, RawConnection

ECHO = (sys.executable, "-m", "tests.e2e.echo_server")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    """Give a server with two workers and one enrolled client, shared by the tests of a module."""
    with testing.server(tmp_path_factory.mktemp("server"), workers=2) as server:
        yield server


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    """Give a server with two workers that echoes; shared by the tests of a module."""
    with testing.server(tmp_path_factory.mktemp("echo"), workers=2, command=ECHO) as server:
        yield server


@pytest.fixture
def own_echo(tmp_path: Path) -> Iterator[testing.Server]:
    """Give an echoing server of one's own, to be stopped, killed and started."""
    with testing.server(tmp_path, workers=2, command=ECHO) as server:
        yield server


def endpoint(server: testing.Server, profile: Path | None = None) -> Endpoint:
    """Return how to connect to a server as one of its clients."""
    return Endpoint(server.host, server.port, (profile or server.profile).parent)


def https(server: testing.Server, profile: Path | None = None) -> HttpsConnection:
    """Return a connection to the HTTPS port of a server as one of its clients."""
    host, _, port = server.https_address.rpartition(":")
    return HttpsConnection(Endpoint(host, int(port), (profile or server.profile).parent))


def frame(body: bytes) -> bytes:
    """Return a request message with any body; only the echo takes it."""
    body += b" " * (-len(body) % 8)
    return b"\x42\x00\x78\x01" + len(body).to_bytes(4, "big") + body


def status(server: testing.Server) -> dict[str, Any]:
    """Return what the administration socket says of the server."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.directory / "admin.sock"))
        connection.sendall(b'{"command":"status"}\n')
        with connection.makefile("rb") as file:
            result: dict[str, Any] = json.loads(file.readline())["result"]
            return result


def last_answered(connection: RawConnection, message: bytes) -> float:
    """Ask until the connection is over, and return when the last request was sent that has an answer."""
    answered = 0.0
    give_up = time.monotonic() + 60
    while (sent := time.monotonic()) < give_up:
        try:
            connection.exchange(message)
        except OSError:
            return answered
        answered = sent
    raise AssertionError("the connection still works")


def eventually(condition: Callable[[], bool], *, within: float = 60.0) -> None:
    """Return once it is so; how long that takes on a slow machine is no part of what is tested."""
    give_up = time.monotonic() + within
    while not condition():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.02)
