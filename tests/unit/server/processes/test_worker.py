"""How a worker begins, and when it ends."""

import asyncio
import json
import socket
from types import SimpleNamespace
from typing import Any, cast

from strongroom.domain.store_failures import TamperedRecord
from strongroom.server.processes.worker import Worker


def test_a_worker_that_cannot_start_says_why() -> None:
    async def start() -> bytes:
        ours, its = socket.socketpair()
        worker = cast(Any, Worker.__new__(Worker))
        worker._plan = SimpleNamespace(control=its)

        async def open_() -> None:
            raise TamperedRecord("the stored Safeguards 1 cannot be trusted")

        worker._open, worker._turns = open_, None
        await worker.run()
        worker._writer.close()
        with ours:
            return ours.recv(1000)

    assert json.loads(asyncio.run(start())) == {
        "event": "failed",
        "error": "the stored Safeguards 1 cannot be trusted",
    }


def test_a_worker_ends_when_one_of_its_jobs_has_failed() -> None:
    """It would go on without what the job is for, such as deadlines, and nobody would know."""

    async def job() -> None:
        raise RuntimeError("a mistake")

    async def run() -> None:
        worker = cast(Any, Worker.__new__(Worker))
        worker._ended = asyncio.Event()
        started = asyncio.get_running_loop().create_task(job())
        started.add_done_callback(worker._stopped)
        await worker._ended.wait()

    asyncio.run(run())
