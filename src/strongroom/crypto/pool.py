"""The threads that slow cryptography runs on.

Rule: nothing that takes longer than a fraction of a millisecond runs on the event loop, and no request can
pile up work without bound. Clients take turns, and none has all the threads or all the places to wait. The
threads belong to one process: after a fork, the child starts its own.
"""

import asyncio
import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from strongroom.domain import turn
from strongroom.domain.errors import ServerFailure

P = ParamSpec("P")
R = TypeVar("R")


class Pool:
    """A few threads, started when the first work comes, and a limit on what waits for them."""

    def __init__(self, *, threads: int = 2, waiting: int = 128) -> None:
        self._threads = threads
        self._waiting = waiting
        self._process: int | None = None
        self._queues: _Queues | None = None

    async def run(self, work: Callable[P, R], *args: P.args, **keywords: P.kwargs) -> R:
        """Return what `work` returns, or raise what it raises.

        Raises ServerFailure when too much waits already. Work that has begun runs to its end, though its
        caller be cancelled, and holds its place until then.
        """
        if self._queues is None or self._process != os.getpid():
            self._process = os.getpid()
            self._queues = _Queues(self._threads, self._waiting)
        outcome = await asyncio.wrap_future(
            self._queues.add(turn.client.get(), partial(work, *args, **keywords))
        )
        if isinstance(outcome, _Failed):
            raise outcome.take()
        return outcome

    def close(self) -> None:
        """Drop what waits and let the threads end; does not block, and the pool may be used again.

        Work that runs cannot be interrupted: the longest RSA generation takes many seconds, and the
        interpreter joins its threads when it exits in the ordinary way.
        """
        if self._queues is not None and self._process == os.getpid():
            self._queues.close()
        self._queues = self._process = None


STEPS_BACK: Final = 10
"""By how much the threads are nicer than the event loop: where both want the same processor, they get a tenth
of it, and the loop need not wait for their slice to end."""


def _step_back() -> None:
    """Let the event loop go first. Linux has a nice value for each thread, others one for the process."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        nice = os.getpriority(os.PRIO_PROCESS, thread)
        with contextlib.suppress(OSError):  # where a filter of system calls has none of it
            os.setpriority(os.PRIO_PROCESS, thread, min(nice + STEPS_BACK, 19))


class _Failed:
    """An error on its way to whoever asked for the work.

    It travels as a result: a future that keeps it would keep what it goes through, which are the frames that
    keep the future, with all that they work on.
    """

    __slots__ = ("_error",)

    def __init__(self, error: BaseException) -> None:
        # What it went through so far holds the work and its data, and is nothing that anybody has to know.
        self._error: BaseException | None = error.with_traceback(None)

    def take(self) -> BaseException:
        """Return the error, once."""
        error, self._error = self._error, None
        assert error is not None
        return error


class _Queues:
    """What waits, by client, and the threads."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._executor = ThreadPoolExecutor(
            threads, thread_name_prefix="strongroom-crypto", initializer=_step_back
        )
        self._threads = threads
        self._at_once = max(1, threads - 1)  # of one client
        self._places = threads + waiting
        self._places_each = max(1, threads, self._places // 2)
        self._lock = threading.Lock()
        self._queues: dict[int, deque[tuple[Future[Any], Callable[[], Any]]]] = {}  # whose turn it is first
        self._running: dict[int, int] = {}

    def add(self, client: int, work: Callable[[], R]) -> "Future[R | _Failed]":
        """Put work behind the client's other work; raises ServerFailure."""
        future: Future[R | _Failed] = Future()
        with self._lock:
            own = len(self._queues.get(client, ())) + self._running.get(client, 0)
            all_ = sum(map(len, self._queues.values())) + sum(self._running.values())
            if all_ >= self._places or (client != turn.NOBODY and own >= self._places_each):
                raise ServerFailure("too much cryptographic work is waiting; try again in a few seconds")
            self._queues.setdefault(client, deque()).append((future, work))
            self._start()
        return future

    def _start(self) -> None:
        """Give free threads to the clients whose turn it is; the lock is held."""
        while sum(self._running.values()) < self._threads:
            client = next((c for c in self._queues if self._may_run(c)), None)
            if client is None:
                return
            queue = self._queues.pop(client)
            future, work = queue.popleft()
            if queue:
                self._queues[client] = queue  # behind the others
            self._running[client] = self._running.get(client, 0) + 1
            self._executor.submit(self._do, client, future, work)

    def _may_run(self, client: int) -> bool:
        return client == turn.NOBODY or self._running.get(client, 0) < self._at_once

    def _do(self, client: int, future: "Future[Any]", work: Callable[[], Any]) -> None:
        outcome = None
        wanted = future.set_running_or_notify_cancel()
        if wanted:
            try:
                outcome = work()
            except BaseException as error:  # noqa: BLE001 - raised where the work was asked for
                outcome = _Failed(error)
        with self._lock:
            self._running[client] -= 1
            if not self._running[client]:
                del self._running[client]
            self._start()
        if wanted:
            future.set_result(outcome)
        del outcome, future, work

    def close(self) -> None:
        """Drop what waits."""
        with self._lock:
            dropped = [future for queue in self._queues.values() for future, _ in queue]
            self._queues.clear()
        for future in dropped:
            future.cancel()
        self._executor.shutdown(wait=False)
