"""Objects that are made like others.

Rule: two requests of a client that differ in nothing but the Name of the object that they make ask for the
same kind of object. When one was done, its handler may have left how another is made (`Context.another`). The
next one is not read and not worked out again. All else is done as for every request: the checks of the
engine, the commit, the audit event, the answer (`Transactions`). Nothing that is remembered is secret.
"""

from functools import partial
from typing import NamedTuple

from strongroom.domain.context import Another, MakeAnother
from strongroom.domain.identity import ClientIdentity
from strongroom.engine.namesakes import Namesakes, stands_alone
from strongroom.engine.request import BatchItem, RequestMessage


class _Kind(NamedTuple):
    """A request that was done, without what it made."""

    request: RequestMessage
    operation: int
    make: MakeAnother


class Creations:
    """Remembers how objects are made; safe to use from one event loop. `enabled` False remembers nothing."""

    __slots__ = ("_kinds",)

    def __init__(self, *, enabled: bool) -> None:
        self._kinds = Namesakes[_Kind](enabled=enabled)

    def find(self, caller: ClientIdentity, message: bytes) -> RequestMessage | None:
        """Return the request in a message that asks for another object of a kind; None: it has to be read."""
        found = self._kinds.find(caller, message)
        if found is None:
            return None
        request, operation, make = found.known
        item = BatchItem(operation=operation, another=partial(make, name=found.name))
        return RequestMessage(request.version, request.header, [item])

    def keep(self, caller: ClientIdentity, message: bytes, request: RequestMessage, another: Another) -> None:
        """Remember a kind of object that was made for at least the second time."""
        item = request.items[0]
        if stands_alone(request, item):
            kind = _Kind(request, item.operation or 0, another.make)
            if self._kinds.keep(caller, message, another.name, kind):
                item.payload = None  # it is not needed any more

    def clear(self) -> None:
        """Forget all of them."""
        self._kinds.clear()
