"""The threads that slow cryptography runs on.

Rule: nothing that takes longer than a fraction of a millisecond runs on the event loop, and no request can
pile up work without bound. The threads belong to one process: after a fork, the child starts its own.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from strongroom.domain.errors import ServerFailure

P = ParamSpec("P")
R = TypeVar("R")


class Pool:
    """A few threads, started when the first work comes, and a limit on what waits for them."""

    def __init__(self, *, threads: int = 2, waiting: int = 64) -> None:
        self._threads = threads
        self._places = threads + waiting
        self._process: int | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._free: threading.BoundedSemaphore | None = None

    async def run(self, work: Callable[P, R], *args: P.args, **keywords: P.kwargs) -> R:
        """Return what `work` returns, or raise what it raises.

        Raises ServerFailure when too much waits already. Work whose caller is cancelled runs to its end all
        the same, and holds its place until then.
        """
        executor, free = self._started()
        if not free.acquire(blocking=False):
            raise ServerFailure("too much cryptographic work is waiting; try again in a few seconds")
        try:
            future = executor.submit(work, *args, **keywords)
        except BaseException:
            free.release()
            raise
        future.add_done_callback(lambda _: free.release())
        return await asyncio.wrap_future(future)

    def _started(self) -> tuple[ThreadPoolExecutor, threading.BoundedSemaphore]:
        """Return the threads of this process."""
        if self._executor is None or self._free is None or self._process != os.getpid():
            self._process = os.getpid()
            self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="strongroom-crypto")
            self._free = threading.BoundedSemaphore(self._places)
        return self._executor, self._free

    def close(self) -> None:
        """Drop what waits and let the threads end; does not block, and the pool may be used again.

        Work that runs cannot be interrupted: the longest RSA generation takes many seconds, and the
        interpreter joins its threads when it exits in the ordinary way.
        """
        if self._executor is not None and self._process == os.getpid():
            self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._free = self._process = None
