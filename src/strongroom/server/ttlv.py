"""KMIP over TLS: the requests of one connection, from bytes to the engine and back.

Rule: this is the hottest file of the server. What it does for each request is feed, take a message, start the
handler, write the answer; whatever else is needed happens when a connection has to wait, or begins and ends:
that is `connection.py`.
What a message is, the binding decides: `http.py` puts another one in, and all else holds for both. Who asks,
a client of this binding can change (Set Endpoint Role); `roles.py` has what differs then.

Answers leave in the order of the requests, each in one write, a long one in pieces, and short ones of all
connections together. While a request waits, or the peer does not read its answers, later requests stay in our
buffer, and beyond READ_AHEAD bytes in that of the peer.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from strongroom.domain.turn import SLICE
from strongroom.engine.answers import Answer
from strongroom.registry import Version
from strongroom.server.listening.binding import TOO_MANY_REQUESTS, Service
from strongroom.server.listening.connection import ClientConnection, M
from strongroom.server.listening.deadlines import NEVER
from strongroom.server.listening.eager import resume
from strongroom.server.listening.roles import Asking
from strongroom.server.listening.writing import is_short, pieces
from strongroom.server.logs import get_logger
from strongroom.wire.errors import DecodeError

log = get_logger()

READ_AHEAD: Final = 16 * 1024
"""Bytes of requests to come that are kept while one is being answered; more stay with the peer."""

UNCOUNTED: Final = 4096
"""Bytes of a message that may arrive piece by piece without a place in the memory for unfinished ones."""

_SCRATCH: Final = memoryview(bytearray(64 * 1024))
"""Where all connections are read to: what has come in is taken out before the next is read."""

TAKEN: Final = 128 * 1024
"""Bytes of a long message after which the other clients have their turn: TLS decrypts all that has come."""

BURST: Final = 32
"""Pipelined requests answered in one go at most; then the other connections have their turn."""


class KmipProtocol(ClientConnection[M]):
    """The requests and answers of one connection."""

    __slots__ = ("_departures", "_handle", "_held", "_interrupted", "_room_taken")

    def __init__(
        self, service: Service[M], peer: str, on_closed: Callable[[ClientConnection[M]], None]
    ) -> None:
        super().__init__(service, peer, on_closed)
        self._handle = service.handle
        self._departures = service.departures
        self._held = False  # we do not read its requests
        self._interrupted = self._stage, self.deadline  # what went on when the peer stopped reading
        self._room_taken = 0  # bytes of a long message that came in this turn

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
                self._room_taken += nbytes
                if self._room_taken >= TAKEN and not self.account.turns.alone:
                    self._room_taken = 0
                    self.transport.pause_reading()
                    self.account.turns.wait_to_go_on(self.account, self._read_on)
                return
        elif self._asking is not None:
            self._hear(self._asking, bytes(_SCRATCH[:nbytes]))
            return
        else:
            framer.feed(bytes(_SCRATCH[:nbytes]))
        if not (self._busy or self._blocked):
            self._serve()
        if (self._busy or self._blocked) and not self._held:
            self._hold()

    def _hold(self) -> None:
        """Leave with the peer what it sends beyond what is there already, if that is much."""
        if self._framer.pending > READ_AHEAD and not self._closing:
            self._held = True
            self.transport.pause_reading()

    def _read_on(self) -> None:
        if not self._closing:
            self.transport.resume_reading()

    def _serve(self) -> None:
        """Answer what has arrived, now or when it is this client's turn."""
        account = self.account
        now = account.turns.clock()
        if account.may_go_on(now):
            self._go_on(now)
        else:
            self._stand_in_line()

    def _stand_in_line(self) -> None:
        self._set_busy()
        self.account.turns.wait(self.account, self._next_turn)

    def _next_turn(self) -> None:
        self._busy = False
        if not (self._closing or self._blocked):
            self._go_on(self.account.turns.clock())

    def _go_on(self, began: float) -> None:
        """Answer what has arrived until a request has to wait, the peer stops reading or the turn ends."""
        framer, rates, clock = self._framer, self._place.rates, self.account.turns.clock
        charged = self._departures.charged
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
                        self._departures.leave()
                        self.transport.write(self._service.shed(message, self._connection))
                        if self._blocked or self._closing:
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
            self._departures.add(self, self._service.reject(error, self._connection))
            self._give_up()
        except Exception:
            # The engine's contract is broken; the edge where that must not take other connections along.
            log.exception("handler_failed", client=self._connection.client.name, peer=self._peer)
            self.abort("handler_failed")
        else:
            self._stand_in_line()
        finally:
            # Answers of others may have left meanwhile, at their cost.
            self.account.use(clock() - began - (self._departures.charged - charged))

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
        if is_short(answer):
            self._departures.add(self, answer)
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
        return not (self._blocked or self._closing)

    def _wait(self, started: Coroutine[Any, Any, Answer | None], waits_for: object) -> None:
        """Let the later requests wait until this one, which waits for something itself, is done."""
        self._set_busy()
        self.account.turns.begin(self.account)
        self._task = asyncio.get_running_loop().create_task(self._finish(started, waits_for))
        self._task.add_done_callback(partial(self._never_begun, started))

    def _never_begun(self, started: Coroutine[Any, Any, Answer | None], task: asyncio.Task[None]) -> None:
        """Do what `_finish` does in the end, for a task that was cancelled before its beginning."""
        if self._task is task:
            started.close()
            self._task = None
            self.account.turns.end(self.account)

    def _set_busy(self) -> None:
        """Let the peer wait. It has no deadline then, unless it is the one that does not read."""
        self._busy = True
        if not self._blocked:
            self.deadline = NEVER

    async def _write(self, answer: Answer) -> None:
        """Write an answer; a long one in slices, since TLS takes its time for each piece."""
        self._departures.leave()
        account, clock = self.account, self.account.turns.clock
        began = clock()
        for piece in pieces(answer):
            if clock() - began > account.turns.slice:
                account.use(clock() - began)
                await account.turns.turn_of(account.client)
                began = clock()
                if self._closing:
                    break
            self.transport.write(piece)
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
                if is_short(answer):
                    self._departures.add(self, answer)
                else:
                    await self._write(answer)
        except Exception:
            log.exception("handler_failed", client=self._connection.client.name, peer=self._peer)
            self.abort("handler_failed")
            return
        finally:
            self._task = None
            self.account.turns.end(self.account)
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
        self._departures.leave()
        if self._closing:  # the peer was not told after all
            return
        if self._framer.pending:
            self.close("request_while_roles_turn")
            return
        self._set_busy()
        self._stage = "asking"
        self._asking = Asking(self.transport.write)
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
                if framer.declared > UNCOUNTED and not self._reserved:
                    self._reserve(framer.declared)
            if self._reserved:
                self._room = framer.room()
        if self._held:
            self._held = False
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        self._blocked = True
        self._interrupted = self._stage, self.deadline
        self._stage = "answer"
        self.deadline = self._service.deadlines.now + self._service.timing.answer

    def resume_writing(self) -> None:
        self._blocked = False
        if self._closing:
            return
        if self._busy:
            self.deadline = NEVER
        else:
            # It may be in the middle of a message, whose time was set.
            self._stage, self.deadline = self._interrupted
            self._serve()
