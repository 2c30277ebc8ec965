"""The process that `strongroom serve` starts: it owns the sockets and looks after the others.

Rule: no request and no connection is handled here, and nothing here waits for a peer. One thread and no event
loop, so that forking is safe at any moment. What an administrator asks is done one thing at a time.

    supervisor --- store writer (SQLite)
        |--------- worker, worker, ...  (one a core; each with its own socket on the same port)
        +--------- admin.sock
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
from collections.abc import Callable
from typing import Final

from strongroom.domain.ports import RootKey
from strongroom.server.address import Address, parse_address
from strongroom.server.admin import AdminSocket, administer, advertised, result_of
from strongroom.server.ca import issue_server_certificate, open_authority, server_certificate_is_due
from strongroom.server.config import Settings, load_settings, override
from strongroom.server.control import State, WorkerHandle, ask_all, await_start
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError
from strongroom.server.logs import get_logger
from strongroom.server.messages import Message, text
from strongroom.server.ports import Adapters
from strongroom.server.process import describe_exit, fork
from strongroom.server.shared import SharedNumbers
from strongroom.server.sockets import bind, raise_file_limit
from strongroom.server.tls import server_context, tls_files_state
from strongroom.server.worker import WorkerPlan, run_worker

log = get_logger()

START_TIMEOUT: Final = 30.0
RELOAD_TIMEOUT: Final = 5.0
ANSWER_TIMEOUT: Final = 5.0
"""Seconds for a worker to answer. One that does not take over a change is killed and starts with it."""

WATCH_INTERVAL: Final = 15.0
"""Seconds between looks whether certificates were replaced on disk."""

TURNOVER: Final = 24 * 3600.0
"""Seconds after which workers are replaced: new ticket keys, and a new certificate when it is time."""

GENERATIONS: Final = 3
"""How many generations of workers may be alive at once; the oldest goes when there would be more."""

STOP_MARGIN: Final = 1.5
"""Seconds beyond the drain deadline before a worker is killed."""

QUICK_DEATH: Final = 30.0
LONGEST_BACK_OFF: Final = 10.0

_FIXED: Final = ("listen", "https", "workers", "store")
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
    ) -> None:
        self._directory = directory
        self._adapters = adapters
        given = {"listen": listen, "https": https, "workers": workers}
        self._options = {key: value for key, value in given.items() if value is not None}
        self._settings = self._read_settings()
        if self._settings.listen == "off":
            raise OperatorError("there is nothing to listen on; give --listen HOST:PORT")
        self._count = self._settings.workers or len(os.sched_getaffinity(0))
        self._numbers = SharedNumbers(self._count * GENERATIONS)
        self._free_rows = list(range(self._numbers.rows))
        self._selector = selectors.DefaultSelector()
        self._workers: dict[int, WorkerHandle] = {}
        self._generation = 0
        self._writer: int | None = None
        self._writer_started_at = 0.0
        self._deaths = 0
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self._stopping = False
        self._started_at = dt.datetime.now(dt.UTC)
        self._admin: AdminSocket | None = None
        self._root_key: RootKey
        self._context: ssl.SSLContext
        self._tls_files: object = None
        self._address: Address
        self._sockets: list[socket.socket]
        self._woken: socket.socket

    # From the start to the ready line

    def start(self) -> Address:
        """Bring everything up and return the address that KMIP is served on; raises OperatorError."""
        raise_file_limit()
        # What is loaded here stays for good: the collector need not look at it, now or in any worker, and the
        # workers share its memory.
        gc.disable()
        self._adapters.preload()
        gc.freeze()
        gc.enable()
        self._root_key = self._adapters.open_root_key(self._directory)
        self._adapters.check_store(self._settings, self._directory)
        self._context = self._make_context(self._settings)
        self._address, self._sockets = bind(parse_address(self._settings.listen), self._count)
        self._catch_signals()
        try:
            self._start_writer()
            self._start_generation(START_TIMEOUT)
            self._admin = AdminSocket(self._directory, self._selector)
        except OperatorError:
            self._stop()
            raise
        self._at(TURNOVER, self._turn_over)
        self._at(WATCH_INTERVAL, self._watch)
        log.info("server_started", kmip=str(self._address), workers=self._count, pid=os.getpid())
        return self._address

    def _read_settings(self) -> Settings:
        return override(load_settings(self._directory.configuration), self._options)

    def _make_context(self, settings: Settings) -> ssl.SSLContext:
        """Return a fresh TLS context, with new ticket keys and a server certificate that has time left."""
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        own = settings.tls.certificate is None
        if own and server_certificate_is_due(self._directory, settings.hosts, now):
            authority = open_authority(self._directory, self._root_key)
            issue_server_certificate(self._directory, authority, settings.hosts, now)
            log.info("server_certificate_issued", hosts=list(settings.hosts))
        # Before they are read: what is replaced meanwhile is seen as a change by the next look.
        self._tls_files = tls_files_state(settings.tls, self._directory)
        return server_context(settings.tls, self._directory)

    def _catch_signals(self) -> None:
        self._woken, waker = socket.socketpair()
        for end in (self._woken, waker):
            end.setblocking(False)
        signal.set_wakeup_fd(waker.detach(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda _number, _frame: None)
        self._selector.register(self._woken, selectors.EVENT_READ, self._on_signals)

    # Children

    def _start_writer(self) -> None:
        main = self._adapters.store_writer(self._settings, self._directory)
        if main is None:
            return
        reading, writing = socket.socketpair()

        def run() -> None:
            reading.close()
            self._leave_parent()
            # A signal to the whole group must not take the writer away before the workers have finished.
            os.setpgid(0, 0)
            main(lambda: writing.sendall(b"."))

        self._writer = fork(run)
        self._writer_started_at = time.monotonic()
        writing.close()
        with reading:
            reading.settimeout(START_TIMEOUT)
            try:
                ready = reading.recv(1)
            except TimeoutError:
                ready = b""
        if not ready:
            raise OperatorError("the process that writes the store did not start; the log says why")

    def _start_generation(self, timeout: float) -> None:
        """Start a worker in each slot; when one does not come up, end them and raise OperatorError."""
        self._generation += 1
        started = [self._start_worker(slot) for slot in range(self._count)]
        problem = await_start(started, timeout)
        if problem is not None:
            for worker in started:
                self._kill(worker)
            self._generation -= 1
            raise OperatorError(problem)

    def _start_worker(self, slot: int) -> WorkerHandle:
        row = self._free_row()
        ours, theirs = socket.socketpair()
        plan = WorkerPlan(
            settings=self._settings,
            directory=self._directory,
            adapters=self._adapters,
            root_key=self._root_key,
            sock=self._sockets[slot],
            context=self._context,
            numbers=self._numbers,
            row=row,
            workers=self._count,
            control=theirs,
        )

        def run() -> None:
            ours.close()
            self._leave_parent()
            run_worker(plan)

        pid = fork(run)
        theirs.close()
        worker = WorkerHandle(pid=pid, row=row, slot=slot, generation=self._generation, sock=ours)
        self._workers[pid] = worker
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._on_worker(worker))
        return worker

    def _leave_parent(self) -> None:
        """In a child: let go of what is the supervisor's alone."""
        self._selector.close()
        self._woken.close()
        for worker in self._workers.values():
            worker.sock.close()
        if self._admin is not None:
            self._admin.leave()

    def _free_row(self) -> int:
        if not self._free_rows:
            oldest = min(self._workers.values(), key=lambda worker: worker.started_at)
            log.warning("worker_killed", pid=oldest.pid, reason="too many generations are draining")
            self._kill(oldest)
        return self._free_rows.pop(0)

    def _kill(self, worker: WorkerHandle) -> None:
        if worker.state is not State.GONE:
            os.kill(worker.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(worker.pid, 0)
            self._forget(worker)

    def _forget(self, worker: WorkerHandle) -> None:
        worker.state = State.GONE
        del self._workers[worker.pid]
        self._ignore(worker)
        worker.sock.close()
        self._numbers.clear(worker.row)
        self._free_rows.append(worker.row)

    def _ignore(self, worker: WorkerHandle) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(worker.sock)

    def _on_worker(self, worker: WorkerHandle) -> None:
        if not worker.receive():
            self._ignore(worker)

    def _reap(self) -> None:
        """See which children have ended, and start again what should be there."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._writer:
                log.error("store_writer_died", pid=pid, how=describe_exit(status))
                self._writer = None
                self._at(self._back_off(self._writer_started_at), self._restart_writer)
            elif pid in self._workers:
                self._on_death(self._workers[pid], status)

    def _on_death(self, worker: WorkerHandle, status: int) -> None:
        worker.receive()
        expected = self._stopping or worker.state is State.RETIRING
        current = worker.generation == self._generation
        self._forget(worker)
        if expected:
            log.info("worker_ended", pid=worker.pid)
        elif current:
            log.error("worker_died", pid=worker.pid, how=describe_exit(status), error=worker.failure)
            self._at(self._back_off(worker.started_at), lambda: self._restart_worker(worker.slot))

    def _restart_worker(self, slot: int) -> None:
        present = {w.slot for w in self._workers.values() if w.generation == self._generation}
        if not self._stopping and slot not in present:
            self._start_worker(slot)

    def _restart_writer(self) -> None:
        try:
            self._start_writer()
        except OperatorError as error:
            log.error("store_writer_failed", error=str(error))

    def _back_off(self, started_at: float) -> float:
        """Return how many seconds to wait before starting a child again that was started then."""
        if time.monotonic() - started_at > QUICK_DEATH:
            self._deaths = 0
        self._deaths += 1
        return float(min(LONGEST_BACK_OFF, 0.05 * 2 ** min(self._deaths - 1, 10)))

    # The loop

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain and return."""
        while not self._stopping:
            self._turn(self._next_timer())
            if self._admin is not None:
                self._admin.serve(self.administer)
            self._run_timers()
        log.info("server_stopping")
        self._stop()
        log.info("server_stopped")

    def _turn(self, timeout: float | None) -> None:
        for key, _ in self._selector.select(timeout):
            key.data()

    def _at(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers.append((time.monotonic() + seconds, action))
        self._timers.sort(key=lambda timer: timer[0])

    def _next_timer(self) -> float | None:
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _run_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            _, action = self._timers.pop(0)
            action()

    def _on_signals(self) -> None:
        for number in self._woken.recv(4096):
            match number:
                case signal.SIGTERM | signal.SIGINT:
                    self._stopping = True
                case signal.SIGHUP:
                    with contextlib.suppress(OperatorError):
                        self._reload()
                case signal.SIGCHLD:
                    self._reap()

    # Changes while running

    def _reload(self) -> None:
        """Replace the workers by ones with the files as they are now; keep the old ones when that fails.

        Raises OperatorError, after logging it: whoever sent a signal looks there.
        """
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
            old = [worker for worker in self._workers.values() if worker.state is State.SERVING]
            self._start_generation(RELOAD_TIMEOUT)
        except OperatorError as error:
            self._settings, self._context = before
            log.error(
                "reload_rejected", error=str(error), alarm="configuration and certificates stay as they were"
            )
            raise
        for worker in old:
            worker.state = State.RETIRING
            worker.ask({"ask": "retire"})
        log.info("reloaded", generation=self._generation)

    def _watch(self) -> None:
        """Reload when a certificate, key or authority on disk is another one."""
        self._at(WATCH_INTERVAL, self._watch)
        if tls_files_state(self._settings.tls, self._directory) != self._tls_files:
            with contextlib.suppress(OperatorError):
                self._reload()

    def _turn_over(self) -> None:
        self._at(TURNOVER, self._turn_over)
        with contextlib.suppress(OperatorError):
            self._reload()

    def administer(self, request: Message) -> object:
        """Do what an administrator asks; raises OperatorError."""
        match text(request, "command"):
            case "status":
                return self._status()
            case "reload":
                self._reload()
                return None
            case _:
                return administer(
                    request,
                    self._change,
                    directory=self._directory,
                    settings=self._settings,
                    root_key=lambda: self._root_key,
                    listening=self._address,
                )

    def _change(self, request: Message) -> object:
        """Have one worker do it; then every worker reads the records again."""
        serving = [worker for worker in self._workers.values() if worker.state is State.SERVING]
        answers = ask_all(serving[:1], {**request, "ask": "clients"}, ANSWER_TIMEOUT)
        if not answers:
            raise OperatorError("no worker answers; look at the server's log and try again")
        result = result_of(*answers.values())
        if request["command"] != "client.list":
            self._spread()
        return result

    def _spread(self) -> None:
        workers = [worker for worker in self._workers.values() if worker.state is not State.GONE]
        answers = ask_all(workers, {"ask": "refresh"}, ANSWER_TIMEOUT)
        for worker in workers:
            if "error" in answers.get(worker, {"error": "no answer"}):
                log.error("worker_killed", pid=worker.pid, reason="it did not take over a change of clients")
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGKILL)

    def _status(self) -> Message:
        workers = list(self._workers.values())
        answers = ask_all(workers, {"ask": "status"}, ANSWER_TIMEOUT)
        return {
            "pid": os.getpid(),
            "kmip": str(self._address),
            "https": self._settings.https,
            "advertised": str(advertised(self._address, self._settings)),
            "started_at": self._started_at.isoformat(timespec="seconds"),
            "generation": self._generation,
            "workers": [
                {
                    "pid": worker.pid,
                    "generation": worker.generation,
                    "state": worker.state.value,
                    "connections": self._numbers.live[worker.row],
                    "answers": worker in answers,
                }
                for worker in workers
            ],
        }

    # The end

    def _stop(self) -> None:
        """Drain the workers, then end the writer. Within the drain deadline and two seconds."""
        self._stopping = True
        if self._admin is not None:
            self._admin.close()
        for worker in self._workers.values():
            worker.ask({"ask": "drain"})
        for sock in self._sockets:
            # Clients that come now are refused at once and try another server.
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + self._settings.deadlines.drain + STOP_MARGIN
        while self._workers and (left := deadline - time.monotonic()) > 0:
            self._turn(min(left, 0.1))
            # The last requests may still need a writer that has died.
            self._run_timers()
        for worker in list(self._workers.values()):
            log.error("worker_killed", pid=worker.pid, reason="it did not drain in time")
            self._kill(worker)
        if self._writer is not None:
            _end(self._writer, patience=1.0)


def _end(pid: int, *, patience: float) -> None:
    """End a child process: politely, then not."""
    os.kill(pid, signal.SIGTERM)
    give_up = time.monotonic() + patience
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > give_up:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return
            time.sleep(0.005)
