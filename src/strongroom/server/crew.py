"""The child processes of a server: its workers and the writer of the store.

Rule: who should be there is decided here, and whoever dies without being told to is started again. Nothing
here knows what the processes are told to do.
"""

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable
from typing import Final

from strongroom.server.control import State, WorkerHandle, ask_all, await_start
from strongroom.server.errors import OperatorError
from strongroom.server.logs import get_logger
from strongroom.server.messages import Message
from strongroom.server.ports import WriterMain
from strongroom.server.process import describe_exit, fork
from strongroom.server.shared import SharedNumbers
from strongroom.server.timers import Timers

log = get_logger()

START_TIMEOUT: Final = 30.0
RESTART_TIMEOUT: Final = 3.0
"""Seconds for a writer that is started again: whoever asks for something waits meanwhile."""

GENERATIONS: Final = 3
"""How many generations of workers may be alive at once; the oldest goes when there would be more."""

QUICK_DEATH: Final = 30.0
"""Seconds of life below which a death counts towards the pause before the next start."""

LONGEST_BACK_OFF: Final = 10.0

_THERE: Final = frozenset({State.STARTING, State.SERVING})

WorkerMain = Callable[[int, int, socket.socket], None]
"""The main function of a worker. Its arguments: slot (which listening socket), row, control socket."""


class Crew:
    """The processes of one server. `leave` lets go, in a child, of what is the parent's alone."""

    def __init__(
        self,
        slots: int,
        selector: selectors.BaseSelector,
        timers: Timers,
        leave: Callable[[], None],
    ) -> None:
        self.numbers = SharedNumbers(slots * GENERATIONS)
        self.generation = 0
        self.slots = slots
        self._selector = selector
        self._timers = timers
        self._leave = leave
        self._free_rows = list(range(self.numbers.rows))
        self._workers: dict[int, WorkerHandle] = {}
        self._main: WorkerMain
        self._writer_main: WriterMain | None = None
        self._writer: int | None = None
        self._writer_started_at = 0.0
        self._writer_due = 0.0  # when one that died is started again
        self._deaths = 0
        self._stopping = False
        self._staffed = False  # there are to be workers

    @property
    def workers(self) -> list[WorkerHandle]:
        """Return all workers, those on their way out too."""
        return list(self._workers.values())

    @property
    def serving(self) -> list[WorkerHandle]:
        """Return the workers that take new connections."""
        return [worker for worker in self._workers.values() if worker.state is State.SERVING]

    # Workers

    def start_generation(self, main: WorkerMain, timeout: float) -> None:
        """Start a worker in each slot and retire those that were there before.

        When one does not come up in time, the new ones are ended, the old ones stay, and OperatorError says
        why.
        """
        before = getattr(self, "_main", main)
        old = [worker for worker in self.workers if worker.state in _THERE]
        self._main = main
        self.generation += 1
        started = list[WorkerHandle]()
        try:
            for slot in range(self.slots):
                started.append(self._start_worker(slot))
            problem = await_start(started, timeout, meanwhile=self._tend_the_writer)
        except OperatorError as error:
            problem = str(error)
        if problem is not None:
            for worker in started:
                self.kill(worker)
            self._main = before
            self.generation -= 1
            raise OperatorError(problem)
        self._staffed = True
        for worker in old:
            if worker.state in _THERE:
                worker.state = State.RETIRING
                worker.ask({"ask": "retire"})

    def ask(
        self, workers: Iterable[WorkerHandle], request: Message, timeout: float
    ) -> dict[WorkerHandle, Message]:
        """Ask workers at once and return the answers that came in time."""
        return ask_all(workers, request, timeout, meanwhile=self._tend_the_writer)

    def _start_worker(self, slot: int) -> WorkerHandle:
        row = self._free_row()
        main = self._main
        ours, theirs = socket.socketpair()

        def run() -> None:
            ours.close()
            self._leave_parent()
            main(slot, row, theirs)

        try:
            pid = fork(run)
        except OperatorError:
            ours.close()
            self._free_rows.insert(0, row)
            raise
        finally:
            theirs.close()
        worker = WorkerHandle(pid=pid, row=row, slot=slot, generation=self.generation, sock=ours)
        self._workers[pid] = worker
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._listen(worker))
        return worker

    def _restart_worker(self, slot: int) -> None:
        present = {worker.slot for worker in self.workers if worker.generation == self.generation}
        if self._stopping or not self._staffed or slot in present:
            return
        try:
            self._start_worker(slot)
        except OperatorError as error:
            log.error("worker_not_started", error=str(error))
            self._timers.add(LONGEST_BACK_OFF, lambda: self._restart_worker(slot))

    def _listen(self, worker: WorkerHandle) -> None:
        if not worker.receive():
            self._ignore(worker)

    def _ignore(self, worker: WorkerHandle) -> None:
        # It may be gone already: events of one turn are handled one after the other.
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(worker.sock)

    def kill(self, worker: WorkerHandle) -> None:
        """End a worker at once; it is not started again."""
        if worker.state is not State.GONE:
            os.kill(worker.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(worker.pid, 0)
            self._forget(worker)

    def replace(self, worker: WorkerHandle) -> None:
        """End a worker at once; another one takes its place."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)

    def _forget(self, worker: WorkerHandle) -> None:
        worker.state = State.GONE
        del self._workers[worker.pid]
        self._ignore(worker)
        worker.sock.close()
        self.numbers.clear(worker.row)
        self._free_rows.append(worker.row)

    def _free_row(self) -> int:
        if not self._free_rows:
            oldest = min(self.workers, key=lambda worker: worker.started_at)
            log.warning("worker_killed", pid=oldest.pid, reason="too many generations are draining")
            self.kill(oldest)
        return self._free_rows.pop(0)

    def _leave_parent(self) -> None:
        for worker in self._workers.values():
            worker.sock.close()
        self._leave()

    # The writer

    def start_writer(self, main: WriterMain | None, timeout: float = START_TIMEOUT) -> None:
        """Start the process that writes the store, if it needs one; raises OperatorError."""
        self._writer_main = main
        if main is None:
            return
        reading, writing = socket.socketpair()

        def run() -> None:
            reading.close()
            self._leave_parent()
            # A signal to the whole group must not take the writer away before the workers have finished.
            os.setpgid(0, 0)
            main(lambda: writing.sendall(b"."))

        with reading:
            try:
                self._writer = fork(run)
            finally:
                writing.close()
            self._writer_started_at = time.monotonic()
            reading.settimeout(timeout)
            try:
                ready = reading.recv(1)
            except TimeoutError:
                ready = b""
        if not ready:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._writer, signal.SIGKILL)
            raise OperatorError("the process that writes the store did not start; the log says why")

    def _restart_writer(self) -> None:
        if self._writer_main is None or self._writer is not None:
            # The server was sealed meanwhile.
            return
        try:
            self.start_writer(self._writer_main, RESTART_TIMEOUT)
        except OperatorError as error:
            # If there is one its death is noticed, and it is tried again after a longer pause.
            log.error("store_writer_failed", error=str(error))
            if self._writer is None:
                self._writer_due = time.monotonic() + LONGEST_BACK_OFF
                self._timers.add(LONGEST_BACK_OFF, self._restart_writer)

    def _tend_the_writer(self) -> None:
        """Start a writer again that has died: the workers that are waited for may be waiting for it."""
        if self._writer is not None:
            pid, status = os.waitpid(self._writer, os.WNOHANG)
            if pid:
                self._lose_writer(pid, status)
        elif time.monotonic() >= self._writer_due:
            self._restart_writer()

    def _lose_writer(self, pid: int, status: int) -> None:
        log.error("store_writer_died", pid=pid, how=describe_exit(status))
        self._writer = None
        pause = self._back_off(self._writer_started_at)
        self._writer_due = time.monotonic() + pause
        # Also while stopping: the last requests may still need it.
        self._timers.add(pause, self._restart_writer)

    # Deaths

    def reap(self) -> None:
        """See which children have ended, and start again those that should be there."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._writer:
                self._lose_writer(pid, status)
            elif pid in self._workers:
                self._lose(self._workers[pid], status)

    def _lose(self, worker: WorkerHandle, status: int) -> None:
        worker.receive()
        expected = self._stopping or worker.state is State.RETIRING
        current = worker.generation == self.generation
        self._forget(worker)
        if expected:
            log.info("worker_ended", pid=worker.pid)
        else:
            log.error("worker_died", pid=worker.pid, how=describe_exit(status), error=worker.failure)
            if current:
                self._timers.add(self._back_off(worker.started_at), lambda: self._restart_worker(worker.slot))

    def _back_off(self, started_at: float) -> float:
        """Return how many seconds to wait before starting a child again that was started then."""
        if time.monotonic() - started_at > QUICK_DEATH:
            self._deaths = 0
        self._deaths += 1
        return float(min(LONGEST_BACK_OFF, 0.05 * 2 ** min(self._deaths - 1, 10)))

    # The end

    def drain(self) -> None:
        """Tell all workers to finish and go. From now on nobody is started again but the writer."""
        self._stopping = True
        for worker in self.workers:
            worker.ask({"ask": "drain"})

    def dismiss(self, patience: float) -> None:
        """End every process within `patience` seconds and a second for the writer; nobody is started again
        until `start_writer` and `start_generation`."""
        self._stopping, self._staffed = True, False
        writer, self._writer_main, self._writer = self._writer, None, None
        for worker in self.workers:
            worker.ask({"ask": "drain"})
        give_up = time.monotonic() + patience
        while self._workers and time.monotonic() < give_up:
            for worker in self.workers:
                pid, status = os.waitpid(worker.pid, os.WNOHANG)
                if pid:
                    self._lose(worker, status)
            time.sleep(0.005)
        for worker in self.workers:
            self.kill(worker)
        if writer is not None:
            _end(writer, patience=1.0)
        self._stopping = False

    def end(self) -> None:
        """End whoever is left: workers at once, then the writer after it has written what waits."""
        for worker in self.workers:
            log.error("worker_killed", pid=worker.pid, reason="it did not drain in time")
            self.kill(worker)
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
