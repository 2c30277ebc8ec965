"""Audit events find their place in the chain.

Rule: this job only asks; which events, and that one process at a time does it, is the store's business. Where
the store chains them as they come there is nothing to do.
"""

import asyncio
from datetime import datetime
from typing import Final

from strongroom.domain.audit import AuditChain

PAUSE: Final = 0.5
"""Seconds between two looks; the timetable asks once a second."""


class Chaining:
    """The job that chains events; see `scheduler.timetable.Job`."""

    def __init__(self, chain: AuditChain) -> None:
        self._chain = chain

    async def __call__(self, now: datetime) -> None:
        await self._chain.extend()
        await asyncio.sleep(PAUSE)
        await self._chain.extend()
