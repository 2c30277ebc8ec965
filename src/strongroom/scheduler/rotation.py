"""Keys and certificates that the server rotates by itself.

Rule: nothing is remembered here that matters. What is due is in the index of the store; whether it still is,
is asked again inside the unit of work that rotates it. So any number of schedulers on any number of nodes may
run: the one whose commit comes second finds the object rotated and does nothing.

A rotation is done as the owner of the object, as a transaction like that of a request, with an audit event
whose peer is `scheduler`.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from strongroom.attributes.due import ROTATIONS, rotation_due
from strongroom.domain.context import Objects
from strongroom.domain.identity import DEFAULT_TENANT, ClientId, ClientIdentity, Connection, TenantId
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import OperationSpec
from strongroom.domain.store import ObjectStore
from strongroom.domain.store_failures import StoreFailure
from strongroom.engine.transactions import Transactions
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.struct import Seconds
from strongroom.registry import Tag

PAGE: Final = 32
"""Objects of one look, which is one step in an index when nothing is due. Other jobs wait meanwhile."""

_PEER: Final = "scheduler"
_FIRST_PAUSE: Final = 10.0
_LONGEST_PAUSE: Final = 3600.0
"""Seconds until an object whose rotation failed is tried again: doubled each time."""


class NotDue(Exception):
    """Somebody else was quicker, or the object was changed since it was looked for."""


_Place: TypeAlias = tuple[int, UniqueIdentifier]
"""Tenant and identifier."""


class _Pause(NamedTuple):
    """An object is left alone until then, on the clock of the event loop."""

    until: float
    length: float


class Rotations:
    """A job of the timetable: rotates what is due.

    `on_failure` is told of each attempt that did not work, and why.
    """

    def __init__(
        self,
        store: ObjectStore,
        transactions: Transactions,
        operations: Mapping[int, OperationSpec],
        *,
        tenants: Callable[[], Collection[TenantId]] = lambda: (DEFAULT_TENANT,),
        on_rotation: Callable[[UniqueIdentifier], None],
        on_failure: Callable[[UniqueIdentifier, BaseException], None],
    ) -> None:
        self._store = store
        self._transactions = transactions
        self._operations = operations
        self._tenants = tenants
        self._on_rotation = on_rotation
        self._on_failure = on_failure
        self._pauses: dict[_Place, _Pause] = {}

    async def __call__(self, now: datetime) -> None:
        await self.once(now)

    async def once(self, now: datetime) -> int:
        """Rotate a page of what is due in each tenant; return how many were rotated. Raises StoreFailure."""
        time = asyncio.get_running_loop().time()
        # What was not seen for long is gone, or was cured.
        self._pauses = {i: p for i, p in self._pauses.items() if time < p.until + _LONGEST_PAUSE}
        rotated = 0
        for tenant in self._tenants():
            waiting = [i for (of, i), pause in self._pauses.items() if of == tenant and time < pause.until]
            put_off = partial(self._put_off, time, tenant)
            due = await self._store.rotations_due(
                tenant, now, maximum=PAGE, excluded=waiting, damaged=put_off
            )
            rotated += await self._rotate_all(due, now, time)
        return rotated

    async def _rotate_all(self, due: Iterable[ManagedObject], now: datetime, time: float) -> int:
        rotated = 0
        for obj in due:
            place = (obj.tenant, obj.unique_identifier)
            try:
                await self._rotate(obj, now)
            except StoreFailure:
                raise
            except NotDue:
                self._pauses[place] = _Pause(time + _FIRST_PAUSE, _FIRST_PAUSE)
                continue
            except Exception as exc:  # noqa: BLE001 - the edge: one object does not hold up the others
                self._put_off(time, obj.tenant, obj.unique_identifier, exc)
                continue
            self._pauses.pop(place, None)
            self._on_rotation(obj.unique_identifier)
            rotated += 1
        return rotated

    def _put_off(self, time: float, tenant: int, identifier: UniqueIdentifier, why: Exception) -> None:
        """Leave an object alone for a while, so that it keeps no other one back, and tell why."""
        before = self._pauses.get((tenant, identifier))
        if before is not None and time < before.until:
            return  # no list of what waits can name it: it has an identifier of another type
        pause = _FIRST_PAUSE if before is None else min(before.length * 2, _LONGEST_PAUSE)
        self._pauses[tenant, identifier] = _Pause(time + pause, pause)
        self._on_failure(identifier, why)

    async def _rotate(self, obj: ManagedObject, now: datetime) -> None:
        """Rotate one object; raises NotDue, and whatever stops the operation."""
        operation = ROTATIONS[obj.object_type]
        owner = ClientIdentity(client=ClientId(obj.owner), tenant=TenantId(obj.tenant), name=_PEER)
        payload: Any = self._operations[operation].request
        request = payload(unique_identifier=obj.unique_identifier, offset=_offset(obj))

        async def is_due(objects: Objects) -> None:
            due = rotation_due(await objects.get(obj.unique_identifier))
            if due is None or due > now:
                raise NotDue

        await self._transactions.carry_out(operation, request, Connection(client=owner, peer=_PEER), is_due)


def _offset(obj: ManagedObject) -> Seconds | None:
    """Return the Offset of the rotation: Rotate Offset or, for an object that is or will be in use, 0.

    So the dates of the successor follow from its own beginning. What has no Activation Date is replaced by
    what has none either (None), unless Rotate Offset says otherwise.
    """
    offset: Seconds | None = obj.value(Tag.ROTATE_OFFSET)
    if offset is None and obj.value(Tag.ACTIVATION_DATE) is not None:
        return Seconds(0)
    return offset
