"""Messages of a client that differ in nothing but one Name, and what is remembered of all of them.

Rule: a message is known by its very bytes, but for the text of the Name; this file reads no more of it.
"""

from typing import Final, Generic, NamedTuple, TypeVar

from strongroom.domain.identity import ClientIdentity
from strongroom.engine.memory import repeatable
from strongroom.engine.request import BatchItem, RequestMessage
from strongroom.registry import AsynchronousIndicator, Tag
from strongroom.wire import binary

T = TypeVar("T")

_KINDS: Final = 500
"""Kinds of messages that are remembered, of all clients; each takes a few KiB."""

_LARGEST: Final = 2048
"""Bytes of a message that is remembered at most."""

_PLACES: Final = 4
"""Places in which the Name stands in messages of one client and length, that are told apart."""

_NAMES: Final = frozenset({int(Tag.NAME_VALUE), int(Tag.NAME)})

Place = tuple[int, int]
"""Where the text of the Name begins and ends in a message; the same number twice for one without."""


class Namesake(NamedTuple, Generic[T]):
    """What is remembered of a message, and the Name in it; None: it has none."""

    known: T
    name: str | None


class Namesakes(Generic[T]):
    """Remembers something of each kind, `enabled` False nothing; safe to use from one event loop."""

    __slots__ = ("_enabled", "_kinds", "_places")

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._places: dict[tuple[int, int], list[Place]] = {}
        self._kinds: dict[tuple[int, int, bytes], T | None] = {}

    def find(self, caller: ClientIdentity, message: bytes) -> Namesake[T] | None:
        """Return what is known of messages like this one; None: it has to be read."""
        for place in self._places.get((caller.client, len(message)), ()):
            known = self._kinds.get(_key(caller, message, place))
            if known is not None:
                start, stop = place
                if start == stop:
                    return Namesake(known, None)
                try:
                    name = message[start:stop].decode()
                except UnicodeDecodeError:
                    return None
                return None if "\0" in name else Namesake(known, name)
        return None

    def keep(self, caller: ClientIdentity, message: bytes, name: str | None, known: T) -> bool:
        """Remember what is known of a message with this Name, if it is the second of its kind at least."""
        if not self._enabled or len(message) > _LARGEST:
            return False
        place = _place(message, name)
        if place is None:
            return False
        if len(self._kinds) >= _KINDS:
            self.clear()
        key = _key(caller, message, place)
        if key not in self._kinds:
            self._kinds[key] = None
            return False
        places = self._places.setdefault((caller.client, len(message)), [])
        if place not in places:
            places[:] = [place, *places[: _PLACES - 1]]
        self._kinds[key] = known
        return True

    def clear(self) -> None:
        """Forget all of them."""
        self._places.clear()
        self._kinds.clear()


def stands_alone(request: RequestMessage, item: BatchItem) -> bool:
    """Tell whether requests like this one are done at once, and differ in the Name at most."""
    header = request.header
    return (
        repeatable(header)
        and header.maximum_response_size is None
        and header.asynchronous_indicator in (None, AsynchronousIndicator.PROHIBITED)
        and len(request.items) == 1
        and item.unique_batch_item_id is None
        and item.ephemeral is None
    )


def _place(message: bytes, name: str | None) -> Place | None:
    """Return where the Name is; None where it is not sure."""
    places = binary.texts(message, _NAMES)
    if name is None:
        return None if places else (0, 0)
    if len(places) != 1 or message[slice(*places[0])] != name.encode():
        return None
    return places[0]


def _key(caller: ClientIdentity, message: bytes, place: Place) -> tuple[int, int, bytes]:
    start, stop = place
    return caller.client, start, message[:start] + message[stop:]
