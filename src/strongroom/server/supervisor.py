"""The process that `strongroom serve` starts: it owns the sockets and looks after the others.

Rule: no request and no connection is handled here, and nothing here waits for a peer. One thread and no event
loop, so that forking is safe at any moment. What an administrator asks is done one thing at a time.

    supervisor --- store writer (SQLite)
        |--------- worker, worker, ...  (one a core; each with its own socket on the same port)
        +--------- admin.sock

While the server is sealed there is nothing but the supervisor: the ports are bound and not listened on, and
the administration socket answers `status` and `unseal`.
"""

import contextlib
import datetime as dt
import gc
import os
import selectors
import signal
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Final

from strongroom.domain.ports import RootKeyError
from strongroom.model.secret import SecretBytes
from strongroom.server.address import OFF, Address, Listening, parse_listening
from strongroom.server.admin import AdminSocket, result_of
from strongroom.server.administration.command import find
from strongroom.server.authorities import former_names, open_server_authority, server_issuer
from strongroom.server.ca import issue_server_certificate, server_certificate_is_due
from strongroom.server.config import Settings, load_settings, override, throw_away
from strongroom.server.control import WorkerHandle, ask_all
from strongroom.server.crew import START_TIMEOUT, Crew, WorkerMain
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import Denied, OperatorError, Sealed
from strongroom.server.expiry import certificates_of_the_server
from strongroom.server.loading import for_good
from strongroom.server.logs import get_logger
from strongroom.server.messages import Message, optional_text, text, texts
from strongroom.server.ports import Adapters, RootKeys
from strongroom.server.process import run_apart
from strongroom.server.recording import BY_USER
from strongroom.server.root.attempts import Attempts
from strongroom.server.sockets import ListeningSockets, bind, raise_file_limit, reserve
from strongroom.server.timers import Timers
from strongroom.server.tls import server_context, tls_files_state
from strongroom.server.worker import WorkerPlan, run_worker
from strongroom.version import VERSION

log = get_logger()

RELOAD_TIMEOUT: Final = 5.0
ANSWER_TIMEOUT: Final = 5.0
"""Seconds for a worker to answer. One that does not take over a change is killed and starts with it."""

HEALTH_TIMEOUT: Final = 1.0
"""Seconds for the workers to say how they are."""

WATCH_INTERVAL: Final = 15.0
"""Seconds between looks whether certificates were replaced on disk."""

TURNOVER: Final = 24 * 3600.0
"""Seconds after which workers are replaced: new ticket keys, and a new certificate when it is time."""

STOP_MARGIN: Final = 1.5
"""Seconds beyond the drain deadline before a worker is killed."""

SEAL_WITHIN: Final = 2.0
"""Seconds that requests in flight get when the server is sealed."""

_LISTENERS: Final = ("listen", "https")
_FIXED: Final = (*_LISTENERS, "workers", "store")
"""Settings that only a restart changes."""


class Supervisor:
    """A server in the foreground. What the command line says beats the configuration."""

    def __init__(
        self,
        directory: DataDirectory,
        adapters: Adapters,
        *,
        listen: str | None = None,
        https: str | None = None,
        workers: int | None = None,
        on_ready: Callable[[Listening], None] | None = None,
    ) -> None:
        """`on_ready` is called when a server that was sealed at its start listens for the first time."""
        self._directory = directory
        self._adapters = adapters
        given = {"listen": listen, "https": https, "workers": workers}
        self._options = {key: value for key, value in given.items() if value is not None}
        self._settings = self._read_settings()
        if self._settings.listen == self._settings.https == OFF:
            raise OperatorError("there is nothing to listen on; give --listen HOST:PORT")
        self._count = self._settings.workers or len(os.sched_getaffinity(0))
        self._selector = selectors.DefaultSelector()
        self._timers = Timers()
        self._crew = Crew(self._count, self._selector, self._timers, self._leave)
        self._stopping = False
        self._started_at = dt.datetime.now(dt.UTC)
        self._admin: AdminSocket | None = None
        self._tls_files: object = None
        self._attempts = Attempts(directory.unseal_attempts)
        self._on_ready = on_ready
        self._open = False
        self._root_key: RootKeys
        self._context: ssl.SSLContext
        self._listening: Listening
        self._sockets: list[ListeningSockets] = []
        self._reserved: list[socket.socket] = []
        self._woken: socket.socket

    # From the start to the ready line

    def start(self) -> Listening | None:
        """Bring everything up and return where KMIP is served, None for a server that is sealed; raises
        OperatorError."""
        raise_file_limit()
        with for_good():
            self._adapters.preload()
        self._root_key = self._adapters.open_root_key(self._directory)
        self._adapters.check_store(self._settings, self._directory)
        sealed = self._root_key.sealed
        self._catch_signals()
        if not sealed:
            self._context = self._make_context(self._settings)
        self._listen(self._settings.listen, self._settings.https)
        try:
            if sealed:
                self._stop_listening()
            else:
                self._start_serving()
            self._admin = AdminSocket(self._directory, self._selector)
        except OperatorError:
            self._stop()
            raise
        self._timers.add(TURNOVER, self._turn_over)
        self._timers.add(WATCH_INTERVAL, self._watch)
        if sealed:
            cure = f"strongroom server unseal --data {self._directory.path}"
            log.warning("server_sealed", provider=self._root_key.provider, cure=cure, pid=os.getpid())
            return None
        self._on_ready = None
        self._log_start()
        return self._listening

    def _log_start(self) -> None:
        where = {name: str(address) for name, address in self._listening._asdict().items() if address}
        self._warn_of_endings()
        log.info("server_started", **where, workers=self._count, pid=os.getpid())
        if self._root_key.recovery is None:
            log.warning("recovery_missing", cure="strongroom server recovery create --data DIR --out FILE")

    def _start_serving(self) -> None:
        self._crew.start_writer(self._adapters.store_writer(self._settings, self._directory))
        self._crew.start_generation(self._worker_main(), START_TIMEOUT)
        self._open = True

    def _listen(self, kmip_at: str, https_at: str) -> None:
        kmip, kmip_sockets = self._bind(kmip_at, "--listen")
        https, https_sockets = self._bind(https_at, "--https")
        self._listening = Listening(kmip, https)
        self._sockets = list(map(ListeningSockets, kmip_sockets, https_sockets))

    def _stop_listening(self) -> None:
        """Let go of the listening sockets and keep the ports; whoever connects is refused at once."""
        for sock in filter(None, chain.from_iterable(self._sockets)):
            sock.close()
        self._sockets = []
        self._reserved = [reserve(address) for address in self._listening if address is not None]

    def _listen_again(self) -> None:
        for sock in self._reserved:
            sock.close()
        self._reserved = []
        self._listen(*(str(address or OFF) for address in self._listening))

    def _bind(
        self, where: str, option: str
    ) -> tuple[Address, Sequence[socket.socket]] | tuple[None, Sequence[None]]:
        """Return the address and a listening socket for each worker; raises OperatorError."""
        address = parse_listening(where)
        if address is None:
            return None, [None] * self._count
        return bind(address, self._count, option)

    def _read_settings(self) -> Settings:
        settings = load_settings(self._directory.configuration)
        return override(settings, throw_away(self._options, settings))

    def _make_context(self, settings: Settings) -> ssl.SSLContext:
        """Return a fresh TLS context, with new ticket keys and a server certificate that has time left."""
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        own = settings.tls.certificate is None
        if own and server_certificate_is_due(
            self._directory,
            settings.hosts,
            now,
            issuer=server_issuer(self._directory),
            former=former_names(self._directory),
        ):
            self._issue_certificate(settings, now)
            log.info("server_certificate_issued", hosts=list(settings.hosts))
        # Before they are read: what is replaced meanwhile is seen as a change by the next look.
        self._tls_files = tls_files_state(settings.tls, self._directory)
        return server_context(settings.tls, self._directory, settings.clients)

    def _issue_certificate(self, settings: Settings, now: dt.datetime) -> None:
        def issue() -> None:
            authority = open_server_authority(self._directory, self._root_key)
            issue_server_certificate(self._directory, authority, settings.hosts, now)

        if not self._root_key.stays_elsewhere:
            issue()
        elif not run_apart(issue, self._leave):
            # A session with a token would not survive the forks that are to come.
            raise OperatorError("no server certificate could be issued; the log says why")

    def _worker_main(self) -> WorkerMain:
        """Return what a worker runs, with the settings and certificates of now."""
        # Workers tell clients where they are, so they need the port that was found.
        where = {name: str(address or OFF) for name, address in zip(_LISTENERS, self._listening, strict=True)}
        settings, context = self._settings.model_copy(update=where), self._context

        def main(slot: int, row: int, control: socket.socket) -> None:
            plan = WorkerPlan(
                settings=settings,
                directory=self._directory,
                adapters=self._adapters,
                root_key=self._root_key,
                sockets=self._sockets[slot],
                context=context,
                numbers=self._crew.numbers,
                row=row,
                first=slot == 0 and self._crew.generation == 1,
                workers=self._count,
                control=control,
            )
            run_worker(plan)

        return main

    def _leave(self) -> None:
        """In a child: let go of what is the supervisor's alone."""
        self._selector.close()
        self._woken.close()
        if self._admin is not None:
            self._admin.leave()

    def _catch_signals(self) -> None:
        self._woken, waker = socket.socketpair()
        for end in (self._woken, waker):
            end.setblocking(False)
        signal.set_wakeup_fd(waker.detach(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda _number, _frame: None)
        self._selector.register(self._woken, selectors.EVENT_READ, self._on_signals)

    # The loop

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain and return."""
        while not self._stopping:
            self._turn(0.0 if self._changed() else self._timers.sleep())
            self._follow()
            if self._admin is not None:
                self._admin.serve(self.administer)
        log.info("server_stopping")
        self._stop()
        log.info("server_stopped")

    def _turn(self, timeout: float | None) -> None:
        for key, _ in self._selector.select(timeout):
            key.data()
        self._timers.run()

    def _on_signals(self) -> None:
        for number in self._woken.recv(4096):
            match number:
                case signal.SIGTERM | signal.SIGINT:
                    self._stopping = True
                case signal.SIGHUP:
                    self._reload_if_possible()
                case signal.SIGCHLD:
                    self._crew.reap()

    # Changes while running

    def _reload(self) -> None:
        """Replace the workers by ones with the files as they are now; keep the old ones when that fails.

        Raises OperatorError, after logging it.
        """
        if not self._open:
            raise Sealed("the server is sealed; it reads its files when it is opened")
        before = self._settings, self._context
        try:
            settings = self._read_settings()
            for name in _FIXED:
                if getattr(settings, name) != getattr(self._settings, name):
                    log.warning("setting_needs_restart", setting=name)
            kept = {name: getattr(self._settings, name) for name in _FIXED}
            settings = settings.model_copy(update=kept)
            self._context = self._make_context(settings)
            self._settings = settings
            self._crew.start_generation(self._worker_main(), RELOAD_TIMEOUT)
        except OperatorError as error:
            self._settings, self._context = before
            kept_on = "configuration and certificates stay as they were"
            log.error("reload_rejected", error=str(error), alarm=kept_on)
            raise
        log.info("reloaded", generation=self._crew.generation)

    def _reload_if_possible(self) -> None:
        # The log has said why not; nobody waits for an answer.
        with contextlib.suppress(OperatorError):
            self._reload()

    def _watch(self) -> None:
        """Reload when a certificate, key or authority on disk is another one."""
        self._timers.add(WATCH_INTERVAL, self._watch)
        if self._open and tls_files_state(self._settings.tls, self._directory) != self._tls_files:
            self._reload_if_possible()

    def _turn_over(self) -> None:
        self._timers.add(TURNOVER, self._turn_over)
        self._reload_if_possible()
        self._warn_of_endings()

    def administer(self, request: Message) -> object:
        """Do what an administrator asks; raises OperatorError."""
        match text(request, "command"):
            case "status":
                return self._status()
            case "unseal":
                return self._unseal(request)
            case _ if not self._open:
                raise Sealed(
                    f"the server is sealed; open it: strongroom server unseal --data {self._directory.path}"
                )
            case "seal":
                return self._seal(request)
            case "reload":
                self._reload()
                self._record(request, "server.reload")
                return None
            case _:
                return self._delegate(request)

    def _delegate(self, request: Message) -> object:
        """Have one worker do it; what it changes is in force in every worker when this returns."""
        command = find(request)
        answers = ask_all(self._crew.serving[:1], {**request, "ask": "administer"}, ANSWER_TIMEOUT)
        if not answers:
            raise OperatorError("no worker answers; look at the server's log and try again")
        result = result_of(*answers.values())
        if command.spreads:
            self._spread()
        return result

    def _changed(self) -> list[WorkerHandle]:
        """Return the workers that have changed client records."""
        return [worker for worker in self._crew.workers if worker.changes]

    def _follow(self) -> None:
        """Have every worker take over what some have changed, then tell those."""
        changed = [(worker, worker.changes) for worker in self._changed()]
        if not changed:
            return
        for worker, _ in changed:
            worker.changes = []
        self._spread()
        for worker, numbers in changed:
            for number in numbers:
                worker.ask({"ask": "spread", "number": number})

    # Sealed and open

    def _unseal(self, request: Message) -> object:
        """Take a passphrase or shares, and serve once they are enough."""
        if self._open:
            raise OperatorError("the server is not sealed")
        now = int(time.time())
        self._attempts.check(now)
        given = optional_text(request, "passphrase")
        try:
            if self._root_key.sealed:
                self._root_key.reopen()
            if given is not None:
                self._root_key.give_passphrase(SecretBytes(given.encode(errors="surrogateescape")))
            for share in texts(request, "shares") if "shares" in request else ():
                self._root_key.give_share(share)
        except RootKeyError as error:
            self._attempts.refuse(now, str(error))
            raise Denied(str(error)) from error
        if not self._root_key.sealed:
            refused = self._attempts.refused
            self._open_up()
            self._record(request, "server.unseal", number=refused)
        return self._status()

    def _open_up(self) -> None:
        try:
            self._adapters.check_store(self._settings, self._directory)
            self._context = self._make_context(self._settings)
            self._listen_again()
            self._start_serving()
        except OperatorError as error:
            log.error("unseal_failed", error=str(error))
            self._close_down()
            raise
        self._attempts.succeed()
        self._log_start()
        if self._on_ready is not None:
            self._on_ready(self._listening)
            self._on_ready = None

    def _seal(self, request: Message) -> object:
        """End whoever has opened keys, the store's writer too, and forget the root key."""
        self._record(request, "server.seal")
        self._close_down()
        log.warning("server_sealed", provider=self._root_key.provider)
        return self._status()

    def _record(self, request: Message, command: str, **fields: int) -> None:
        """Have a worker write it into the audit log; it is done all the same when that fails."""
        try:
            self._delegate({"command": command, BY_USER: request.get(BY_USER), **fields})
        except OperatorError as error:
            log.error("not_recorded", command=command, error=str(error))

    def _close_down(self) -> None:
        self._open = False
        self._crew.dismiss(SEAL_WITHIN)
        self._stop_listening()
        self._root_key.close()
        gc.collect()

    def _spread(self) -> None:
        try:
            self._root_key.follow()
        except RootKeyError as error:
            log.error("root_key_not_followed", error=str(error))
        workers = self._crew.workers
        answers = ask_all(workers, {"ask": "refresh"}, ANSWER_TIMEOUT)
        for worker in workers:
            if "error" in answers.get(worker, {"error": "no answer"}):
                log.error("worker_killed", pid=worker.pid, reason="it did not take over a change of clients")
                self._crew.replace(worker)

    def _certificates(self) -> Message:
        return certificates_of_the_server(self._directory, self._settings, dt.datetime.now(dt.UTC))

    def _warn_of_endings(self) -> None:
        for warning in self._certificates()["warnings"]:  # type: ignore[attr-defined]  # a list of texts
            log.warning("certificate_ends", warning=warning)

    def _status(self) -> Message:
        problems = self._problems() if self._open else {}
        return {
            "version": VERSION,
            "sealed": not self._open,
            "health": self._health(problems),
            "problems": problems,
            "provider": self._root_key.provider,
            "root_key_generation": self._root_key.generation,
            "root_key_changing": self._root_key.changing,
            "recovery": self._root_key.recovery or "missing",
            "unsealing": self._progress(),
            "refused_attempts": self._attempts.refused,
            "store": self._settings.store,
            "uptime": int((dt.datetime.now(dt.UTC) - self._started_at).total_seconds()),
            "pid": os.getpid(),
            "kmip": str(self._listening.kmip or OFF),
            "https": str(self._listening.https or OFF),
            "advertised": self._settings.told_to_clients(*self._listening),
            "started_at": self._started_at.isoformat(timespec="seconds"),
            "generation": self._crew.generation,
            "certificates": self._certificates(),
            "workers": [
                {
                    "pid": worker.pid,
                    "generation": worker.generation,
                    "state": worker.state.value,
                    "connections": self._crew.numbers.live[worker.row],
                }
                for worker in self._crew.workers
            ],
        }

    def _health(self, problems: Message) -> str:
        if not self._open:
            return "sealed"
        return "ok" if len(self._crew.serving) >= self._count and not problems else "degraded"

    def _problems(self) -> Message:
        """Return what is wrong, by what it is wrong with; empty when all is well."""
        serving = self._crew.serving
        answers = ask_all(serving, {"ask": "status"}, HEALTH_TIMEOUT)
        problems: Message = {}
        for worker in serving:
            result = answers.get(worker, {}).get("result")
            told = result.get("health") if isinstance(result, dict) else {"workers": "one does not answer"}
            problems |= told if isinstance(told, dict) else {}
        return problems

    def _progress(self) -> str | None:
        """Return what an unseal waits for, None when nothing is missing."""
        if not self._root_key.sealed:
            return None
        collected = self._root_key.collected
        if collected is not None:
            return f"{collected[0]} of {collected[1]} shares"
        return "passphrase" if self._root_key.wants_passphrase else None

    # The end

    def _stop(self) -> None:
        """Drain the workers, then end the writer. Within the drain deadline and three seconds."""
        self._stopping = True
        if self._admin is not None:
            self._admin.close()
        self._crew.drain()
        for sock in chain.from_iterable(self._sockets):
            # Clients that come now are refused at once and try another server.
            with contextlib.suppress(OSError):
                if sock is not None:
                    sock.shutdown(socket.SHUT_RDWR)
        for sock in self._reserved:
            sock.close()
        deadline = time.monotonic() + self._settings.deadlines.drain + STOP_MARGIN
        while self._crew.workers and (left := deadline - time.monotonic()) > 0:
            self._turn(min(left, 0.1))
        self._crew.end()
