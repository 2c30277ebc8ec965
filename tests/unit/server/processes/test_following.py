"""What a worker follows while it runs, and what it goes on with when something cannot be read."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from strongroom.domain.ports import RootKeyError
from strongroom.domain.store_failures import StoreFailure, TamperedRecord
from strongroom.server.processes import following as module
from strongroom.server.processes.following import POLL_INTERVAL, POLL_SELDOM, Following

FAILURES = [StoreFailure, TamperedRecord, RootKeyError]


class Enough(Exception):
    """A loop was watched for long enough."""


def following(
    *, root_key: object = None, recheck: Callable[[], None] = lambda: None, **directory: Any
) -> Following:
    """Return what follows a directory that does what is given, over a store in which nothing changes."""
    application: Any = SimpleNamespace(store=SimpleNamespace(mark=lambda: b"the same"), shared=False)
    return Following(
        root_key=root_key,  # type: ignore[arg-type]
        application=application,
        directory=SimpleNamespace(**directory),  # type: ignore[arg-type]
        shares=SimpleNamespace(tenants={}),  # type: ignore[arg-type]
        recheck=recheck,
    )


def pauses(monkeypatch: pytest.MonkeyPatch, turns: int) -> list[float]:
    """Let nobody pause, and return the pauses; after so many the loop is ended."""
    made: list[float] = []

    async def sleep(seconds: float) -> None:
        if len(made) == turns:
            raise Enough
        made.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return made


@pytest.mark.parametrize("part", ["root key", "requirements"])
@pytest.mark.parametrize("error", FAILURES)
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

    followed = Following(
        root_key=SimpleNamespace(follow=follow),
        application=SimpleNamespace(refresh=refresh_requirements),
        directory=SimpleNamespace(refresh=refresh_clients),  # type: ignore[arg-type]
        shares=SimpleNamespace(tenants={}),  # type: ignore[arg-type]
        recheck=lambda: done.append("connections"),
    )
    asyncio.run(followed.try_to_refresh())
    assert done == ["clients", "connections"]


@pytest.mark.parametrize("error", FAILURES)
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
        asyncio.run(following(refresh=refresh).poll())
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
        asyncio.run(following(refresh=refresh).poll())
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
    followed = following(
        lists_are_stale=lambda: "read" not in done,
        reload_lists=lambda: done.append("read"),
        recheck=lambda: done.append("connections"),
    )

    async def look() -> None:
        await followed.keep_lists()
        assert done == []
        for _ in range(2):
            await followed.keep_lists()

    asyncio.run(look())
    assert (done[0], done[-1]) == ("read", "connections")
