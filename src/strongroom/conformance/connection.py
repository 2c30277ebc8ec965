"""One request out, one message back, over TLS or HTTPS.

Rule: whatever the server does (garbage, silence, a closed connection, a refused handshake) becomes a
ServerFault with the bytes that did arrive; nothing else leaves this module.
"""

import http.client
import socket
import ssl
import time
from typing import Final, Protocol

from strongroom.client.address import Address
from strongroom.conformance.target import Target
from strongroom.registry import Tag
from strongroom.wire import binary
from strongroom.wire.errors import DecodeError
from strongroom.wire.framing import Framer
from strongroom.wire.item import Item

CHUNK: Final = 65536


class ServerFault(Exception):
    """The server gave no decodable answer. `received` is what came instead."""

    def __init__(self, message: str, *, received: bytes = b"") -> None:
        super().__init__(message)
        self.received = received


class Channel(Protocol):
    """A way to ask the server something."""

    def exchange(self, message: bytes) -> bytes:
        """Return the one message that answers `message`; raises ServerFault and is then closed."""

    def close(self) -> None:
        """Close what is open; safe to call twice."""


class TlsChannel:
    """TTLV over TLS; connects when first used and again after a fault."""

    def __init__(self, target: Target, *, timeout: float) -> None:
        self._target = target
        self._context = target.context()
        self._timeout = timeout
        self._socket: ssl.SSLSocket | None = None

    def connect(self) -> None:
        """Connect now; raises ServerFault."""
        self._connected()

    def exchange(self, message: bytes) -> bytes:
        """Return the one message that answers `message`; raises ServerFault and is then closed."""
        received = bytearray()
        try:
            connected = self._connected()
            connected.sendall(message)
            return self._receive(connected, received)
        except ServerFault:
            self.close()
            raise
        except DecodeError as exc:
            self.close()
            raise ServerFault(
                f"the answer is not a response message: {exc}", received=bytes(received)
            ) from exc
        except OSError as exc:
            self.close()
            raise ServerFault(f"no answer: {reason_of(exc)}", received=bytes(received)) from exc

    def close(self) -> None:
        """Close what is open; safe to call twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> ssl.SSLSocket:
        if self._socket is None:
            self._socket = _connect(self._target.servers, self._context, self._timeout)
        return self._socket

    def _receive(self, connected: ssl.SSLSocket, received: bytearray) -> bytes:
        framer = Framer(expects=Tag.RESPONSE_MESSAGE)
        deadline = time.monotonic() + self._timeout
        while True:
            # A server that sends a byte now and then must not hold the run for ever.
            connected.settimeout(max(0.001, deadline - time.monotonic()))
            data = connected.recv(CHUNK)
            if not data:
                raise ServerFault("the server closed the connection", received=bytes(received))
            received += data
            framer.feed(data)
            message = framer.next_message()
            if message is not None:
                if framer.pending:
                    raise ServerFault("bytes follow the answer", received=bytes(received))
                return message


class HttpsChannel:
    """TTLV in `POST /kmip`, as the HTTPS profile of the additional message encodings has it."""

    def __init__(self, target: Target, address: Address, *, timeout: float) -> None:
        self._connection = http.client.HTTPSConnection(
            address.host, address.port, context=target.context(), timeout=timeout
        )

    def exchange(self, message: bytes) -> bytes:
        """Return the one message that answers `message`; raises ServerFault and is then closed."""
        headers = {"Content-Type": "application/octet-stream", "Cache-Control": "no-cache"}
        try:
            self._connection.request("POST", "/kmip", body=message, headers=headers)
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as exc:
            self.close()
            raise ServerFault(f"no answer: {reason_of(exc)}") from exc
        if response.status != http.HTTPStatus.OK:
            raise ServerFault(f"the answer is HTTP {response.status} {response.reason}", received=body)
        return body

    def close(self) -> None:
        """Close what is open; safe to call twice."""
        self._connection.close()


def decode_answer(data: bytes) -> Item:
    """Return the message; raises ServerFault when it cannot be decoded."""
    try:
        return binary.decode(data)
    except DecodeError as exc:
        raise ServerFault(f"the answer cannot be decoded: {exc}", received=data) from exc


def _connect(servers: tuple[Address, ...], context: ssl.SSLContext, timeout: float) -> ssl.SSLSocket:
    """Return a connection to the first server that accepts one; raises ServerFault naming each failure."""
    failures = []
    for server in servers:
        try:
            plain = socket.create_connection((server.host, server.port), timeout=timeout)
        except OSError as exc:
            failures.append(f"{server}: {reason_of(exc)}")
            continue
        try:
            return context.wrap_socket(plain, server_hostname=server.host)
        except OSError as exc:
            plain.close()
            failures.append(f"{server}: {reason_of(exc)}")
    raise ServerFault("cannot connect: " + "; ".join(failures))


def reason_of(exc: Exception) -> str:
    """Return what went wrong with a connection, in a few words."""
    if isinstance(exc, TimeoutError):
        return "timed out"
    if isinstance(exc, ssl.SSLError) and exc.reason:
        return f"TLS: {exc.reason}"
    return getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
