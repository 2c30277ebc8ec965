"""Encryptions and their like, done again with other data.

Rule: two requests of a client that differ in nothing but the byte strings of their payload ask for the same
with the same objects. When one of them was done and has changed nothing, the next is handed to its handler
with the objects that were read then, on the condition on which an answer is given again (`memory.py`). The
handler checks all that it always checks. What goes wrong, or turns out to be different, is left to the way
that every request can go.
"""

from typing import Any, Final, NamedTuple

from strongroom.domain import turn
from strongroom.domain.audit import AuditUnavailable, Repeated
from strongroom.domain.context import Context
from strongroom.domain.errors import KmipError
from strongroom.domain.identity import ClientIdentity, Connection
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.store import StoreFailure
from strongroom.engine.answers import Answer, Answers
from strongroom.engine.memory import Basis
from strongroom.engine.plans import Plan
from strongroom.engine.request import BatchItem
from strongroom.engine.services import Services
from strongroom.model.dialect import dialect_of
from strongroom.model.identifiers import ObjectReference
from strongroom.registry import Version
from strongroom.wire import binary
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import BYTE_STRING, Item

_LARGEST_REST: Final = 1024
"""Bytes of a request that are remembered at most, beside its byte strings."""

_LAYOUTS: Final = 4
"""Layouts of messages of one client and length that are told apart."""


class Computation(NamedTuple):
    """What was done, and from what. `record` is what is recorded each time that it is done again."""

    version: Version
    plan: Plan
    record: Repeated | None
    basis: Basis


class _Layout(NamedTuple):
    """Where in a message the byte strings of its payload are, and what surrounds them."""

    values: tuple[slice, ...]
    rest: tuple[slice, ...]


class _Known(NamedTuple):
    """A computation, its objects as they are for as long as it holds, and the payload that asked for it.

    `blanks` are the byte strings of the payload: which item, its tag, where in the message.
    """

    computation: Computation
    objects: tuple[ManagedObject, ...]
    payload: list[Item]
    blanks: tuple[tuple[int, int, slice], ...]


class Differs(Exception):
    """The handler asks for something that it was not given the last time."""


class _Seen:
    """The objects that were read when a request was done; see `domain.context.Objects`."""

    __slots__ = ("_given", "_objects")

    def __init__(self, objects: tuple[ManagedObject, ...]) -> None:
        self._objects = objects
        self._given: list[ManagedObject] = []

    async def get(
        self, reference: ObjectReference | None, *, permission: Permission | None = None, **_: bool
    ) -> ManagedObject:
        """Return a working copy; that the caller may have it has been shown."""
        for obj in self._objects:
            if obj.unique_identifier == reference and permission is None:
                given = obj.copy()
                self._given.append(given)
                return given
        raise Differs

    def check_unchanged(self) -> None:
        """Return if nothing was done to them that would have to be written or judged; raises Differs."""
        for given in self._given:
            if given.changed or given.revealed:
                raise Differs

    def __getattr__(self, name: str) -> Any:
        raise Differs


class _Nothing:
    """Stands for what a computation has not needed, and must not begin to need."""

    def __getattr__(self, name: str) -> Any:
        raise Differs


_NOTHING: Final[Any] = _Nothing()


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

    def keep(self, caller: ClientIdentity, message: bytes, item: BatchItem, computation: Computation) -> None:
        """Remember a computation whose data has this length for at least the second time."""
        size = self._services.remembered_answers
        if not size or not item.payload:
            return
        if item.unique_batch_item_id is not None or item.ephemeral is not None:
            return  # each such request is another one, or has an answer of its own
        length = caller.client, len(message)
        if length not in self._lengths:
            if len(self._lengths) >= size:
                self._lengths.clear()
            self._lengths.add(length)
            return
        layout = _layout(message)
        rest = b"".join([message[part] for part in layout.rest])
        places = [(n, field[0]) for n, field in enumerate(item.payload) if field[1] == BYTE_STRING]
        if len(rest) > _LARGEST_REST or len(places) != len(layout.values):
            return
        if self._count >= size:
            self.clear()
        blanks = tuple((n, tag, part) for (n, tag), part in zip(places, layout.values, strict=True))
        payload = [(tag, kind, b"" if kind == BYTE_STRING else value) for tag, kind, value in item.payload]
        objects = tuple(source.copy() for source in computation.basis.sources)
        for obj in objects:
            obj.settle(computation.basis.since)
        layouts = self._known.setdefault(length, [])
        known = next((known for other, known in layouts if other == layout), None)
        if known is None:
            known = {}
            layouts.insert(0, (layout, known))
            for _, oldest in layouts[_LAYOUTS:]:
                self._count -= len(oldest)
            del layouts[_LAYOUTS:]
        self._count += rest not in known
        known[rest] = _Known(computation, objects, payload, blanks)

    def _forget(self, caller: ClientIdentity, message: bytes) -> None:
        """Drop what `find` finds."""
        for layout, known in self._known.get((caller.client, len(message)), ()):
            if known.pop(b"".join([message[part] for part in layout.rest]), None) is not None:
                self._count -= 1

    def clear(self) -> None:
        """Drop all of them."""
        self._known.clear()
        self._count = 0

    async def again(self, known: _Known, message: bytes, connection: Connection) -> Answer | None:
        """Return the response to a message that `find` has found; None: it has to be done in full."""
        services, (version, plan, record, basis) = self._services, known.computation
        now, caller = services.clock.now(), connection.client
        try:
            if not await basis.holds(caller, now, services.store):
                self._forget(caller, message)
                return None
            turn.client.set(caller.client)
            payload = known.payload.copy()
            for place, tag, part in known.blanks:
                payload[place] = (tag, BYTE_STRING, message[part])
            objects = _Seen(known.objects)
            response = await plan.spec.handler(
                Context(
                    caller=caller,
                    now=now,
                    objects=objects,
                    entries=_NOTHING,
                    crypto=services.crypto,
                    streams=_NOTHING,
                    nested=_NOTHING,
                    policy=services.policy,
                    client_log=services.client_log,
                    backlog=_NOTHING,
                    server=services.server,
                    dialect=dialect_of(version),
                    roles=None,
                    provisioning=None,
                ),
                plan.decode(payload),
            )
            objects.check_unchanged()
            if record is not None:
                services.audit.record_again(record, now, connection.peer)
        except (Differs, KmipError, DecodeError, StoreFailure, AuditUnavailable):
            return None
        answers = Answers(version, now)
        return answers.answer([answers.success(plan.spec.operation, None, plan.encode(response))])


def _layout(message: bytes) -> _Layout:
    """Return where the byte strings of the payload of a well-formed message of one item are."""
    values, rest, before = list[slice](), list[slice](), 0
    for start, stop in binary.byte_strings(message, _PAYLOAD):
        values.append(slice(start, stop))
        rest.append(slice(before, start))
        before = stop
    return _Layout(tuple(values), (*rest, slice(before, len(message))))


_PAYLOAD: Final = (("RequestMessage", None), ("BatchItem", None), ("RequestPayload", None))
