"""Objects that are made like others.

Rule: two requests of a client that differ in nothing but the Name of the object that they make ask for the
same kind of object. When one was done, its handler may have left how another is made (`Context.another`). The
next one is not read and not worked out again. All else is done as for every request: the checks of the
engine, the commit, the audit event, the answer (`Transactions`). Nothing that is remembered is secret.
"""

from functools import partial
from typing import Final, NamedTuple

from strongroom.domain.context import Another, MakeAnother
from strongroom.domain.identity import ClientIdentity
from strongroom.engine.memory import repeatable
from strongroom.engine.request import BatchItem, RequestMessage
from strongroom.registry import AsynchronousIndicator, Tag
from strongroom.wire import binary

_KINDS: Final = 500
"""Kinds of objects that are remembered, of all clients; each takes a few KiB."""

_LARGEST: Final = 2048
"""Bytes of a request that is remembered at most."""

_PLACES: Final = 4
"""Places in which the Name stands in messages of one client and length, that are told apart."""

_NAMES: Final = frozenset({int(Tag.NAME_VALUE), int(Tag.NAME)})

Place = tuple[int, int]
"""Where the text of the Name begins and ends in a message; the same number twice for one without."""


class _Kind(NamedTuple):
    """A request that was done, without what it made."""

    request: RequestMessage
    operation: int
    make: MakeAnother


class Creations:
    """Remembers how objects are made; safe to use from one event loop. `enabled` False remembers nothing."""

    __slots__ = ("_enabled", "_kinds", "_places")

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._places: dict[tuple[int, int], list[Place]] = {}
        self._kinds: dict[tuple[int, int, bytes], _Kind | None] = {}

    def find(self, caller: ClientIdentity, message: bytes) -> RequestMessage | None:
        """Return the request in a message that asks for another object of a kind; None: it has to be read."""
        for place in self._places.get((caller.client, len(message)), ()):
            kind = self._kinds.get(_key(caller, message, place))
            if kind is not None:
                return _request(kind, message, place)
        return None

    def keep(self, caller: ClientIdentity, message: bytes, request: RequestMessage, another: Another) -> None:
        """Remember a kind of object that was made for at least the second time."""
        (item,) = request.items
        if not (self._enabled and len(message) <= _LARGEST and _stands_alone(request, item)):
            return
        place = _place(message, another.name)
        if place is None:
            return
        if len(self._kinds) >= _KINDS:
            self.clear()
        key = _key(caller, message, place)
        if key not in self._kinds:
            self._kinds[key] = None
            return
        places = self._places.setdefault((caller.client, len(message)), [])
        if place not in places:
            places[:] = [place, *places[: _PLACES - 1]]
        self._kinds[key] = _Kind(request, item.operation or 0, another.make)
        item.payload = None  # it is not needed any more

    def clear(self) -> None:
        """Forget all of them."""
        self._places.clear()
        self._kinds.clear()


def _stands_alone(request: RequestMessage, item: BatchItem) -> bool:
    """Tell whether requests like this one are done at once, and differ in the Name at most."""
    header = request.header
    return (
        repeatable(header)
        and header.maximum_response_size is None
        and header.asynchronous_indicator in (None, AsynchronousIndicator.PROHIBITED)
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


def _request(kind: _Kind, message: bytes, place: Place) -> RequestMessage | None:
    start, stop = place
    name = None
    if start != stop:
        try:
            name = message[start:stop].decode()
        except UnicodeDecodeError:
            return None
        if "\0" in name:
            return None
    item = BatchItem(operation=kind.operation, another=partial(kind.make, name=name))
    return RequestMessage(kind.request.version, kind.request.header, [item])
