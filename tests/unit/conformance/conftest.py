"""A throw-away CA, and servers that behave as a test wants."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench import servers
from strongroom.conformance.target import Target, load_target

Behaviour = Callable[[ssl.SSLSocket], None]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    servers.make_certificates(folder)
    return folder


def write_profile(folder: Path, certificates: Path, port: int, *more: str) -> Path:
    """Write a profile.toml for a server on that port; return its path."""
    lines = [
        f'servers = ["127.0.0.1:{port}"]',
        f'cert = "{certificates / "client.pem"}"',
        f'key = "{certificates / "client.key"}"',
        f'ca = "{certificates / "ca.pem"}"',
        *more,
    ]
    path = folder / "profile.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


class ScriptedServer:
    """A TLS server that does one thing with each connection."""

    def __init__(self, certificates: Path, behaviour: Behaviour) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        self._context.load_verify_locations(certificates / "ca.pem")
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._behaviour = behaviour
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._listening.accept()
                with contextlib.suppress(OSError), self._context.wrap_socket(plain, server_side=True) as peer:
                    self._behaviour(peer)

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def scripted(certificates: Path, tmp_path: Path) -> Iterator[Callable[[Behaviour], Target]]:
    """Start a server with that behaviour; return the target that leads to it."""
    started: list[ScriptedServer] = []

    def start(behaviour: Behaviour) -> Target:
        server = ScriptedServer(certificates, behaviour)
        started.append(server)
        return load_target(write_profile(tmp_path, certificates, server.port))

    yield start
    for server in started:
        server.close()
