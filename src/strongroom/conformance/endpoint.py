"""The client's endpoint that a server connects to for Put, Notify and its own queries.

Rule: as `connection.py`, with the parts turned round: the server asks, we answer, and whatever goes
wrong is a ServerFault.
"""

import socket
import ssl

from strongroom.client.address import Address
from strongroom.conformance.connection import CHUNK, ServerFault, reason_of
from strongroom.conformance.target import Target
from strongroom.registry import Tag
from strongroom.wire.errors import DecodeError
from strongroom.wire.framing import Framer


class Endpoint:
    """Listens with the profile's certificate, for one server at a time.

    How the server learns of it is the business of that server's administration.
    """

    def __init__(self, target: Target, address: Address, *, timeout: float) -> None:
        self._context = target.server_context()
        self._timeout = timeout
        self._listening = socket.create_server((address.host, address.port))
        self._listening.settimeout(timeout)
        self._connected: ssl.SSLSocket | None = None
        self._framer = Framer(expects=Tag.REQUEST_MESSAGE)

    @property
    def port(self) -> int:
        number: int = self._listening.getsockname()[1]
        return number

    def receive(self) -> bytes:
        """Return the next request of the server; raises ServerFault."""
        try:
            while True:
                connected = self._connection()
                message = self._framer.next_message()
                if message is not None:
                    return message
                data = connected.recv(CHUNK)
                if not data:
                    # It may have ended the connection after its last message; the next brings another.
                    self._drop()
                    continue
                self._framer.feed(data)
        except DecodeError as exc:
            self._drop()
            raise ServerFault(f"the server sent no request message: {exc}") from exc
        except OSError as exc:
            self._drop()
            raise ServerFault(f"the server sent no message: {reason_of(exc)}") from exc

    def answer(self, message: bytes) -> None:
        """Answer the request that was received last; raises ServerFault."""
        try:
            self._connection().sendall(message)
        except OSError as exc:
            self._drop()
            raise ServerFault(f"the server took no answer: {reason_of(exc)}") from exc

    def close(self) -> None:
        """Stop listening."""
        self._drop()
        self._listening.close()

    def _connection(self) -> ssl.SSLSocket:
        if self._connected is None:
            plain, _ = self._listening.accept()
            plain.settimeout(self._timeout)
            try:
                self._connected = self._context.wrap_socket(plain, server_side=True)
            except OSError:
                plain.close()
                raise
        return self._connected

    def _drop(self) -> None:
        if self._connected is not None:
            self._connected.close()
            self._connected = None
        self._framer = Framer(expects=Tag.REQUEST_MESSAGE)
