"""What attackers do to a server, and what it costs the server: memory of its workers, answers to others.

Rule: memory is what a process has for itself (RssAnon of /proc), in the worker where it grew most.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

from strongroom import testing
from tests.e2e.conftest import endpoint
from tests.interop.endpoint import Endpoint, RawConnection
from tests.processes import process_tree

MIB: Final = 1 << 20


def memory(server: testing.Server) -> dict[int, int]:
    """Return the bytes that each process of a server has for itself."""
    found = {}
    for process in process_tree(server.process.pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process}/status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    found[process] = int(line.split()[1]) * 1024
    return found


def settle(server: testing.Server) -> None:
    """Wait until the server has what it makes for itself soon after it has started: nobody asks for that."""
    before, now = dict[int, int](), memory(server)
    while any(size - before.get(process, 0) > MIB for process, size in now.items()):
        time.sleep(1.0)
        before, now = now, memory(server)


class Growth:
    """How much the processes of a server grow while the block runs; `most` is the worst of them, in bytes."""

    def __init__(self, server: testing.Server) -> None:
        self._server = server
        self.most = 0

    def __enter__(self) -> "Growth":
        self._before = memory(self._server)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.look()

    def look(self) -> None:
        """Measure now, too: what was freed again at the end has been there."""
        for process, size in memory(self._server).items():
            self.most = max(self.most, size - self._before.get(process, 0))


def silent(server: testing.Server, count: int) -> list[socket.socket]:
    """Open connections that never say anything."""
    made = []
    for _ in range(count):
        connection = socket.socket()
        connection.settimeout(60)
        connection.connect((server.host, server.port))
        made.append(connection)
    return made


class Crowd:
    """Many connections of one client, with one TLS session for all."""

    def __init__(self, where: Endpoint) -> None:
        self._where = where
        self._context = where.context()
        self._context.maximum_version = ssl.TLSVersion.TLSv1_2  # its sessions resume cheaply
        self._session: ssl.SSLSession | None = None
        self.connections: list[ssl.SSLSocket] = []

    def grow(self, count: int) -> None:
        for _ in range(count):
            plain = socket.create_connection((self._where.host, self._where.port), 60)
            stream = self._context.wrap_socket(plain, server_hostname="localhost", session=self._session)
            self._session = self._session or stream.session
            self.connections.append(stream)

    def send(self, data: bytes) -> int:
        """Send to all without waiting for anybody; return how many could be sent to."""
        sent = 0
        for stream in self.connections:
            with contextlib.suppress(OSError):
                stream.settimeout(0.5)
                stream.sendall(data)
                sent += 1
        return sent

    def close(self) -> None:
        for stream in self.connections:
            with contextlib.suppress(OSError):
                stream.close()


@contextlib.contextmanager
def crowd(server: testing.Server, profile: Path, count: int) -> Iterator[Crowd]:
    made = Crowd(endpoint(server, profile))
    try:
        made.grow(count)
        yield made
    finally:
        made.close()


def answers_within(server: testing.Server, message: bytes, seconds: float) -> bool:
    """Tell whether a good client that connects now has its answer in time."""
    began = time.monotonic()
    with endpoint(server).connect() as connection:
        connection.stream.settimeout(seconds * 10)
        RawConnection(connection.stream).exchange(message)
    return time.monotonic() - began < seconds
