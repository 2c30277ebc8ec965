"""The supervisor's end of its conversation with a worker.

Rule: blocking sockets and no event loop. A worker that dies or hangs is an outcome, never an exception. To
wait for workers takes no file descriptor: there may be none left when it matters.
"""

import contextlib
import itertools
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Final

from strongroom.server.logs import get_logger
from strongroom.server.messages import BrokenMessage, Message, MessageReader, encode

log = get_logger()

_SEND_TIMEOUT: Final = 2.0
_RECEIVE: Final = 1 << 18

MEANWHILE: Final = 0.05
"""Seconds between looks at what else there is to do while workers are waited for."""

_LONGEST_TURN: Final = 0.5
"""Seconds that count, at most, of the time between two such looks."""

_numbers = itertools.count(1)


class State(Enum):
    """Where a worker is in its life."""

    STARTING = "starting"
    SERVING = "serving"
    RETIRING = "retiring"
    GONE = "gone"


class WorkerHandle:
    """One worker process as the supervisor sees it."""

    def __init__(self, *, pid: int, row: int, slot: int, generation: int, sock: socket.socket) -> None:
        self.pid = pid
        self.row = row
        self.slot = slot
        self.generation = generation
        self.sock = sock
        self.state = State.STARTING
        self.started_at = time.monotonic()
        self.failure: str | None = None
        self.hung_up = False
        self._reader = MessageReader()
        self._answers: dict[int, Message] = {}
        self.late: set[int] = set()
        """Requests whose answers nobody waits for any more."""
        self.changes: list[object] = []
        """Numbers of the changes of client records that it made and that the others are to follow; None for
        what it may have changed without saying so."""
        sock.settimeout(_SEND_TIMEOUT)

    def ask(self, request: Message) -> int | None:
        """Send a request and return its number, None when the worker does not take it."""
        number = next(_numbers)
        return number if self.tell({**request, "id": number}) else None

    def tell(self, request: Message) -> bool:
        """Send a request whose answer nobody waits for; False when the worker does not take it. One that
        stops in the middle is ended: nothing that came after half a request would be understood."""
        try:
            self.sock.sendall(encode(request))
        except TimeoutError:
            log.error("worker_killed", pid=self.pid, reason="it does not take what it is told")
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            return False
        except OSError:
            self.hung_up = True
            return False
        return True

    def answer(self, number: int) -> Message | None:
        """Return the answer to a request once it is there; it is forgotten then."""
        return self._answers.pop(number, None)

    def receive(self) -> bool:
        """Take what the worker has sent; False when it has hung up."""
        try:
            data = self.sock.recv(_RECEIVE)
        except OSError:
            data = b""
        self.hung_up = not data
        try:
            for message in self._reader.feed(data):
                self._understand(message)
        except BrokenMessage:
            return False
        return bool(data)

    def _understand(self, message: Message) -> None:
        match message.get("event"):
            case "ready":
                if self.state is State.STARTING:
                    self.state = State.SERVING
                    # Behind everything that it was told while it started.
                    self.tell({"ask": "serve"})
            case "failed":
                self.failure = str(message.get("error"))
            case "clients_changed":
                self.changes.append(message.get("number"))
            case _:
                number = message.get("id")
                if isinstance(number, int) and number in self.late:
                    # What it did is followed all the same.
                    self.late.discard(number)
                    self.changes.append(None)
                elif isinstance(number, int):
                    self._answers[number] = message


def _nothing() -> None:
    """Do nothing meanwhile."""


def ask_all(
    workers: Iterable[WorkerHandle],
    request: Message,
    timeout: float,
    *,
    meanwhile: Callable[[], None] = _nothing,
) -> dict[WorkerHandle, Message]:
    """Ask workers at once and return the answers that came in time; `meanwhile` is called now and then."""
    waiting = {worker: number for worker in workers if (number := worker.ask(request)) is not None}
    return _answers(waiting, timeout, meanwhile)


def ask_first(
    workers: Iterable[WorkerHandle],
    request: Message,
    timeout: float,
    *,
    meanwhile: Callable[[], None] = _nothing,
) -> Message | None:
    """Ask the first worker that takes the request: one that is gone, or ends while it is told, does nothing
    of it. Return its answer, None when it did not come in time."""
    for worker in workers:
        number = worker.ask(request)
        if number is not None:
            return _answers({worker: number}, timeout, meanwhile).get(worker)
    return None


def _waits(timeout: float) -> Iterator[float]:
    """Yield for how long to wait next, until so many seconds were waited.

    What takes longer than it should is a pause of the whole machine, or work of ours: nobody could answer.
    """
    left = timeout
    while left > 0:
        began = time.monotonic()
        yield min(left, MEANWHILE)
        left -= min(time.monotonic() - began, _LONGEST_TURN)


def _answers(
    waiting: dict[WorkerHandle, int], timeout: float, meanwhile: Callable[[], None]
) -> dict[WorkerHandle, Message]:
    """Wait for the answers to requests, by their numbers, and return those that came in time."""
    answers: dict[WorkerHandle, Message] = {}
    with selectors.PollSelector() as selector:
        for worker in waiting:
            selector.register(worker.sock, selectors.EVENT_READ, worker)
        for wait in _waits(timeout):
            if not waiting:
                break
            meanwhile()
            for key, _ in selector.select(wait):
                worker = key.data
                present = worker.receive()
                answer = worker.answer(waiting[worker])
                if answer is not None:
                    answers[worker] = answer
                if answer is not None or not present:
                    selector.unregister(worker.sock)
                    del waiting[worker]
    for worker, number in waiting.items():
        worker.late.add(number)
    return answers


def await_start(
    workers: Iterable[WorkerHandle], timeout: float, *, meanwhile: Callable[[], None] = _nothing
) -> str | None:
    """Wait until all workers serve; return why not, None when they do. `meanwhile` is called now and then."""
    starting = set(workers)
    with selectors.PollSelector() as selector:
        for worker in starting:
            selector.register(worker.sock, selectors.EVENT_READ, worker)
        for wait in _waits(timeout):
            if not starting:
                break
            meanwhile()
            for key, _ in selector.select(wait):
                worker = key.data
                present = worker.receive()
                if worker.failure is not None:
                    return str(worker.failure)
                if not present:
                    return "a worker process ended while it started; the log above says why"
                if worker.state is not State.STARTING:
                    selector.unregister(worker.sock)
                    starting.discard(worker)
    return f"the workers were not ready after {timeout:.0f} s" if starting else None
