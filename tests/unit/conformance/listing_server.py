"""A server that answers exactly as the listing of a case prints it."""

import secrets
import time
import uuid
from collections.abc import Callable
from typing import Any

from strongroom.conformance.cases import Case
from strongroom.conformance.dates import moved_to
from strongroom.conformance.variables import UnknownName, Variable
from strongroom.wire import binary
from strongroom.wire.item import BYTE_STRING, ENUMERATION, INTEGER, STRUCTURE, Item


class ListingServer:
    """Plays the server's side of one case: as the channel, and as the caller of the listener."""

    def __init__(self, case: Case) -> None:
        self._steps = list(moved_to(case, int(time.time())).steps)
        self._values: dict[str, Any] = {}
        self.received: list[Item] = []

    def exchange(self, message: bytes) -> bytes:
        step = self._steps.pop(0)
        request = binary.decode(message)
        self.received.append(request)
        self._learn(step.request, request)
        return binary.encode(self._spoken(step.response))

    def close(self) -> None:
        pass

    def hold(self) -> None:
        pass

    def release(self) -> None:
        pass

    def receive(self, fits: Callable[[Item], bool]) -> bytes:
        return binary.encode(self._spoken(self._steps[0].request))

    def answer(self, message: bytes) -> None:
        self.received.append(binary.decode(message))
        self._steps.pop(0)

    def _learn(self, template: Item, actual: Item) -> None:
        """Take over what the client chose."""
        if template[1] == STRUCTURE and actual[1] == STRUCTURE:
            for left, right in zip(template[2], actual[2], strict=True):
                self._learn(left, right)
        elif isinstance(template[2], Variable):
            self._values.setdefault(template[2].name, actual[2])

    def _spoken(self, item: Item) -> Item:
        tag, kind, value = item
        if kind == STRUCTURE:
            return (tag, kind, [self._spoken(inner) for inner in value])
        if isinstance(value, UnknownName):
            return (tag, kind, 1)
        if not isinstance(value, Variable):
            return item
        if value.name == "NOW":
            return (tag, kind, int(time.time()) + value.offset)
        fresh: Any = secrets.token_bytes(16) if kind == BYTE_STRING else str(uuid.uuid4())
        if kind in (INTEGER, ENUMERATION):
            fresh = 1
        return (tag, kind, self._values.setdefault(value.name, fresh))
