"""One worker process: an event loop, the listener, the application.

Rule: a worker owns nothing that another needs. It may be killed at any moment, and is told what to do by the
supervisor over one socket; when that closes, the worker ends.
"""

import asyncio
import contextlib
import itertools
import math
import os
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from strongroom.domain import turn
from strongroom.domain.ports import RootKeyError
from strongroom.domain.store_failures import StoreFailure, TamperedRecord
from strongroom.server.access.restrictions import Restrictions
from strongroom.server.access.rules import RuleBook
from strongroom.server.administration.command import Administrator, Caller, perform
from strongroom.server.certificates.authorities import certificates
from strongroom.server.certificates.revocation import RevocationLists
from strongroom.server.certificates.trust import trusted_by_clients
from strongroom.server.clients.directory import ClientDirectory
from strongroom.server.config import Settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError, to_answer
from strongroom.server.http import HttpHandler, HttpsProtocol
from strongroom.server.listening.binding import Service
from strongroom.server.listening.deadlines import Deadlines
from strongroom.server.listening.http_framing import HttpFramer
from strongroom.server.listening.joining import JoinHandler
from strongroom.server.listening.listener import Door, Listener
from strongroom.server.listening.questions import read_question
from strongroom.server.listening.shares import Buffers, Shares
from strongroom.server.listening.sockets import ListeningSockets
from strongroom.server.listening.tls import client_authorities
from strongroom.server.listening.turns import Turns
from strongroom.server.listening.windows import Windows
from strongroom.server.listening.writing import Departures
from strongroom.server.logs import get_logger
from strongroom.server.messages import LONGEST, BrokenMessage, Message, decode, encode, integer, text
from strongroom.server.ports import Adapters, Application, RootKeys
from strongroom.server.process import keep_freed_memory
from strongroom.server.processes.following import Following
from strongroom.server.processes.garbage import Garbage
from strongroom.server.processes.pulses import PULSE
from strongroom.server.remote import RemoteAdministration
from strongroom.server.shared import Seat, SharedNumbers
from strongroom.server.ttlv import KmipProtocol
from strongroom.wire.framing import Framer
from strongroom.wire.limits import Limits

log = get_logger()

LOOP_VARIABLE: Final = "STRONGROOM_LOOP"
"""Set it to `asyncio` to run on the standard event loop instead of uvloop."""

SPREADING: Final = 2.0
"""Seconds that a request waits for the other workers to follow its change of the client records."""

KEPT: Final = 8 * 1024 * 1024
"""Bytes of a block of memory that is kept when it is freed: twice the longest message, as that is preset."""

SETTLING: Final = 0.1
"""Seconds between the order to stop and the moment when a connection without a request counts as idle."""

_SPARE_DESCRIPTORS: Final = 128
"""Files of a worker that are no connections: store, sockets of the server, libraries."""


@dataclass(frozen=True, kw_only=True)
class WorkerPlan:
    """What the supervisor hands a worker through the fork."""

    settings: Settings
    directory: DataDirectory
    adapters: Adapters
    root_key: RootKeys
    sockets: ListeningSockets
    context: ssl.SSLContext
    numbers: SharedNumbers
    row: int
    show_life: Callable[[], None]
    first: bool
    workers: int
    restrictions: str | None
    external_lists: bytes
    control: socket.socket


def run_worker(plan: WorkerPlan) -> None:
    """Serve until told to stop. The main function of a worker process."""
    # The terminal and SIGHUP mean the supervisor; it tells us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    plan.show_life()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(Worker(plan).run())


class Worker:
    """The life of one worker process."""

    def __init__(self, plan: WorkerPlan) -> None:
        self._plan = plan
        self._ended = asyncio.Event()
        self._leaving: asyncio.Task[None] | None = None
        self._draining = False
        self._serving = False
        self._application: Application
        self._directory: ClientDirectory
        self._following: Following
        self._restrictions = Restrictions(None)
        self._listener: Listener
        self._deadlines = Deadlines()
        self._turns = Turns()
        self._departures = Departures()
        self._shares = Shares(
            plan.numbers, plan.row, plan.settings.connections, plan.settings.limits, turns=self._turns
        )
        self._numbers = itertools.count(1)
        self._spreading: dict[int, asyncio.Future[None]] = {}
        self._writer: asyncio.StreamWriter

    async def run(self) -> None:
        """Start, serve, end."""
        plan = self._plan
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_loop_error)
        turn.line.set(self._turns)  # for everything that begins in here
        reader, self._writer = await asyncio.open_connection(sock=plan.control, limit=LONGEST)
        try:
            await self._open()
        except (OperatorError, RootKeyError, StoreFailure, TamperedRecord) as error:
            self._tell({"event": "failed", "error": str(error)})
            await self._writer.drain()
            return
        loop.add_signal_handler(signal.SIGTERM, self._leave, 0.0, plan.settings.deadlines.drain)
        garbage = Garbage(lambda: self._turns.quiet)
        keep_freed_memory(KEPT)
        _share_the_interpreter()
        plan.show_life()  # who is ready is watched
        self._tell({"event": "ready"})
        jobs = [
            loop.create_task(job)
            for job in (
                self._show_life(),
                self._keep_up(),
                self._deadlines.run(),
                self._tidy(garbage),
                self._obey(reader),
                self._following.poll(),
                self._application.work(self._directory, self._spread),
            )
        ]
        for job in jobs:
            job.add_done_callback(self._stopped)
        await self._ended.wait()
        for job in jobs:
            job.cancel()
        await self._application.close()

    def _stopped(self, job: asyncio.Task[None]) -> None:
        """End this worker when a job of it has failed: another one takes its place."""
        if not job.cancelled() and (error := job.exception()) is not None:
            log.error("worker_job_stopped", alarm="this worker ends", exc_info=error)
            self._ended.set()

    async def _open(self) -> None:
        plan, settings = self._plan, self._plan.settings
        # What the supervisor handed on may be older than what another worker has done since.
        plan.root_key.follow()
        self._application = await plan.adapters.open_application(
            settings,
            plan.directory,
            plan.root_key,
            row=plan.row,
            first=plan.first,
            guesses=plan.numbers.guesses,
        )
        optional = [name for name, client in settings.client.items() if client.password == "optional"]  # noqa: S105
        self._restrictions = Restrictions(plan.restrictions)
        self._directory = ClientDirectory(
            self._application.clients,
            password_optional=optional,
            rules=RuleBook(self._application.store, self._restrictions),
            entries=self._application.store,
            lists=self._revocation_lists(),
        )
        self._following = Following(
            root_key=plan.root_key,
            application=self._application,
            directory=self._directory,
            shares=self._shares,
            recheck=lambda: self._listener.recheck(),
        )
        await self._following.begin()
        self._listener = Listener(
            self._doors(),
            plan.context,
            seat=Seat(plan.numbers, plan.row),
            settings=settings.connections,
            timing=settings.deadlines,
            total=_room(settings.connections.total, plan.workers),
        )

    def _revocation_lists(self) -> RevocationLists:
        directory, tls = self._plan.directory, self._plan.settings.tls
        lists = RevocationLists(
            directory.revocation_list,
            directory.external_lists(tls),
            authorities=lambda: client_authorities(tls, directory),
            internal_authorities=lambda: certificates(directory),
            policy=tls.crl_policy,
        )
        lists.begin_with(self._plan.external_lists, datetime.now(UTC))
        return lists

    def _doors(self) -> list[Door]:
        """Return what listens, and what is spoken there. All doors share directory, counts and limits."""
        plan, settings, doors = self._plan, self._plan.settings, list[Door]()
        application, deadlines = self._application, self._deadlines
        limits = Limits(
            message_size=settings.limits.message_size,
            depth=settings.limits.depth,
            items=settings.limits.items,
        )
        buffers = Buffers(max(settings.limits.message_size, settings.limits.buffered // plan.workers))
        kmip = Service(
            framing=Framer,
            handle=application.handle,
            reject=application.reject,
            directory=self._directory,
            deadlines=deadlines,
            timing=settings.deadlines,
            limits=limits,
            shares=self._shares,
            buffers=buffers,
            windows=Windows(),
            departures=self._departures,
            shed=application.shed,
            turned_away=application.turned_away,
            attend=application.attend,
            strangers=application.strangers,
            lenient=settings.clients.expired == "warn",
        )
        if plan.sockets.kmip is not None:
            doors.append(Door(plan.sockets.kmip, partial(KmipProtocol, kmip)))
        if plan.sockets.https is not None:
            people = RemoteAdministration(self._administrator, self._spread)
            trusted = trusted_by_clients(plan.directory, settings.tls)
            handler = HttpHandler(
                application,
                people,
                limits=limits,
                buffers=buffers,
                deadlines=deadlines,
                trust=lambda: trusted,
            )
            https = kmip.speaking(HttpFramer, handler.handle, handler.reject, handler.shed)
            https.join = JoinHandler(
                application.clients,
                application.store,
                plan.directory,
                settings,
                plan.root_key,
                self._spread,
            ).handle
            doors.append(Door(plan.sockets.https, partial(HttpsProtocol, https)))
        return doors

    # What the supervisor says

    async def _obey(self, reader: asyncio.StreamReader) -> None:
        while (request := await _next_request(reader)) is not None:
            answer: Message = {"id": request.get("id")}
            try:
                answer["result"] = await self._do(request)
            except (OperatorError, BrokenMessage, StoreFailure, TamperedRecord, RootKeyError) as error:
                answer |= to_answer(error)
            except Exception:
                # A mistake in a command must not take the worker down.
                log.exception("admin_command_failed", command=request.get("command"))
                answer["error"] = "the server could not do it; its log says why"
            self._tell(answer)
            if "error" in answer and not self._serving:
                # Nobody waits for the answer, and it has not got what the others have: the next one will.
                self._tell({"event": "failed", "error": answer["error"]})
                self._ended.set()
                return
        # The supervisor is gone, or we do not understand each other any more: nobody would restart, reload or
        # drain us.
        os._exit(1)

    async def _do(self, request: Message) -> object:
        match request.get("ask"):
            case "status":
                return {"connections": self._listener.live, "health": dict(self._application.health())}
            case "serve":
                self._serving = True
                if self._leaving is None:
                    self._listener.start()
                return None
            case "refresh":
                await self._following.refresh()
                return None
            case "restrict":
                self._restrictions.adopt(text(request, "text"))
                await self._following.refresh()
                return None
            case "spread":
                waiting = self._spreading.get(integer(request, "number"))
                if waiting is not None and not waiting.done():
                    waiting.set_result(None)
                return None
            case "retire":
                self._leave(self._plan.settings.deadlines.reload_drain, self._plan.settings.deadlines.drain)
                return None
            case "drain":
                self._leave(0.0, self._plan.settings.deadlines.drain)
                return None
            case "administer":
                return await perform(self._administrator(), request)
            case other:
                raise BrokenMessage(f"a worker does not know {other!r}")

    def _administrator(self, caller: Caller | None = None) -> Administrator:
        plan = self._plan
        return Administrator(
            clients=self._application.clients,
            store=self._application.store,
            directory=plan.directory,
            settings=plan.settings,
            root_key=plan.root_key,
            now=datetime.now(UTC).replace(microsecond=0),
            live=self,
            restrictions=self._restrictions,
            caller=caller,
            wrapped=self._application.wrapped,
        )

    async def ask(self, request: Message) -> None:
        client, question = read_question(request, self._directory)
        await self._application.ask(client, question)

    def _tell(self, message: Message) -> None:
        self._writer.write(encode(message))

    async def _spread(self) -> None:
        """Have every worker follow a change of the client records that was made here.

        Whoever waits for the others waits for `SPREADING` seconds at most: they follow all the same.
        """
        await self._following.try_to_refresh()
        number = next(self._numbers)
        spread = self._spreading[number] = asyncio.get_running_loop().create_future()
        self._tell({"event": "clients_changed", "number": number})
        try:
            async with asyncio.timeout(SPREADING):
                await spread
        except TimeoutError:
            log.warning("change_spreads_slowly")
        finally:
            del self._spreading[number]

    async def _show_life(self) -> None:
        while True:
            self._plan.show_life()
            await asyncio.sleep(PULSE)

    async def _keep_up(self) -> None:
        """Make room for another worker once a root key was missed that another one would have.

        A machine that stood still, say, may go on with the worker that lets go of the one before.
        """
        while True:
            await asyncio.sleep(PULSE)
            if self._plan.root_key.left_behind:
                break
        self._tell({"event": "failed", "error": "it has missed a root key; another one takes its place"})
        self._leave(0.0, self._plan.settings.deadlines.drain)

    async def _tidy(self, garbage: Garbage) -> None:
        """Do once a second what is too much for each connection."""
        while True:
            await asyncio.sleep(1.0)
            self._listener.report()
            self._shares.tick()
            garbage.tidy()
            await self._following.keep_lists()

    # The end

    def _leave(self, grace: float, drain: float) -> None:
        """Take no new connections; end those there are after `grace` seconds, at the latest `drain` later."""
        if self._draining or (self._leaving is not None and grace):
            return
        if self._leaving is not None:
            self._leaving.cancel()
        self._draining = not grace
        self._leaving = asyncio.get_running_loop().create_task(self._drain(grace, drain))

    async def _drain(self, grace: float, drain: float) -> None:
        self._listener.stop()
        if grace:
            # Another worker may be handing on a connection at this moment.
            await asyncio.sleep(SETTLING)
        # Requests that are in the kernel's buffers by now are in flight too.
        await self._until_empty(max(grace, SETTLING))
        self._listener.drain()
        await self._until_empty(drain)
        if self._listener.live:
            log.warning("connections_aborted", count=self._listener.live)
            self._listener.abort()
            await asyncio.sleep(0)
        self._ended.set()

    async def _until_empty(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._listener.empty()


async def _next_request(reader: asyncio.StreamReader) -> Message | None:
    """Return what the supervisor says next; None when there is nothing more that can be understood."""
    try:
        line = await reader.readline()
        return decode(line) if line else None
    except (BrokenMessage, ValueError) as error:
        log.error("supervisor_not_understood", error=str(error))
        return None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if os.environ.get(LOOP_VARIABLE) == "asyncio":
        return asyncio.new_event_loop
    try:
        import uvloop
    except ImportError:
        # It exists for Linux and macOS only; everything works without it, more slowly.
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _room(total: int, workers: int) -> int:
    """Return how many connections one worker takes: its share, and no more than it may open files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(math.ceil(total / workers), files - _SPARE_DESCRIPTORS))


def _share_the_interpreter() -> None:
    """Have threads that compute let the event loop have its turn soon, and not after the usual 5 ms."""
    sys.setswitchinterval(0.000_05)


def _log_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what nobody awaited: once, and without the traceback of an ordinary loss of connection."""
    error = context.get("exception")
    if isinstance(error, OSError):
        log.info("connection_error", message=context.get("message"), error=str(error) or type(error).__name__)
    else:
        log.error("loop_error", message=context.get("message"), exc_info=error)
