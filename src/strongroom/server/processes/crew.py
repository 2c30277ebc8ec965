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

from strongroom.server.errors import OperatorError
from strongroom.server.logs import get_logger
from strongroom.server.messages import Message
from strongroom.server.process import LONGEST_BACK_OFF, BackOff, describe_exit, fork, socket_pair
from strongroom.server.processes.control import State, WorkerHandle, ask_all, ask_first, await_start
from strongroom.server.processes.pulses import LONGEST_SILENCE, make_pulses
from strongroom.server.processes.timers import Timers
from strongroom.server.processes.writer_process import WriterProcess
from strongroom.server.shared import SharedNumbers

log = get_logger()

GENERATIONS: Final = 3
"""How many generations of workers may be alive at once; the oldest goes when there would be more."""

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
        *self.pulses, writer = make_pulses(self.numbers.rows + 1)
        self.writer = WriterProcess(writer, timers, self._leave_parent)
        self.generation = 0
        self.slots = slots
        self._selector = selector
        self._timers = timers
        self._leave = leave
        self._free_rows = list(range(self.numbers.rows))
        self._workers: dict[int, WorkerHandle] = {}
        self._main: WorkerMain
        self._back_off = BackOff()
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
            problem = await_start(started, timeout, meanwhile=self.writer.tend)
            if problem is not None:
                raise OperatorError(problem)
        except Exception:
            for worker in started:
                self.kill(worker)
            self._main = before
            self.generation -= 1
            raise
        self._staffed = True
        for worker in old:
            if worker.state in _THERE:
                worker.state = State.RETIRING
                worker.tell({"ask": "retire"})

    def ask(
        self, workers: Iterable[WorkerHandle], request: Message, timeout: float
    ) -> dict[WorkerHandle, Message]:
        """Ask workers at once and return the answers that came in time."""
        return ask_all(workers, request, timeout, meanwhile=self.writer.tend)

    def ask_one(self, request: Message, timeout: float) -> Message | None:
        """Ask a worker that takes new connections; None when no answer came in time."""
        return ask_first(self.serving, request, timeout, meanwhile=self.writer.tend)

    def _start_worker(self, slot: int) -> WorkerHandle:
        ours, theirs = socket_pair()
        row = self._free_row()
        main = self._main

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
        try:
            self._selector.register(ours, selectors.EVENT_READ, lambda: self._listen(worker))
        except OSError as error:
            self.kill(worker)
            raise OperatorError(f"no worker can be listened to: {error.strerror}") from error
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
        self.pulses[worker.row].clear()
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

    # Silence and deaths

    def watch(self) -> None:
        """See who shows signs of life, once a second. Who hangs is ended, and its death starts another."""
        for pulse in self.pulses:
            pulse.look()
        self.writer.watch()
        for worker in self.workers:
            silence = self.pulses[worker.row].silence
            if silence >= LONGEST_SILENCE:
                log.error("worker_hangs", pid=worker.pid, seconds=silence)
                self.pulses[worker.row].clear()
                self.replace(worker)

    def reap(self) -> None:
        """See which children have ended, and start again those that should be there."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if not self.writer.lost(pid, status) and pid in self._workers:
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
                pause = self._back_off.after(worker.started_at)
                self._timers.add(pause, lambda: self._restart_worker(worker.slot))

    # The end

    def drain(self) -> None:
        """Tell all workers to finish and go. From now on nobody is started again but the writer."""
        self._stopping = True
        for worker in self.workers:
            worker.tell({"ask": "drain"})

    def dismiss(self, patience: float) -> None:
        """End every process within `patience` seconds and a second for the writer; nobody is started again
        until the writer and `start_generation`."""
        self._stopping, self._staffed = True, False
        for worker in self.workers:
            worker.tell({"ask": "drain"})
        give_up = time.monotonic() + patience
        while self._workers and time.monotonic() < give_up:
            for worker in self.workers:
                pid, status = os.waitpid(worker.pid, os.WNOHANG)
                if pid:
                    self._lose(worker, status)
            time.sleep(0.005)
        for worker in self.workers:
            self.kill(worker)
        self.writer.dismiss()
        self._stopping = False

    def end(self) -> None:
        """End whoever is left: workers at once, then the writer after it has written what waits."""
        for worker in self.workers:
            log.error("worker_killed", pid=worker.pid, reason="it did not drain in time")
            self.kill(worker)
        self.writer.dismiss()
