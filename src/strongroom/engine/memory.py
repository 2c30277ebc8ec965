"""What the engine remembers between requests, so as not to work it out again.

Rule: memory never decides. A header is known by its very bytes. An answer is given again only to the same
client, for the same bytes, after a read in this request has shown that every object it was made from is
unchanged (where it was searched: that nothing in the store has changed), that no date of them has passed
since, that the caller may (still) see them, and that its rights are those it had. What is computed with other
data each time is in `computations.py`, on the same condition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from strongroom.domain.access import may
from strongroom.domain.audit import Repeated
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.rights import Rights
from strongroom.domain.store import ObjectStore
from strongroom.model.messages import RequestHeader
from strongroom.registry import Tag, Version

_REQUEST_MESSAGE: Final = Tag.REQUEST_MESSAGE.to_bytes(3, "big") + b"\x01"
_HEADERS: Final = 1024
_LARGEST_HEADER: Final = 256
_LARGEST_ANSWER: Final = 16_384
"""Bytes of a request and its answer that are remembered at most: longer ones carry data, and 10,000 of them
would fill the memory of the machine."""


class HeaderMemory:
    """Headers already read, by their bytes: a client sends the same one over and over.

    Headers that hold a credential or a time are never kept.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[Version, RequestHeader]] = {}

    def find(self, message: bytes) -> tuple[Version, RequestHeader] | None:
        """Return what the header of a (well-formed) message says, if it was seen before."""
        return self._known.get(message[8 : 16 + int.from_bytes(message[12:16])])

    def end_of_known(self, message: bytes) -> int:
        """Return where the header of a request ends, if it was seen before, else 0."""
        end = 16 + int.from_bytes(message[12:16])
        return end if message[:4] == _REQUEST_MESSAGE and message[8:end] in self._known else 0

    def keep(self, message: bytes, version: Version, header: RequestHeader) -> None:
        """Remember the header of `message`."""
        if repeatable(header) and int.from_bytes(message[12:16]) <= _LARGEST_HEADER:
            if len(self._known) >= _HEADERS:
                self._known.clear()
            self._known[message[8 : 16 + int.from_bytes(message[12:16])]] = (version, header)


def repeatable(header: RequestHeader) -> bool:
    """Tell whether a header says the same each time it is sent."""
    return (
        header.authentication is None
        and header.time_stamp is None
        and header.client_correlation_value is None
    )


@dataclass(slots=True)
class Basis:
    """What an answer was made from, and until when it would be made from the same.

    `store_version` is that of the store before it was searched, None for an answer that needed no search. The
    answer was made at `since`; `until` is the first date from which one of the objects is good for more, or
    for less, None: never. `mark` is that of the store when it was last shown to be unchanged.
    """

    permission: Permission
    access: Rights | None
    sources: tuple[ManagedObject, ...]
    store_version: int | None
    since: datetime
    until: datetime | None
    mark: object = None

    async def holds(self, caller: ClientIdentity, now: datetime, store: ObjectStore) -> bool:
        """Tell whether the request, done again now, would find the same."""
        if now < self.since or (self.until is not None and now >= self.until):
            return False
        if caller.access is not self.access:
            return False
        mark = store.mark()  # before anything is read
        unchanged = mark is not None and mark == self.mark
        if not unchanged and self.store_version is not None and await store.version() != self.store_version:
            return False
        for source in self.sources:
            if not may(caller, self.permission, source, now):
                return False
            if not (store.keeps(source) if unchanged else await store.is_current(source)):
                return False
        self.mark = mark
        return True


class RememberedAnswer(NamedTuple):
    """The batch item (TTLV) that answered a request of one item, and what it was made from.

    `record` is what is recorded each time that it is given, None for an answer that touches no object.
    """

    version: Version
    item: bytes
    record: Repeated | None
    basis: Basis


class AnswerMemory:
    """Answers to requests that only read, by client and message; `size` 0 remembers nothing.

    What is kept may hold key material in clear, as the cache of opened objects does, in the same process. It
    is never given out unless the object is in that cache, and dropped as often as the cache drops objects.
    """

    __slots__ = ("_answers", "_size", "cleared")

    def __init__(self, size: int) -> None:
        self._answers: dict[tuple[int, bytes], RememberedAnswer] = {}
        self._size = size
        self.cleared = 0
        """How often: what was begun before must not be kept afterwards."""

    def find(self, caller: ClientIdentity, message: bytes) -> RememberedAnswer | None:
        """Return the answer last given to this client for these bytes."""
        if len(message) > _LARGEST_ANSWER:  # never kept, and it would be hashed to be looked up
            return None
        return self._answers.get((caller.client, message))

    def keep(self, caller: ClientIdentity, message: bytes, answer: RememberedAnswer) -> None:
        """Remember an answer."""
        if not self._size or len(message) + len(answer.item) > _LARGEST_ANSWER:
            return
        if len(self._answers) >= self._size:
            del self._answers[next(iter(self._answers))]
        self._answers[caller.client, message] = answer

    def clear(self) -> None:
        """Drop all of them."""
        self._answers.clear()
        self.cleared += 1

    def forget(self, caller: ClientIdentity, message: bytes) -> None:
        """Drop an answer that is not true any more."""
        self._answers.pop((caller.client, message), None)


def true_until(sources: Sequence[ManagedObject], now: datetime) -> datetime | None:
    """Return the first date after `now` from which one of the objects is good for more, or for less."""
    dates = [source.value(tag) for source in sources for tag in _DATES if tag in source.attributes]
    return min((date for date in dates if date > now), default=None)


_DATES: Final = (Tag.ACTIVATION_DATE, Tag.PROCESS_START_DATE, Tag.PROTECT_STOP_DATE, Tag.DEACTIVATION_DATE)
