"""One request out, one message back, over TLS or HTTPS.

Rule: whatever the server does (garbage, silence, a closed connection, a refused handshake) becomes a
ServerFault with the bytes that did arrive; nothing else leaves this module.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol

from strongroom.client.address import Address
from strongroom.conformance.render import tag_name
from strongroom.conformance.target import Target
from strongroom.registry import NEWEST, ItemType, Tag, Version
from strongroom.registry.names import TAGS
from strongroom.wire import binary
from strongroom.wire.encodings import CODECS, Encoding
from strongroom.wire.errors import DecodeError, EncodeError
from strongroom.wire.framing import Framer
from strongroom.wire.item import STRUCTURE, Item

CHUNK: Final = 65536
LONGEST_ANSWER: Final = 16 << 20
"""Bytes of one answer over HTTPS."""


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
    """Messages in `POST /kmip`, as the HTTPS profile of the additional message encodings has it.

    It is given and gives TTLV; on the way a message is written in `encoding`, with the names of `version`.
    """

    def __init__(
        self,
        target: Target,
        address: Address,
        *,
        timeout: float,
        encoding: Encoding = Encoding.TTLV,
        version: Version = NEWEST,
    ) -> None:
        self._connection = http.client.HTTPSConnection(
            address.host, address.port, context=target.context(), timeout=timeout
        )
        self._path = target.profile.binding.path
        self._encoding = encoding
        self._codec = CODECS[encoding]
        self._version = version
        self._timeout = timeout

    def connect(self) -> None:
        """Connect now; raises ServerFault."""
        try:
            self._connection.connect()
        except OSError as exc:
            raise ServerFault(
                f"cannot connect: {self._connection.host}:{self._connection.port}: {reason_of(exc)}"
            ) from exc

    def exchange(self, message: bytes) -> bytes:
        """Return the one message that answers `message`; raises ServerFault and is then closed."""
        try:
            return self._read(self._post(self._written(message)))
        except ServerFault:
            self.close()
            raise

    def close(self) -> None:
        """Close what is open; safe to call twice."""
        self._connection.close()

    def _post(self, body: bytes) -> bytes:
        # The profile demands these of a client (§2.4), and the media type of a server, too (§2.5).
        headers = {"Content-Type": self._codec.media_type, "Cache-Control": "no-cache"}
        try:
            with self._in_time():
                self._connection.request("POST", self._path, body=body, headers=headers)
                response = self._connection.getresponse()
                received = response.read(LONGEST_ANSWER + 1)
        except (OSError, http.client.HTTPException) as exc:
            raise ServerFault(f"no answer: {reason_of(exc)}") from exc
        if response.status != http.HTTPStatus.OK:
            raise ServerFault(f"the answer is HTTP {response.status} {response.reason}", received=received)
        if len(received) > LONGEST_ANSWER:
            raise ServerFault(f"the answer has more than {LONGEST_ANSWER} bytes")
        told = response.headers.get_content_type() if "Content-Type" in response.headers else "none"
        if told != self._codec.media_type:
            raise ServerFault(
                f"the Content-Type of the answer is {told}, not {self._codec.media_type}", received=received
            )
        return received

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """Raise TimeoutError for what is not done after the time for a whole answer, whatever came of it.

        The limit of a socket is one for each read: a server that sends a byte now and then would never
        reach it.
        """
        if self._connection.sock is None:
            self._connection.connect()
        over = threading.Event()

        def cut(connected: socket.socket = self._connection.sock) -> None:
            over.set()
            with suppress(OSError):
                # That of ssl would take TLS away from under the thread that reads.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)

        limit = threading.Timer(self._timeout, cut)
        limit.daemon = True
        limit.start()
        try:
            yield
        except (OSError, http.client.HTTPException):
            if not over.is_set():
                raise
        finally:
            limit.cancel()
        if over.is_set():
            raise TimeoutError

    def _written(self, message: bytes) -> bytes:
        if self._encoding is Encoding.TTLV:
            return message
        return self._codec.encode(binary.decode(message), version=self._version)

    def _read(self, received: bytes) -> bytes:
        if self._encoding is Encoding.TTLV:
            return received
        try:
            return binary.encode(self._codec.decode(received, self._codec.answer_limits))
        except (DecodeError, EncodeError) as exc:
            raise ServerFault(f"the answer cannot be decoded: {exc}", received=received) from exc


def decode_answer(data: bytes) -> Item:
    """Return the message; raises ServerFault when it cannot be decoded, or is none by its types."""
    try:
        message = binary.decode(data)
    except DecodeError as exc:
        raise ServerFault(f"the answer cannot be decoded: {exc}", received=data) from exc
    misfit = _misfit(message, "")
    if misfit is not None:
        raise ServerFault(f"the answer is no message: {misfit}", received=data)
    return message


def _misfit(item: Item, above: str) -> str | None:
    """Return what an item has a type for that its tag never has, None where all below fit.

    Where the listing leaves a value open, nothing else looks at its type.
    """
    tag, kind, value = item
    path = f"{above}{tag_name(tag)}"
    may_be = TAGS[tag].item_types if tag in TAGS else ()
    if may_be and kind not in may_be:
        return f"{path} is a {ItemType(kind).name}, not a {' or '.join(one.name for one in may_be)}"
    if kind != STRUCTURE:
        return None
    return next(filter(None, (_misfit(inner, f"{path}.") for inner in value)), None)


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
