"""One request on its way through the engine."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

from strongroom.domain.context import Objects
from strongroom.domain.identity import Connection
from strongroom.engine.answers import Answers
from strongroom.engine.batch import BatchMemory
from strongroom.engine.correlation import Correlation
from strongroom.engine.request import BatchItem, RequestMessage
from strongroom.engine.streams import RequestStreams
from strongroom.model.identifiers import UniqueIdentifier

Condition: TypeAlias = Callable[[Objects], Awaitable[None]]


class Done(NamedTuple):
    """A batch item that was done, and what it touched: objects, and how many a search found, None without
    one."""

    item: BatchItem
    objects: tuple[UniqueIdentifier, ...]
    found: int | None


class Awaited(NamedTuple):
    """A request whose client waits for the answer: its key in the backlog, and since when."""

    key: str
    submitted_at: datetime


@dataclass(slots=True)
class Run:
    """One request being answered.

    `message` are its bytes where it came as TTLV. `room` are the bytes left for batch items (`room.py`);
    None in a small batch without Maximum Response Size. `correlation` are its names in logs, None without.
    """

    request: RequestMessage
    connection: Connection
    now: datetime
    answers: Answers
    memory: BatchMemory
    streams: RequestStreams
    message: bytes | None
    room: int | None
    condition: Condition | None = None
    """Raises unless the operation is (still) to be done; asked in each unit of work, before it."""
    correlation: Correlation | None = None
    awaited: Awaited | None = None
    """Set where the request may wait for what it lacks."""
