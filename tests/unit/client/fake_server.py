"""A TLS server that answers with what a test tells it, and remembers what it was sent.

Rule: real sockets and real TLS, in a thread; no KMIP.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

Answer = Callable[[ssl.SSLSocket, bytes], str | None]
"""What to do with a request; returning CLOSE_AFTER_ANSWER ends the connection."""

CLOSE_AFTER_ANSWER = "close"


@dataclass(frozen=True)
class Identity:
    """A CA and what it issued: a server certificate for 127.0.0.1, and the files of one client."""

    ca: trustme.CA
    server: trustme.LeafCert
    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Identity":
        folder.mkdir(parents=True, exist_ok=True)
        ca = trustme.CA()
        client = ca.issue_cert("client@example.org")
        ca.cert_pem.write_to_path(str(folder / "ca.pem"))
        client.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
        client.private_key_pem.write_to_path(str(folder / "key.pem"))
        return cls(ca, ca.issue_cert("127.0.0.1"), folder)

    @property
    def files(self) -> dict[str, Any]:
        return {name: self.folder / f"{name}.pem" for name in ("cert", "key", "ca")}


@dataclass
class FakeServer:
    """Uses its answers one after the other, across connections; the last one serves for ever."""

    identity: Identity
    answers: Sequence[Answer]
    read: Callable[[ssl.SSLSocket], bytes] = field(default_factory=lambda: read_ttlv)
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    arrived: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self.identity.ca.configure_trust(self._context)
        self.identity.server.configure_cert(self._context)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._peers: list[ssl.SSLSocket] = []
        self._ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def close(self) -> None:
        self._ended = True
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.hang_up()

    def hang_up(self) -> None:
        """End every open connection."""
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._ended:
                plain, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), self._context.wrap_socket(plain, server_side=True) as peer:
            self.connections += 1
            self._peers.append(peer)
            while request := self.read(peer):
                self.requests.append(request)
                self.arrived.set()
                answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
                if answer(peer, request) == CLOSE_AFTER_ANSWER:
                    return


def read_ttlv(peer: ssl.SSLSocket) -> bytes:
    """Return one whole message, nothing when the client has left."""
    received = b""
    while len(received) < 8 or len(received) < 8 + int.from_bytes(received[4:8]):
        data = peer.recv(65536)
        if not data:
            return b""
        received += data
    return received


def read_http(peer: ssl.SSLSocket) -> bytes:
    """Return one whole HTTP request, nothing when the client has left."""
    received = b""
    while (split := received.find(b"\r\n\r\n")) < 0 or len(received) < split + 4 + _length(received[:split]):
        data = peer.recv(65536)
        if not data:
            return b""
        received += data
    return received


def _length(head: bytes) -> int:
    return next(
        int(line.partition(b":")[2])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )


def http(
    body: bytes, *fields: str, status: str = "200 OK", content_type: str = "application/octet-stream"
) -> bytes:
    """Return an HTTP response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


def say(data: bytes) -> Answer:
    """Answer with these bytes."""
    return lambda peer, _: peer.sendall(data)


def say_slowly(data: bytes) -> Answer:
    """Answer in small records."""

    def answer(peer: ssl.SSLSocket, _: bytes) -> None:
        for start in range(0, len(data), 7):
            peer.sendall(data[start : start + 7])

    return answer


def hang_up(peer: ssl.SSLSocket, _: bytes) -> str:
    """End the connection without an answer."""
    return CLOSE_AFTER_ANSWER


def stay_silent(peer: ssl.SSLSocket, _: bytes) -> None:
    """Answer nothing and keep the connection."""
