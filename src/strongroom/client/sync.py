"""The blocking client.

Rule: sockets only; what is said and whether it is said again is decided in `conversation.py` and
`failover.py`. One request at a time: threads that share a Client wait for each other.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from strongroom.client.address import Address
from strongroom.client.conversation import Conversation, Flow, Outgoing
from strongroom.client.errors import KMIPError, OperationPending, ProtocolError
from strongroom.client.failover import (
    Attempts,
    BrokenLink,
    ServerList,
    connect_failure,
    exchange_failure,
    link_ended,
)
from strongroom.client.methods.everything import Methods
from strongroom.client.profile import Profile, find_profile, load_profile, make_credentials, make_version
from strongroom.client.tls import make_context
from strongroom.client.transport import PATH, Framing, Transport, make_binding
from strongroom.domain.operation import Request, Response
from strongroom.model.messages import Ticket
from strongroom.registry import BatchErrorContinuationOption, Version
from strongroom.wire.encodings import Encoding

R = TypeVar("R", bound=Response)
T = TypeVar("T")

_CHUNK: Final = 65536


class Client(Methods):
    """A client of any KMIP server; connects when first used, and again when the connection was lost.

    `servers` is one "HOST:PORT" or a list tried in turn. `cert`, `key` and `ca` are PEM files. `version`
    None lets client and server agree on one. `timeout` is in seconds, for connecting and for each answer.
    `transport` is "tls" or "https"; over HTTPS `encoding` is "ttlv", "json" or "xml", and `path` is where the
    server has KMIP. `ticket` is one of `login`, in place of username and password, or of `delegated_login`,
    beside your own. Raises InvalidSettings here and KMIPError everywhere else.
    """

    def __init__(
        self,
        servers: str | Sequence[str],
        *,
        cert: str | Path,
        key: str | Path,
        ca: str | Path,
        version: Version | str | None = None,
        timeout: float = 30.0,
        username: str | None = None,
        password: str | None = None,
        ticket: Ticket | None = None,
        transport: Transport | str = Transport.TLS,
        encoding: Encoding | str = Encoding.TTLV,
        path: str = PATH,
    ) -> None:
        self._binding = make_binding(transport, encoding, path)
        self._servers = ServerList(self._binding.servers(servers))
        self._context = make_context(cert=cert, key=key, ca=ca)
        self._timeout = timeout
        self._conversation = Conversation(
            version=make_version(version),
            credentials=make_credentials(username, password, ticket),
            codec=self._binding.codec,
        )
        self._lock = threading.Lock()
        self._link: Link | None = None

    @classmethod
    def from_profile(
        cls,
        path: str | Path | None = None,
        *,
        timeout: float = 30.0,
        transport: Transport | str | None = None,
        encoding: Encoding | str | None = None,
    ) -> Self:
        """Return a client as `profile.toml` describes it; None looks where `strongroom dev` left one.

        That is STRONGROOM_PROFILE, then the path in `$XDG_CONFIG_HOME/strongroom/default`. `transport` and
        `encoding` go before what the profile says; an encoding other than TTLV means HTTPS.
        """
        profile = load_profile(find_profile(path)).speaking(transport=transport, encoding=encoding)
        return cls.with_profile(profile, timeout=timeout)

    @classmethod
    def with_profile(cls, profile: Profile, *, timeout: float = 30.0) -> Self:
        """Return a client with these settings."""
        return cls(**profile.client_arguments(), timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; the next request makes a new one."""
        with self._lock:
            self._drop()

    def call(self, request: Request[R]) -> R:
        """Return the answer to one request; raises KMIPError."""
        return self._drive(self._conversation.call(request))

    def batch(
        self, requests: Sequence[Request[Any]], *, on_error: BatchErrorContinuationOption | None = None
    ) -> list[Response | KMIPError]:
        """Send several requests in one message and return an outcome for each, in order.

        A request that failed has its OperationFailed in the list; with Stop, the default, those after it
        have BatchStopped. Raises KMIPError when the message as a whole was not answered.
        """
        return self._drive(self._conversation.batch(requests, on_error=on_error))

    def negotiate(self) -> Version:
        """Return the version that client and server speak, after agreeing on one if need be."""
        return self._drive(self._conversation.negotiate())

    def submit(self, request: Request[R]) -> R | OperationPending:
        """Return the answer to a request that may be answered later, or that it is pending.

        `later()` is what one uses.
        """
        return self._drive(self._conversation.submit(request))

    def poll(self, request: Request[R], pending: OperationPending) -> R | OperationPending:
        """Return the answer to a request that was pending, or that it still is."""
        return self._drive(self._conversation.poll(request, pending))

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    def _drive(self, flow: Flow[T]) -> T:
        with self._lock:
            try:
                outgoing = next(flow)
                while True:
                    outgoing = flow.send(self._exchange(outgoing))
            except StopIteration as done:
                result: T = done.value
                return result
            except ProtocolError:
                # Whoever sends garbage once cannot be trusted to stay in step.
                self._drop()
                raise

    def _exchange(self, outgoing: Outgoing) -> bytes:
        attempts = Attempts(self._servers, repeatable=outgoing.repeatable)
        if self._link is not None and not self._link.is_alive():
            self._drop()
        while True:
            if self._link is None:
                server = attempts.next_server()
                try:
                    self._link = Link(server, self._context, self._binding.framing(server), self._timeout)
                except BrokenLink as broken:
                    attempts.failed(server, broken)
                    continue
            try:
                answer = self._link.exchange(outgoing.message)
            except BrokenLink as broken:
                server = self._link.server
                self._drop()
                attempts.failed(server, broken)
                continue
            except BaseException:
                # Also when interrupted: the answer would be taken for that to the next request.
                self._drop()
                raise
            self._servers.answered(self._link.server)
            return answer

    def _drop(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


class Link:
    """One TLS connection; raises BrokenLink when it is not there or not there any more."""

    def __init__(self, server: Address, context: ssl.SSLContext, framing: Framing, timeout: float) -> None:
        self.server = server
        self._timeout = timeout
        self._framing = framing
        self._answered = False
        try:
            plain = socket.create_connection(server, timeout=timeout)
        except OSError as exc:
            raise connect_failure(exc, timeout=timeout) from exc
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = context.wrap_socket(plain, server_hostname=server.host)
        except OSError as exc:
            plain.close()
            raise connect_failure(exc, timeout=timeout) from exc

    def is_alive(self) -> bool:
        """Tell whether the server has left the idle connection alone: neither ended it nor sent anything."""
        if not self._framing.reusable:
            return False
        self._socket.settimeout(0)
        try:
            self._socket.recv(1)
        except ssl.SSLWantReadError:
            return True
        except OSError:
            return False
        return False

    def exchange(self, message: bytes) -> bytes:
        """Return the answer to `message`; raises BrokenLink and ProtocolError."""
        sent = False
        try:
            self._socket.settimeout(self._timeout)
            # An error in here means that the last bytes did not leave, so the server has no whole request.
            self._socket.sendall(self._framing.wrap(message))
            sent = True
            return self._receive()
        except OSError as exc:
            raise exchange_failure(
                exc, timeout=self._timeout, sent=sent, answered_before=self._answered
            ) from exc

    def close(self) -> None:
        """Say goodbye, without waiting for a reply."""
        self._socket.settimeout(0)
        with contextlib.suppress(OSError, ValueError):
            self._socket.unwrap()
        self._socket.close()

    def _receive(self) -> bytes:
        deadline = time.monotonic() + self._timeout
        while True:
            # A server that sends a byte now and then does not hold the caller for ever.
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            data = self._socket.recv(_CHUNK)
            message = self._framing.receive(data)
            if message is not None:
                self._answered = True
                return message
            if not data:
                raise link_ended(answered_before=self._answered)
