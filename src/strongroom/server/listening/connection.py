"""One connection of a client: whose it is, what memory it has, and how it ends.

Rule: nothing here knows what a message is, or answers one; that is `ttlv.py`. Whoever leaves, for whatever
reason, leaves nothing behind: no place, no memory, no task, and no cycle with its transport.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, Generic, TypeVar, cast

from strongroom.domain.identity import ClientIdentity, Connection, Roles
from strongroom.server.certificates.ca import UNREADABLE
from strongroom.server.clients.directory import PeerCertificate, Refusal, read_certificate
from strongroom.server.listening.binding import Service
from strongroom.server.listening.deadlines import NEVER
from strongroom.server.listening.entrance import TurnedAway, admit
from strongroom.server.listening.roles import Asking
from strongroom.server.listening.shares import Place
from strongroom.server.listening.turns import Account
from strongroom.server.listening.windows import LONG
from strongroom.server.listening.writing import NOWHERE
from strongroom.server.logs import get_logger

log = get_logger()

M = TypeVar("M")

WARN_AGAIN: Final = 3600.0
"""Seconds between two warnings about a connection whose certificate has ended."""

_REPLACED: Final = frozenset({Refusal.UNKNOWN, Refusal.REPLACED})


class ClientConnection(asyncio.BufferedProtocol, Generic[M]):
    """One connection after its TLS handshake. Watched by `Deadlines` (see `Timed` there)."""

    __slots__ = (
        "_asking",
        "_blocked",
        "_busy",
        "_closing",
        "_connection",
        "_draining",
        "_framer",
        "_last",
        "_on_closed",
        "_peer",
        "_place",
        "_reason",
        "_requests",
        "_reserved",
        "_roles",
        "_room",
        "_service",
        "_stage",
        "_task",
        "_wide",
        "account",
        "certificate",
        "deadline",
        "transport",
        "valid_until",
    )

    _connection: Connection
    account: Account
    _place: Place
    transport: asyncio.Transport
    certificate: PeerCertificate

    def __init__(
        self, service: Service[M], peer: str, on_closed: Callable[["ClientConnection[M]"], None]
    ) -> None:
        self._service = service
        self._peer = peer
        self._on_closed = on_closed
        self._framer = service.framing(service.limits)
        self._task: asyncio.Task[None] | None = None
        self._roles = None if service.attend is None else Roles()
        self._asking: Asking | None = None  # the client has turned the roles
        self._busy = False  # a request waits, or the next burst is due
        self._blocked = False  # the peer does not read its answers
        self._draining = False
        self._last = ""  # why the request under way is the last one
        self._closing = True  # until it turns out whose connection it is
        self._reason = "peer"
        self._stage = "idle"
        self._requests = 0
        self._reserved = 0  # bytes of the long message that is arriving
        self._room: memoryview | None = None  # where its next bytes go
        self._wide = False  # it may send much ahead
        self.deadline = NEVER
        self.valid_until = NEVER

    def _await_request(self) -> None:
        """Set the deadline for what must come next."""
        raise NotImplementedError

    # From the handshake to the end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
        der = tls.getpeercert(binary_form=True)
        if der is None:
            raise RuntimeError("TLS let a peer without a certificate through")
        try:
            certificate = read_certificate(der)
        except UNREADABLE as error:
            self._turn_away("unreadable_certificate", cure="enrol the client again", error=str(error))
            return
        admitted = admit(self._service, certificate, self._look_up(certificate), self._peer)
        if isinstance(admitted, TurnedAway):
            self._turn_away(admitted.reason, cure=admitted.cure, **admitted.facts)
            return
        client, self._place = admitted
        self.account = self._place.account
        self.certificate = certificate
        self.valid_until = self._service.directory.valid_until(certificate)
        self._connection = Connection(client=client, peer=self._peer, roles=self._roles)
        self._closing = False
        self._service.deadlines.add(self)
        self._await_request()

    def _look_up(self, certificate: PeerCertificate) -> ClientIdentity | Refusal:
        """Return whose certificate this is, or why it is nobody's that may come in."""
        return self._service.directory.admit(certificate)

    def _turn_away(self, reason: str, *, cure: str, **facts: str) -> None:
        log.warning("client_refused", reason=reason, peer=self._peer, cure=cure, **facts)
        self._service.turned_away(reason, self._peer, facts)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        if self._asking is not None:
            self._asking.end("the connection was lost")
            if self._task is not None and not self._asking.waiting:
                self._task.cancel()
        if self.admitted:
            self._give_back()
            if self._wide:
                self._service.windows.leave(self._connection.client.client)
            self._service.deadlines.discard(self)
            self._service.shares.leave(self._place)
            log.info(
                "connection_closed",
                client=self._connection.client.name,
                peer=self._peer,
                requests=self._requests,
                reason=self._reason if exc is None else str(exc) or type(exc).__name__,
            )
        self._on_closed(self)
        # It holds us as we hold it, with all of TLS: only the garbage collector would part us.
        self.transport = NOWHERE

    @property
    def admitted(self) -> bool:
        """Tell whether the peer turned out to be a client that may come in."""
        return hasattr(self, "_connection")

    def close(self, reason: str) -> None:
        """End the connection after what was written; a request in flight runs on, unanswered."""
        if not self._closing:
            self._closing = True
            self._reason = reason
            self.deadline = NEVER
            self._forget()
            self._service.departures.leave()
            self.transport.close()

    def abort(self, reason: str) -> None:
        """End the connection now, and the request that is in flight."""
        self._closing = True
        self._reason = reason
        self.deadline = NEVER
        if self._task is not None:
            self._task.cancel()
        self._forget()
        self.transport.abort()

    def drain(self) -> None:
        """End the connection as soon as no request is under way."""
        self._draining = True
        if self._asking is not None:
            self._asking.end("the server stops")
            self.close("drained")
        elif not (self._busy or self._blocked or self._framer.pending):
            self.close("drained")

    def recheck(self) -> None:
        """Look the client up again: the directory has changed."""
        if self._closing:
            return
        found = self._look_up(self.certificate)
        if isinstance(found, Refusal):
            if found in _REPLACED and self._task is not None and self._asking is None:
                # The client has another key now. What is under way may be the request that did it.
                self._last = "credential_replaced"
            else:
                self.close(found.name.lower())
        elif found.client != self._connection.client.client:
            # What it has of the worker is counted for one, and what has arrived is no request of the other.
            self.close("client_replaced")
        else:
            self.valid_until = min(self.valid_until, self._service.directory.valid_until(self.certificate))
            if found != self._connection.client:
                self._connection = Connection(client=found, peer=self._peer, roles=self._roles)
            self._service.shares.refresh(self._place)

    # Memory for messages

    def _forget(self) -> None:
        """Let go of what has arrived: goodbyes may take their time, and many may leave at once."""
        self._give_back()
        self._framer = self._service.framing(self._service.limits)
        self._room = None

    def _reserve(self, size: int) -> None:
        client = self._connection.client.client
        if self._service.buffers.reserve(size, client):
            self._reserved = size
            if size > LONG and not self._wide:
                self._wide = self._service.windows.widen(self.transport, client)
        else:
            # Not even goodbye: until the peer answers it, what it has sent so far would stay in memory.
            self.abort("too_many_long_messages")

    def _give_back(self) -> None:
        if self._reserved:
            self._service.buffers.release(self._reserved, self._connection.client.client)
            self._reserved = 0

    # Deadlines

    def expire(self) -> None:
        reason = f"{self._stage}_deadline"
        if self._stage == "answer":
            # Nothing that we could still say would be read.
            self.abort(reason)
        else:
            self.close(reason)

    def outlive(self) -> None:
        if self._service.lenient and not self._closing:
            # It may be an older key whose time is over, which no policy prolongs.
            self.recheck()
            self.valid_until = self._service.deadlines.date + WARN_AGAIN
            log.warning(
                "certificate_expired",
                client=self._connection.client.name,
                peer=self._peer,
                alarm="accepted all the same (clients.expired); "
                "renew it: strongroom client renew NAME --out OUT",
            )
            return
        self.valid_until = NEVER
        self.close("certificate_expired")
