"""KMIP over TLS: one connection, from bytes to the engine and back.

Rule: this is the hottest file of the server. What it does for each request is feed, take a message, start the
handler, write the answer; whatever else is needed happens when a connection begins, ends or has to wait.
What a message is, the binding decides: `http.py` puts another one in, and all else holds for both. Who asks,
a client of this binding can change (Set Endpoint Role); `roles.py` has what differs then.

Answers leave in the order of the requests, each in one write, a long one in pieces. While a request waits, or
the peer does not read its answers, later requests stay in our buffer, and beyond READ_AHEAD bytes in that of
the peer.
"""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, Generic, TypeVar, cast

from strongroom.domain.identity import ClientIdentity, Connection, Roles
from strongroom.domain.turn import SLICE
from strongroom.engine.answers import Answer
from strongroom.registry import Version
from strongroom.server.binding import TOO_MANY_REQUESTS, Service
from strongroom.server.ca import UNREADABLE
from strongroom.server.deadlines import NEVER
from strongroom.server.directory import PeerCertificate, Refusal, read_certificate
from strongroom.server.eager import resume
from strongroom.server.entrance import TurnedAway, admit
from strongroom.server.logs import get_logger
from strongroom.server.roles import Asking
from strongroom.server.shares import Place
from strongroom.server.turns import Account
from strongroom.server.writing import NOWHERE, PIECE, pieces
from strongroom.wire.errors import DecodeError

log = get_logger()

M = TypeVar("M")

READ_AHEAD: Final = 64 * 1024
"""Bytes of requests to come that are kept while one is being answered; more stay with the peer."""

UNCOUNTED: Final = 4096
"""Bytes of a message that may arrive piece by piece without a place in the memory for unfinished ones."""

WARN_AGAIN: Final = 3600.0
"""Seconds between two warnings about a connection whose certificate has ended."""

_REPLACED: Final = frozenset({Refusal.UNKNOWN, Refusal.REPLACED})

_SCRATCH: Final = memoryview(bytearray(READ_AHEAD))
"""Where all connections are read to: what has come in is taken out before the next is read."""

TAKEN: Final = 128 * 1024
"""Bytes of a long message after which the other clients have their turn: TLS decrypts all that has come."""

BURST: Final = 32
"""Pipelined requests answered in one go at most; then the other connections have their turn."""


class KmipProtocol(asyncio.BufferedProtocol, Generic[M]):
    """One connection after its TLS handshake. Watched by `Deadlines` (see `Timed` there)."""

    __slots__ = (
        "_account",
        "_asking",
        "_blocked",
        "_busy",
        "_closing",
        "_connection",
        "_draining",
        "_framer",
        "_handle",
        "_held",
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
        "_taken",
        "_task",
        "_transport",
        "certificate",
        "deadline",
        "valid_until",
    )

    _connection: Connection
    _account: Account
    _place: Place
    _transport: asyncio.Transport
    certificate: PeerCertificate

    def __init__(
        self, service: Service[M], peer: str, on_closed: Callable[["KmipProtocol[M]"], None]
    ) -> None:
        self._service = service
        self._handle = service.handle
        self._peer = peer
        self._on_closed = on_closed
        self._framer = service.framing(service.limits)
        self._task: asyncio.Task[None] | None = None
        self._roles = None if service.attend is None else Roles()
        self._asking: Asking | None = None  # the client has turned the roles
        self._busy = False  # a request waits, or the next burst is due
        self._blocked = False  # the peer does not read its answers
        self._held = False  # we do not read its requests
        self._draining = False
        self._last = ""  # why the request under way is the last one
        self._closing = True  # until it turns out whose connection it is
        self._reason = "peer"
        self._stage = "idle"
        self._requests = 0
        self._reserved = 0  # bytes of the long message that is arriving
        self._room: memoryview | None = None  # where its next bytes go
        self._taken = 0  # how many of them came in this turn
        self.deadline = NEVER
        self.valid_until = NEVER

    # Life of the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
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
        self._account = self._place.account
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
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        if self._asking is not None:
            self._asking.end("the connection was lost")
            if self._task is not None and not self._asking.waiting:
                self._task.cancel()
        if self.admitted:
            self._give_back()
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
        self._transport = NOWHERE

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
            self._give_back()
            # The peer may take its time to say goodbye, and what it has sent must not wait for that.
            self._framer = self._service.framing(self._service.limits)
            self._room = None
            self._transport.close()

    def abort(self, reason: str) -> None:
        """End the connection now, and the request that is in flight."""
        self._closing = True
        self._reason = reason
        self.deadline = NEVER
        if self._task is not None:
            self._task.cancel()
        self._transport.abort()

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
        else:
            self.valid_until = min(self.valid_until, self._service.directory.valid_until(self.certificate))
            if found != self._connection.client:
                self._connection = Connection(client=found, peer=self._peer, roles=self._roles)
            self._service.shares.refresh(self._place)

    # Requests and answers

    def get_buffer(self, sizehint: int) -> memoryview:
        return _SCRATCH if self._room is None else self._room

    def buffer_updated(self, nbytes: int) -> None:
        if self._closing:
            return
        framer = self._framer
        if self._room is not None:
            framer.fill(nbytes)
            self._room = framer.room()
            if self._room is not None:
                self._taken += nbytes
                if self._taken >= TAKEN and not self._account.turns.alone:
                    self._taken = 0
                    self._transport.pause_reading()
                    self._account.turns.wait_to_go_on(self._account, self._read_on)
                return
        elif self._asking is not None:
            self._hear(self._asking, bytes(_SCRATCH[:nbytes]))
            return
        else:
            framer.feed(bytes(_SCRATCH[:nbytes]))
        if not (self._busy or self._blocked):
            self._serve()
        elif framer.pending > READ_AHEAD and not self._held:
            self._held = True
            self._transport.pause_reading()

    def _read_on(self) -> None:
        if not self._closing:
            self._transport.resume_reading()

    def _serve(self) -> None:
        """Answer what has arrived, now or when it is this client's turn."""
        account = self._account
        now = account.turns.clock()
        if account.may_go_on(now):
            self._go_on(now)
        else:
            self._stand_in_line()

    def _stand_in_line(self) -> None:
        self._set_busy()
        self._account.turns.wait(self._account, self._next_turn)

    def _next_turn(self) -> None:
        self._busy = False
        if not (self._closing or self._blocked):
            self._go_on(self._account.turns.clock())

    def _go_on(self, began: float) -> None:
        """Answer what has arrived until a request has to wait, the peer stops reading or the turn ends."""
        framer, rates, clock = self._framer, self._place.rates, self._account.turns.clock
        self._busy = False
        try:
            for _ in range(BURST):
                message = framer.next_message()
                if message is None:
                    self._await_request()
                    return
                if self._reserved:
                    self._give_back()
                self._stage = "serving"
                self._requests += 1
                if rates:
                    delay = self._place.delay(clock())
                    if delay is None:
                        facts = {"client": self._connection.client.name}
                        self._service.turned_away(TOO_MANY_REQUESTS, self._peer, facts)
                        self._transport.write(self._service.shed(message, self._connection))
                        if self._blocked:
                            return
                        continue
                    if delay > 0.0:
                        self._set_busy()
                        asyncio.get_running_loop().call_later(delay, self._do_late, message)
                        return
                if not self._do(message):
                    return
                if framer.pending and clock() - began > SLICE:
                    break
        except DecodeError as error:
            self._transport.write(self._service.reject(error, self._connection))
            self._give_up()
        except Exception:
            # The engine's contract is broken; the edge where that must not take other connections along.
            log.exception("handler_failed", client=self._connection.client.name, peer=self._peer)
            self.abort("handler_failed")
        else:
            self._stand_in_line()
        finally:
            self._account.use(clock() - began)

    def _do(self, message: M) -> bool:
        """Do a request; True when the next one can be done at once."""
        started = self._handle(message, self._connection)
        try:
            waits_for = started.send(None)
        except StopIteration as done:
            return self._write_now(done.value)
        self._wait(started, waits_for)
        return False

    def _write_now(self, answer: Answer) -> bool:
        """Write an answer that was ready at once; True when the next request can be done at once."""
        if isinstance(answer, bytes) and len(answer) <= PIECE:
            self._transport.write(answer)
        else:
            writing = self._write(answer)
            try:
                waits_for = writing.send(None)
            except StopIteration:
                pass
            else:
                self._wait(writing, waits_for)
                return False
        if self._roles is not None and self._roles.turned is not None:
            self._turn(self._roles.turned)
            return False
        return not self._blocked

    def _wait(self, started: Coroutine[Any, Any, Answer | None], waits_for: object) -> None:
        """Let the later requests wait until this one, which waits for something itself, is done."""
        self._set_busy()
        self._account.turns.begin(self._account)
        self._task = asyncio.get_running_loop().create_task(self._finish(started, waits_for))
        self._task.add_done_callback(partial(self._never_begun, started))

    def _never_begun(self, started: Coroutine[Any, Any, Answer | None], task: asyncio.Task[None]) -> None:
        """Do what `_finish` does in the end, for a task that was cancelled before its beginning."""
        if self._task is task:
            started.close()
            self._task = None
            self._account.turns.end(self._account)

    def _set_busy(self) -> None:
        """Let the peer wait. It has no deadline then, unless it is the one that does not read."""
        self._busy = True
        if not self._blocked:
            self.deadline = NEVER

    async def _write(self, answer: Answer) -> None:
        """Write an answer; a long one in slices, since TLS takes its time for each piece."""
        account, clock = self._account, self._account.turns.clock
        began = clock()
        if isinstance(answer, bytes) and len(answer) <= PIECE:
            self._transport.write(answer)
        else:
            for piece in pieces(answer):
                if clock() - began > account.turns.slice:
                    account.use(clock() - began)
                    await account.turns.turn_of(account.client)
                    began = clock()
                    if self._closing:
                        break
                self._transport.write(piece)
        account.use(clock() - began)

    def _do_late(self, message: M) -> None:
        """Do a request whose time has come."""
        if self._closing:
            return
        self._busy = False
        try:
            at_once = self._do(message)
        except Exception:
            log.exception("handler_failed", client=self._connection.client.name, peer=self._peer)
            self.abort("handler_failed")
        else:
            if at_once:
                self._serve()

    def _give_up(self) -> None:
        """End a connection on which no next message can be found; the peer has been told."""
        self.close("malformed_message")

    async def _finish(self, started: Coroutine[Any, Any, Answer | None], waits_for: object) -> None:
        """Do the rest of a request, then go on with those behind it; `started` returns an answer that is
        still to be written, or None."""
        try:
            answer = await resume(started, waits_for)
            if answer is not None and not self._closing:
                await self._write(answer)
        except Exception:
            log.exception("handler_failed", client=self._connection.client.name, peer=self._peer)
            self.abort("handler_failed")
            return
        finally:
            self._task = None
            self._account.turns.end(self._account)
        self._busy = False
        if self._closing:
            return
        if self._last:
            self.close(self._last)
        elif self._roles is not None and self._roles.turned is not None:
            self._turn(self._roles.turned)
        else:
            self._next_burst()

    # The roles turned

    def _turn(self, version: Version) -> None:
        """Become the client of this connection: the peer has just been told so."""
        if self._framer.pending:
            self.close("request_while_roles_turn")
            return
        self._busy = True
        self._stage = "asking"
        self.deadline = NEVER
        self._asking = Asking(self._transport.write)
        self._task = asyncio.get_running_loop().create_task(self._attend(self._asking, version))

    async def _attend(self, asking: Asking, version: Version) -> None:
        """Ask what there is to ask, then answer again."""
        assert self._service.attend is not None
        assert self._roles is not None
        reason = await asking.attend(self._service.attend, self._connection, version)
        self._task = None
        if reason:
            self.close(reason)
            return
        self._asking = self._roles.turned = None
        rest = asking.rest()
        if rest:
            self._framer.feed(rest)
        self._next_burst()

    def _hear(self, asking: Asking, data: bytes) -> None:
        """Take what the client says as the server of this connection."""
        try:
            asking.feed(data)
        except DecodeError as error:
            asking.end(f"the client sends no KMIP: {error}")
            self.close("malformed_message")

    def _next_burst(self) -> None:
        self._busy = False
        if not (self._closing or self._blocked):
            self._serve()

    def _await_request(self) -> None:
        """Set the deadline for what must come next. It is set once: more bytes do not put it off."""
        framer, timing, now = self._framer, self._service.timing, self._service.deadlines.now
        if not framer.pending:
            self._stage = "idle"
            self.deadline = now + timing.idle
            if self._draining:
                self.close("drained")
        elif not framer.declared:
            if self._stage != "header":
                self._stage = "header"
                self.deadline = now + timing.header
        else:
            if self._stage != "body":
                self._stage = "body"
                self.deadline = now + timing.body + framer.declared / timing.body_rate
                if framer.declared > UNCOUNTED:
                    self._reserve(framer.declared)
            if self._reserved:
                self._room = framer.room()
        if self._held:
            self._held = False
            self._transport.resume_reading()

    def _reserve(self, size: int) -> None:
        if self._service.buffers.reserve(size, self._connection.client.client):
            self._reserved = size
        else:
            # Not even goodbye: until the peer answers it, what it has sent so far would stay in memory.
            self.abort("too_many_long_messages")

    def _give_back(self) -> None:
        if self._reserved:
            self._service.buffers.release(self._reserved, self._connection.client.client)
            self._reserved = 0

    def pause_writing(self) -> None:
        self._blocked = True
        self._stage = "answer"
        self.deadline = self._service.deadlines.now + self._service.timing.answer

    def resume_writing(self) -> None:
        self._blocked = False
        if self._closing:
            return
        self.deadline = NEVER
        if not self._busy:
            self._serve()

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
                alarm="accepted all the same (clients.expired); renew it: strongroom client renew",
            )
            return
        self.valid_until = NEVER
        self.close("certificate_expired")
