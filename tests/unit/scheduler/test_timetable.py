"""The jobs of a worker."""

import asyncio
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from strongroom.scheduler import timetable
from tests.kms import MovableClock


async def test_a_job_that_takes_long_or_fails_does_not_hold_up_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timetable, "INTERVAL", 0.001)
    asked, enough = list[str](), asyncio.Event()

    async def endless(now: datetime) -> None:
        asked.append("endless")
        await asyncio.Event().wait()

    async def failing(now: datetime) -> None:
        asked.append("failing")
        raise RuntimeError("not today")

    async def quick(now: datetime) -> None:
        asked.append("quick")
        if asked.count("quick") > 3 and asked.count("failing") > 3:
            enough.set()

    jobs = timetable.Timetable(MovableClock(), {"endless": endless, "failing": failing})
    jobs.add("quick", quick)
    running = asyncio.ensure_future(jobs.run())
    await asyncio.wait_for(enough.wait(), 60)
    assert asked.count("endless") == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_job_that_goes_on_failing_is_told_of_once_an_hour() -> None:
    clock, broken = MovableClock(), True

    async def failing(now: datetime) -> None:
        if broken:
            raise RuntimeError("not today")

    jobs = timetable.Timetable(clock, {"failing": failing})
    with capture_logs() as logged:
        for _ in range(3):
            await jobs._ask("failing")
        assert len(logged) == 1
        clock.pass_time(hours=1)
        await jobs._ask("failing")
        assert len(logged) == 2
        broken = False
        await jobs._ask("failing")
        broken = True
        await jobs._ask("failing")
    assert [line["job"] for line in logged] == ["failing"] * 3
