"""Encryptions and their like, done again with other data.

Rule: two requests of a client that differ in nothing but the byte strings of their payload ask for the same
with the same objects. When one of them was done and has changed nothing, its handler may have left what is
still to be done for the next one (`Context.again`). That is done, and recorded, on the condition on which an
answer is given again (`memory.py`). What goes wrong, or turns out to be different, is left to the way that
every request can go.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from strongroom.domain import turn
from strongroom.domain.audit import Repeated
from strongroom.domain.context import Again
from strongroom.domain.identity import ClientIdentity, Connection
from strongroom.domain.operation import OperationSpec, Response
from strongroom.engine.answers import Answer, Answers
from strongroom.engine.memory import Basis
from strongroom.engine.services import Services
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Field, StructMeta
from strongroom.registry import Version
from strongroom.wire import binary
from strongroom.wire.item import BYTE_STRING, Item
from strongroom.wire.place import LONG

_LARGEST_REST: Final = 1024
"""Bytes of a request that are remembered at most, beside its byte strings."""

_LAYOUTS: Final = 4
"""Layouts of messages of one client and length that are told apart."""

_REQUEST: Final = (("RequestMessage", None), ("BatchItem", None), ("RequestPayload", None))
_ITEM: Final = (("BatchItem", None), ("ResponsePayload", None))


class Computation(NamedTuple):
    """How something is done again, and from what. `record` is what is recorded each time.

    It holds no data of the request that it comes from: that may have been much, and secret.
    """

    again: Again
    version: Version
    record: Repeated | None
    basis: Basis


class Example(NamedTuple):
    """A request that was done: the items of its payload, its response, and the batch item of that."""

    spec: OperationSpec
    payload: list[Item]
    response: Response
    item: Item


class _Layout(NamedTuple):
    """Where in the bytes of a message the byte strings of its payload are, and what surrounds them."""

    values: tuple[slice, ...]
    rest: tuple[slice, ...]


class _Form:
    """A batch item with blanks for the byte strings of its payload, filled in from responses."""

    __slots__ = ("_blanks", "_fixed", "_rest", "_size")

    def __init__(self, encoded: bytes, layout: _Layout, names: list[str], response: Response) -> None:
        self._size = len(encoded)
        self._rest = [encoded[part] for part in layout.rest]
        self._blanks = [
            (2 * number + 1, name, part.stop - part.start)
            for number, (name, part) in enumerate(zip(names, layout.values, strict=True))
        ]
        self._fixed = [
            (field.name, getattr(response, field.name))
            for field in type(response).fields
            if field.name not in names
        ]

    def fill_in(self, response: Response) -> tuple[list[bytes], int] | None:
        """Return the item in parts, and its bytes; None for a response that differs in something else."""
        for name, value in self._fixed:
            if getattr(response, name) is not value:
                return None
        parts = [b""] * (2 * len(self._blanks) + 1)
        parts[::2] = self._rest
        for place, name, size in self._blanks:
            value = getattr(response, name)
            if type(value) is SecretBytes:
                value = value.reveal()
            if value is None or len(value) != size:
                return None
            parts[place] = value
        return parts, self._size


class _Known(NamedTuple):
    """A computation, the byte strings that it takes (field, what makes its value, where), and its answer.

    LONG ones are `viewed` where they are in the message.
    """

    computation: Computation
    taken: list[tuple[str, Callable[[bytes], Any], slice]]
    viewed: list[tuple[str, Callable[[memoryview], Any], slice]]
    form: _Form


class Computations:
    """Remembers computations, as many as answers; safe to use from one event loop."""

    __slots__ = ("_count", "_known", "_lengths", "_services")

    def __init__(self, services: Services) -> None:
        self._services = services
        self._count = 0
        self._known: dict[tuple[int, int], list[tuple[_Layout, dict[bytes, _Known]]]] = {}
        self._lengths: set[tuple[int, int]] = set()

    def find(self, caller: ClientIdentity, message: bytes) -> _Known | None:
        """Return the computation that this client has asked for with other data."""
        for layout, known in self._known.get((caller.client, len(message)), ()):
            found = known.get(b"".join([message[part] for part in layout.rest]))
            if found is not None:
                return found
        return None

    def keep(self, caller: ClientIdentity, message: bytes, example: Example, made: Computation) -> None:
        """Remember a computation whose data has this length for at least the second time."""
        size, length = self._services.remembered_answers, (caller.client, len(message))
        if not size:
            return
        if length not in self._lengths:
            if len(self._lengths) >= size:
                self._lengths.clear()
            self._lengths.add(length)
            return
        layout = _layout(message, _REQUEST)
        rest = b"".join([message[part] for part in layout.rest])
        known = _known(made, example, layout)
        if known is None or len(rest) > _LARGEST_REST:
            return
        if self._count >= size:
            self.clear()
        alike = self._alike(length, layout)
        self._count += rest not in alike
        alike[rest] = known

    def _alike(self, length: tuple[int, int], layout: _Layout) -> dict[bytes, _Known]:
        """Return what is known of messages of a layout; the oldest of too many layouts is given up."""
        layouts = self._known.setdefault(length, [])
        for other, known in layouts:
            if other == layout:
                return known
        if len(layouts) == _LAYOUTS:
            self._count -= len(layouts.pop()[1])
        layouts.insert(0, (layout, {}))
        return layouts[0][1]

    def _forget(self, caller: ClientIdentity, message: bytes) -> None:
        """Drop what `find` finds."""
        length = caller.client, len(message)
        layouts = self._known.get(length, [])
        for layout, known in layouts:
            if known.pop(b"".join([message[part] for part in layout.rest]), None) is not None:
                self._count -= 1
        if not any(known for _, known in layouts):  # what is left of lengths would not be counted
            self._known.pop(length, None)

    def clear(self) -> None:
        """Drop all of them."""
        self._known.clear()
        self._count = 0

    async def again(self, known: _Known, message: bytes, connection: Connection) -> Answer | None:
        """Return the response to a message that `find` has found; None: it has to be done in full."""
        services, computation, caller = self._services, known.computation, connection.client
        now = services.clock.now()
        try:
            if not await computation.basis.holds(caller, now, services.store):
                self._forget(caller, message)
                return None
            turn.client.set(caller.client)
            given = {name: make(message[part]) for name, make, part in known.taken}
            for name, look_at, part in known.viewed:
                given[name] = look_at(memoryview(message)[part])
            response = await computation.again(**given)
            item = known.form.fill_in(response)
            if item is None:
                return None
            if computation.record is not None:
                services.audit.record_again(computation.record, now, connection.peer)
        except Exception:  # noqa: BLE001 - done in full, the request says what is wrong
            return None
        return Answers(computation.version, now).around(*item)


def _known(computation: Computation, example: Example, layout: _Layout) -> _Known | None:
    """Return how to do a computation again; None for what has byte strings that are no fields."""
    asked = _fields(example.spec.request, example.payload)
    answered = _fields(example.spec.response, example.item[2][-1][2])
    encoded = binary.encode(example.item)
    form = _layout(encoded, _ITEM)
    if len(asked) != len(layout.values) or len(answered) != len(form.values):
        return None
    known = _Known(
        computation, [], [], _Form(encoded, form, [field.name for field in answered], example.response)
    )
    for field, part in zip(asked, layout.values, strict=True):
        secret = field.kind is SecretBytes
        if part.stop - part.start < LONG:
            known.taken.append((field.name, SecretBytes if secret else bytes, part))
        else:
            known.viewed.append((field.name, SecretBytes if secret else memoryview, part))
    return known


def _fields(of: StructMeta, items: list[Item]) -> list[Field]:
    """Return the fields of the byte strings in a structure."""
    fields = {field.tag: field for field in of.fields}
    return [fields[tag] for tag, kind, _ in items if kind == BYTE_STRING and tag in fields]


def _layout(encoded: bytes, path: tuple[tuple[str, None], ...]) -> _Layout:
    """Return where the byte strings are in the structure at `path`."""
    values, rest, before = list[slice](), list[slice](), 0
    for start, stop in binary.byte_strings(encoded, path):
        values.append(slice(start, stop))
        rest.append(slice(before, start))
        before = stop
    return _Layout(tuple(values), (*rest, slice(before, len(encoded))))
