"""Where a server listens, and a bare TLS connection to it for requests made of bytes.

Rule: the standard library only, so that what arrives is what was sent.
"""

import http.client
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

HEADER_SIZE = 8
TTLV = "application/octet-stream"
TIMEOUT_SECONDS = 200


@dataclass(frozen=True)
class Endpoint:
    """A server, and in `client` the files of one of its clients: ca.pem, cert.pem, key.pem.

    `https` is where it speaks HTTPS, HOST:PORT; empty where that is not known.
    """

    host: str
    port: int
    client: Path
    https: str = ""

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def ca(self) -> str:
        return str(self.client / "ca.pem")

    @property
    def cert(self) -> str:
        return str(self.client / "cert.pem")

    @property
    def key(self) -> str:
        return str(self.client / "key.pem")

    def context(self) -> ssl.SSLContext:
        """Return what an ordinary client uses: the server's name is checked, TLS 1.2 or newer."""
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.cert, self.key)
        return context

    def connect(self) -> "RawConnection":
        plain = socket.create_connection((self.host, self.port), timeout=TIMEOUT_SECONDS)
        return RawConnection(self.context().wrap_socket(plain, server_hostname=self.host))


class RawConnection:
    """One TLS connection that carries whole messages as bytes."""

    def __init__(self, stream: ssl.SSLSocket) -> None:
        self.stream = stream

    def __enter__(self) -> "RawConnection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stream.close()

    def exchange(self, message: bytes) -> bytes:
        """Send one message and return the answer to it."""
        self.stream.sendall(message)
        header = self._read(HEADER_SIZE)
        return header + self._read(int.from_bytes(header[4:], "big"))

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            chunk = self.stream.recv(size - len(data))
            if not chunk:
                raise ConnectionError(f"the server closed after {len(data)} of {size} bytes")
            data += chunk
        return bytes(data)


@dataclass(frozen=True)
class Reply:
    """An HTTP response. The names of header fields are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


class HttpsConnection:
    """One HTTPS connection of the standard library's client, kept alive between requests."""

    def __init__(self, where: Endpoint) -> None:
        self._http = http.client.HTTPSConnection(
            where.host, where.port, context=where.context(), timeout=TIMEOUT_SECONDS
        )

    def __enter__(self) -> "HttpsConnection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    @property
    def stream(self) -> ssl.SSLSocket:
        """Return the TLS connection, made now if there is none."""
        if self._http.sock is None:
            self._http.connect()
        return self._http.sock

    def post(self, body: bytes, content_type: str = TTLV) -> Reply:
        return self.request("POST", "/kmip", body, {"Content-Type": content_type})

    def request(
        self, method: str, target: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        self._http.request(method, target, body, headers or {})
        return self.reply()

    def reply(self) -> Reply:
        response = self._http.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, fields, response.read())
