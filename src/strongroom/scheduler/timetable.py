"""What happens because time passes: jobs that are asked every second whether they have something to do.

Rule: a job finds what is due in the store and does it through the engine, as any caller does. Every worker of
every node runs every job; that each thing is done once is for the commit to see to, which compares
generations.
"""

import asyncio
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from strongroom.domain.clock import Clock
from strongroom.domain.store_failures import StoreFailure

INTERVAL: Final = 1.0
"""Seconds between two looks."""

REMINDER: Final = timedelta(hours=1)
"""After this a job that still fails is told of again."""

log = structlog.get_logger()


class Job(Protocol):
    """One kind of work. A job looks for little at a time: the next look is only a second away."""

    async def __call__(self, now: datetime) -> None:
        """Do what is due at `now`. May raise StoreFailure; whatever else it raises is our mistake."""


class Timetable:
    """The jobs of one worker, by name."""

    def __init__(self, clock: Clock, jobs: Mapping[str, Job]) -> None:
        self._clock = clock
        self._jobs = dict(jobs)
        self._told: dict[str, datetime] = {}  # of jobs that fail: when it was logged

    def add(self, name: str, job: Job) -> None:
        """Ask one more job, from before `run` on."""
        self._jobs[name] = job

    async def run(self) -> None:
        """Ask the jobs until cancelled."""
        # Workers started together should not all come at the same moment.
        await asyncio.sleep(random.uniform(0, INTERVAL))  # noqa: S311 - spreads the load
        async with asyncio.TaskGroup() as jobs:
            for name in self._jobs:
                jobs.create_task(self._repeat(name))

    async def _repeat(self, name: str) -> None:
        """Ask one job again and again: what takes long in one does not hold up the others."""
        while True:
            await self._ask(name)
            await asyncio.sleep(INTERVAL)

    async def _ask(self, name: str) -> None:
        try:
            await self._jobs[name](self._clock.now())
        except StoreFailure as error:
            self._tell(name, str(error))
        except Exception as error:  # noqa: BLE001 - the edge: the other jobs go on
            self._tell(name, f"{type(error).__name__}: {error}", error)
        else:
            self._told.pop(name, None)

    def _tell(self, name: str, error: str, exc: Exception | None = None) -> None:
        """Log a failure, and again now and then until the job succeeds."""
        now = self._clock.now()
        if name not in self._told or now >= self._told[name] + REMINDER:
            self._told[name] = now
            log.error("job_failed", job=name, error=error, exc_info=exc)
