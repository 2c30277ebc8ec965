"""The process that `strongroom serve` starts: it owns the ports and looks after the other processes.

Rule: no request and no connection is handled here, and nothing here waits for a peer. One thread and no event
loop, so that forking is safe at any moment. What an administrator asks is done one thing at a time.

    supervisor --- store writer (SQLite)
        |--------- worker, worker, ...  (one a core; each with its own socket on the same port)
        +--------- admin.sock

While the server is sealed there is nothing but the supervisor: the ports are bound and not listened on, and
the administration socket answers `status` and `unseal`.
"""

import datetime as dt
import gc
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from typing import Final

from strongroom.server.access.restrictions_file import RestrictionsFile
from strongroom.server.address import OFF, Listening
from strongroom.server.admin import AdminSocket
from strongroom.server.certificates.expiry import warn_of_endings
from strongroom.server.certificates.revocation import LastList
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError, Sealed
from strongroom.server.listening.held_ports import HeldPorts
from strongroom.server.listening.sockets import raise_file_limit
from strongroom.server.listening.tls_renewal import Shown, TlsRenewal
from strongroom.server.logs import get_logger
from strongroom.server.messages import Message, text
from strongroom.server.ports import Adapters, RootKeys
from strongroom.server.processes.crew import Crew, WorkerMain
from strongroom.server.processes.delegation import Delegation
from strongroom.server.processes.edge import carry_on
from strongroom.server.processes.loading import for_good
from strongroom.server.processes.pulses import PULSE
from strongroom.server.processes.signals import Signals
from strongroom.server.processes.status import server_status
from strongroom.server.processes.timers import Timers
from strongroom.server.processes.worker import WorkerPlan, run_worker
from strongroom.server.root.attempts import Attempts
from strongroom.server.root.bringing import bring
from strongroom.server.settings_in_force import read_again, read_settings

log = get_logger()

START_TIMEOUT: Final = 30.0
"""Seconds for the first workers to start."""

RELOAD_TIMEOUT: Final = 5.0
"""Seconds for the workers of a reload to start; else the old ones stay."""

WATCH_INTERVAL: Final = 15.0
"""Seconds between looks whether certificates were replaced on disk."""

TURNOVER: Final = 24 * 3600.0
"""Seconds after which workers are replaced: new ticket keys, and a new certificate when it is time."""

TURNOVER_AGAIN: Final = 3600.0
"""Seconds until it is tried again, when it could not be done."""

STOP_MARGIN: Final = 1.5
"""Seconds beyond the drain deadline before a worker is killed."""

FOLLOW_INTERVAL: Final = 1.0
"""Seconds between looks whether the root key is another one, or the restrictions."""

SEAL_WITHIN: Final = 2.0
"""Seconds that requests in flight get when the server is sealed."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


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
        self._settings = read_settings(directory.configuration, self._options)
        if self._settings.listen == self._settings.https == OFF:
            raise OperatorError("there is nothing to listen on; give --listen HOST:PORT")
        count = self._settings.workers or len(os.sched_getaffinity(0))
        self._selector = selectors.DefaultSelector()
        self._timers = Timers()
        self._crew = Crew(count, self._selector, self._timers, self._leave)
        self._ports = HeldPorts(count)
        self._stopping = False
        self._started_at = dt.datetime.now(dt.UTC)
        self._admin: AdminSocket | None = None
        self._attempts = Attempts(directory.unseal_attempts)
        self._on_ready = on_ready
        self._open = False
        self._last_list = LastList()
        self._root_key: RootKeys
        self._delegation: Delegation
        self._tls: TlsRenewal
        self._restrictions: RestrictionsFile
        self._shown: Shown
        self._signals: Signals

    # From the start to the ready line

    def start(self) -> Listening | None:
        """Bring everything up and return where KMIP is served, None for a server that is sealed; raises
        OperatorError."""
        raise_file_limit()
        for file in self._directory.sweep():
            log.info("half_a_file_removed", file=str(file))
        with for_good():
            self._adapters.preload()
        self._restrictions = RestrictionsFile(self._directory.restrictions)
        self._root_key = self._adapters.open_root_key(self._directory, forks=True)
        self._delegation = Delegation(self._crew, self._root_key)
        self._tls = TlsRenewal(self._directory, self._root_key, self._leave)
        self._check_store()
        sealed = self._root_key.sealed
        self._signals = Signals(self._selector, _SIGNALS, self._on_signal)
        if not sealed:
            self._shown = self._tls.context(self._settings)
        self._ports.listen(self._settings.listen, self._settings.https)
        try:
            if sealed:
                self._ports.stop_listening()
            else:
                self._start_serving()
            self._admin = AdminSocket(self._directory, self._selector)
        except OperatorError:
            self._stop()
            raise
        self._timers.add(TURNOVER, self._turn_over)
        self._timers.add(WATCH_INTERVAL, self._watch)
        self._timers.add(FOLLOW_INTERVAL, self._follow_root_key)
        self._timers.add(FOLLOW_INTERVAL, self._watch_what_shuts_out)
        self._timers.add(PULSE, self._watch_the_crew)
        if sealed:
            cure = f"strongroom server unseal --data {self._directory.path}"
            log.warning("server_sealed", provider=self._root_key.provider, cure=cure, pid=os.getpid())
            return None
        self._on_ready = None
        self._log_start()
        return self._ports.where

    def _check_store(self) -> None:
        self._adapters.check_store(self._settings, self._directory)
        for risk in self._adapters.store_risks(self._settings, self._directory):
            log.warning("store_at_risk", risk=risk)

    def _start_serving(self) -> None:
        self._crew.writer.start(self._adapters.store_writer(self._settings, self._directory))
        self._crew.start_generation(self._worker_main(), START_TIMEOUT)
        self._open = True

    def _log_start(self) -> None:
        where = {name: str(address) for name, address in self._ports.where._asdict().items() if address}
        warn_of_endings(self._directory, self._settings)
        log.info("server_started", **where, workers=self._crew.slots, pid=os.getpid())
        if self._root_key.recovery is None:
            log.warning("recovery_missing", cure="strongroom server recovery create --data DIR --out FILE")

    def _worker_main(self) -> WorkerMain:
        """Return what a worker runs, with the settings and certificates of now."""
        # Workers tell clients where they are, so they need the port that was found.
        kmip, https = (str(address or OFF) for address in self._ports.where)
        where = {"listen": kmip, "https": https}
        self._last_list.follow(self._directory.external_lists(self._settings.tls))
        settings, context = self._settings.model_copy(update=where), self._shown.context

        def main(slot: int, row: int, control: socket.socket) -> None:
            plan = WorkerPlan(
                settings=settings,
                directory=self._directory,
                adapters=self._adapters,
                root_key=self._root_key,
                sockets=self._ports.of(slot),
                context=context,
                numbers=self._crew.numbers,
                row=row,
                show_life=self._crew.pulses[row].show,
                first=slot == 0 and self._crew.generation == 1,
                workers=self._crew.slots,
                restrictions=self._restrictions.text,
                external_lists=self._last_list.content,
                control=control,
            )
            run_worker(plan)

        return main

    def _leave(self) -> None:
        """In a child: let go of what is the supervisor's alone."""
        self._selector.close()
        self._signals.leave()
        if self._admin is not None:
            self._admin.leave()

    # The loop

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain and return."""
        while not self._stopping:
            waiting = self._delegation.changed() or (self._admin is not None and self._admin.waiting)
            self._turn(0.0 if waiting else self._timers.sleep())
            if not self._stopping:
                carry_on(self._delegation.follow)
                if self._admin is not None:
                    self._admin.serve(self.administer)
        log.info("server_stopping")
        self._stop()
        log.info("server_stopped")

    def _turn(self, timeout: float | None) -> None:
        for key, _ in self._selector.select(timeout):
            carry_on(key.data)
        self._timers.run()

    def _on_signal(self, number: signal.Signals) -> None:
        match number:
            case signal.SIGTERM | signal.SIGINT:
                self._stopping = True
            case signal.SIGHUP:
                self._reload_if_possible()
            case signal.SIGCHLD:
                self._crew.reap()

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
                self._delegation.record(request, "server.reload")
                return None
            case _:
                return self._delegation.do(request)

    def _status(self) -> Message:
        return server_status(
            self._directory,
            self._settings,
            self._root_key,
            self._crew,
            sealed=not self._open,
            refused_attempts=self._attempts.refused,
            restrictions=self._restrictions.problem,
            listening=self._ports.where,
            started_at=self._started_at,
            root_key_problem=self._delegation.problem,
        )

    # Changes while running

    def _reload(self) -> None:
        """Replace the workers by ones with the files as they are now; keep the old ones when that fails.

        Raises OperatorError, after logging it.
        """
        if self._stopping:
            raise OperatorError("the server is stopping")
        if not self._open:
            raise Sealed("the server is sealed; it reads its files when it is opened")
        self._follow_restrictions()
        before = self._settings, self._shown
        try:
            settings = read_again(self._directory.configuration, self._options, self._settings)
            self._shown = self._tls.context(settings)
            self._settings = settings
            self._crew.start_generation(self._worker_main(), RELOAD_TIMEOUT)
        except Exception as error:
            self._settings, self._shown = before
            kept_on = "configuration and certificates stay as they were"
            log.error("reload_rejected", error=str(error) or type(error).__name__, alarm=kept_on)
            raise
        log.info("reloaded", generation=self._crew.generation)

    def _reload_if_possible(self) -> bool:
        """Tell whether it was done; the log says why not, and nobody waits for an answer."""
        try:
            self._reload()
        except OperatorError:
            return False
        return True

    def _watch(self) -> None:
        """Reload when a certificate, key or authority on disk is another one than the workers have, until
        they have it."""
        self._timers.add(WATCH_INTERVAL, self._watch)
        if self._open and self._tls.outdated(self._settings, self._shown):
            self._reload_if_possible()

    def _watch_the_crew(self) -> None:
        self._timers.add(PULSE, self._watch_the_crew)
        self._crew.watch()

    def _follow_root_key(self) -> None:
        """Take over a root key of which nobody has told: workers that start have it from here."""
        began = time.monotonic()
        try:
            if self._open and not self._stopping:
                self._delegation.follow_root_key()
        finally:
            # A token that does not answer takes no more than half of the time.
            pause = max(FOLLOW_INTERVAL, time.monotonic() - began)
            self._timers.add(pause, self._follow_root_key)

    def _watch_what_shuts_out(self) -> None:
        self._timers.add(FOLLOW_INTERVAL, self._watch_what_shuts_out)
        self._last_list.follow(self._directory.external_lists(self._settings.tls))
        self._follow_restrictions()

    def _follow_restrictions(self) -> None:
        if self._restrictions.follow() and self._restrictions.text is not None:
            self._delegation.restrict(self._restrictions.text)

    def _turn_over(self) -> None:
        done = False
        try:
            done = self._reload_if_possible()
        finally:
            self._timers.add(TURNOVER if done else TURNOVER_AGAIN, self._turn_over)
        warn_of_endings(self._directory, self._settings)

    # Sealed and open

    def _unseal(self, request: Message) -> object:
        """Take a passphrase or shares, and serve once they are enough.

        A server that is open may need them too: its workers have followed a root key that the supervisor has
        missed, and no other one could start.
        """
        if self._open and not self._root_key.sealed:
            raise OperatorError("the server is not sealed")
        bring(self._root_key, self._attempts, request)
        if not self._root_key.sealed:
            refused = self._attempts.refused
            if self._open:
                self._attempts.succeed()
            else:
                self._open_up()
            self._delegation.record(request, "server.unseal", number=refused)
        return self._status()

    def _open_up(self) -> None:
        try:
            self._check_store()
            self._shown = self._tls.context(self._settings)
            self._ports.listen_again()
            self._start_serving()
        except BaseException as error:
            log.error("unseal_failed", error=str(error) or type(error).__name__)
            self._close_down()
            raise
        self._attempts.succeed()
        self._log_start()
        if self._on_ready is not None:
            self._on_ready(self._ports.where)
            self._on_ready = None

    def _seal(self, request: Message) -> object:
        """End whoever has opened keys, the store's writer too, and forget the root key."""
        self._delegation.record(request, "server.seal")
        self._close_down()
        log.warning("server_sealed", provider=self._root_key.provider)
        return self._status()

    def _close_down(self) -> None:
        self._open = False
        try:
            self._crew.dismiss(SEAL_WITHIN)
            self._ports.stop_listening()
        finally:
            # Whatever else goes wrong, nobody opens the server without what opens the key.
            self._root_key.close()
            gc.collect()

    # The end

    def _stop(self) -> None:
        """Drain the workers, then end the writer. Within the drain deadline and three seconds."""
        self._stopping = True
        if self._admin is not None:
            self._admin.close()
        self._crew.drain()
        self._ports.shut()
        deadline = time.monotonic() + self._settings.deadlines.drain + STOP_MARGIN
        while self._crew.workers and (left := deadline - time.monotonic()) > 0:
            self._turn(min(left, 0.1))
        self._crew.end()
