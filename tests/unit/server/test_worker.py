"""What a worker follows while it runs."""

import asyncio
import contextlib
import json
import socket
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from strongroom.domain.ports import RootKeyError
from strongroom.domain.store import StoreFailure, TamperedRecord
from strongroom.server import worker as module
from strongroom.server.worker import POLL_INTERVAL, POLL_SELDOM, Worker


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


@pytest.mark.parametrize("part", ["root key", "requirements"])
@pytest.mark.parametrize("error", [TamperedRecord, StoreFailure, RootKeyError])
def test_who_was_revoked_is_shut_out_whatever_else_cannot_be_read(part: str, error: type[Exception]) -> None:
    """Somebody who can write the database could otherwise keep a revoked client in, by one edited entry."""
    done: list[str] = []

    def follow() -> None:
        if part == "root key":
            raise error("it was edited")

    async def refresh_requirements() -> None:
        if part == "requirements":
            raise error("it was edited")

    async def refresh_clients() -> bool:
        done.append("clients")
        return True

    worker = cast(Any, Worker.__new__(Worker))
    worker._plan = SimpleNamespace(root_key=SimpleNamespace(follow=follow))
    worker._application = SimpleNamespace(refresh=refresh_requirements)
    worker._directory = SimpleNamespace(refresh=refresh_clients)
    worker._listener = SimpleNamespace(recheck=lambda: done.append("connections"))
    asyncio.run(worker._try_to_refresh())
    assert done == ["clients", "connections"]


class Enough(Exception):
    """A loop was watched for long enough."""


def pauses(monkeypatch: pytest.MonkeyPatch, turns: int) -> list[float]:
    """Let nobody pause, and return the pauses; after so many the loop is ended."""
    made: list[float] = []

    async def sleep(seconds: float) -> None:
        if len(made) == turns:
            raise Enough
        made.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return made


def polling(refresh: Any) -> Any:
    worker = cast(Any, Worker.__new__(Worker))
    worker._application = SimpleNamespace(store=SimpleNamespace(mark=lambda: b"the same"), shared=False)
    worker._directory = SimpleNamespace(refresh=refresh)
    worker._listener = SimpleNamespace(recheck=lambda: None)
    return worker


@pytest.mark.parametrize("error", [StoreFailure, TamperedRecord, RootKeyError])
def test_clients_that_could_not_be_read_are_read_again_though_nothing_was_changed_since(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Whoever revoked one of them may have died before it could tell, and nobody may change anything else."""
    looks: list[int] = []

    async def refresh() -> bool:
        looks.append(1)
        if len(looks) < 3:
            raise error("the disk did not answer")
        return True

    pauses(monkeypatch, 10)
    with contextlib.suppress(Enough):
        asyncio.run(polling(refresh)._poll())
    assert len(looks) == 3


@pytest.mark.parametrize(("computed", "pause"), [(0.001, POLL_INTERVAL), (1.0, POLL_SELDOM)])
def test_how_seldom_clients_are_looked_for_does_not_depend_on_what_else_the_machine_does(
    monkeypatch: pytest.MonkeyPatch, computed: float, pause: float
) -> None:
    """A machine that has much to do would otherwise let a revoked client in for longer."""
    waited, worked = [0.0], [0.0]

    async def refresh() -> bool:
        waited[0] += 60.0
        worked[0] += computed
        return False

    clocks = SimpleNamespace(perf_counter=lambda: waited[0], thread_time=lambda: worked[0])
    monkeypatch.setattr(module, "time", clocks)
    made = pauses(monkeypatch, 2)
    with contextlib.suppress(Enough):
        asyncio.run(polling(refresh)._poll())
    assert made == [POLL_INTERVAL, pause]


def test_revocation_lists_are_read_later_when_there_is_no_thread_to_read_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limit of processes counts threads."""
    done: list[str] = []
    start = threading.Thread.start

    def fail(_: threading.Thread) -> None:
        monkeypatch.setattr(threading.Thread, "start", start)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    worker = cast(Any, Worker.__new__(Worker))
    worker._directory = SimpleNamespace(
        lists_are_stale=lambda: not done, reload_lists=lambda: done.append("read")
    )
    worker._shares = SimpleNamespace(tick=lambda: None)
    worker._listener = SimpleNamespace(report=lambda: None, recheck=lambda: done.append("connections"))
    pauses(monkeypatch, 10)
    with contextlib.suppress(Enough):
        asyncio.run(worker._tidy(SimpleNamespace(tidy=lambda: None)))
    assert (done[0], done[-1]) == ("read", "connections")


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
