"""How much clients and tenants may store.

Rule: what is stored is counted by the database, and the count is remembered while there is room: a count for
each new object would cost more than the object, and a counter in each commit would let only one client at a
time commit. So near a limit the count is at most a second old, and a limit can be passed by what other
workers store within that second, never by what this one does.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from strongroom.domain.errors import ServerLimitExceeded
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.store import ObjectStore, Usage
from strongroom.domain.tenants import Tenant
from strongroom.model.objects import encode_object
from strongroom.wire import binary

OLDEST: Final = 60.0
"""Seconds that a count is remembered at most."""

NEWEST: Final = 1.0
"""Seconds that it is remembered at least."""

_PART: Final = 8
"""It is remembered until one part in so many of the room is used here: others use some too."""

_ATTRIBUTES: Final = 1024
"""Bytes that the attributes and the seal of a new object are taken for, until it is counted."""

_KEPT: Final = 10_000


@dataclass(frozen=True, kw_only=True)
class QuotaLimits:
    """Objects of a client and of a tenant, bytes of a tenant; 0 is no limit."""

    client_objects: int = 0
    tenant_objects: int = 0
    tenant_bytes: int = 0


NO_QUOTAS: Final = QuotaLimits()


class _Count:
    """What was stored when it was counted, and what was added here since."""

    __slots__ = ("at", "bytes", "new_bytes", "new_objects", "objects")

    def __init__(self, usage: Usage, at: float) -> None:
        self.objects, self.bytes = usage
        self.at = at
        self.new_objects = self.new_bytes = 0


class Quotas:
    """Refuses what would be too much. One in each process."""

    def __init__(
        self, store: ObjectStore, limits: QuotaLimits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.tenants: Mapping[int, Tenant] = {}
        """What the administrator has laid down for single tenants; replaced as a whole."""
        self._store = store
        self._limits = limits
        self._clock = clock
        self._counts: dict[tuple[int, int | None], _Count] = {}

    async def check(self, caller: ClientIdentity, made: Sequence[ManagedObject]) -> None:
        """Return if there is room for new objects; raises ServerLimitExceeded and StoreFailure."""
        own, limits = self.tenants.get(caller.tenant), self._limits
        client_objects, objects, size = limits.client_objects, limits.tenant_objects, limits.tenant_bytes
        if own is not None:
            client_objects = _choose(own.most_client_objects, client_objects)
            objects = _choose(own.most_objects, objects)
            size = _choose(own.most_bytes, size)
        if client_objects:
            count = await self._count(caller.tenant, caller.client, client_objects, 0, made)
            _require_room(count.objects + count.new_objects, len(made), client_objects, caller.name)
        if objects or size:
            count = await self._count(caller.tenant, None, objects, size, made)
            if objects:
                _require_room(count.objects + count.new_objects, len(made), objects, "the tenant")
            if size and count.bytes + count.new_bytes + _size(made) > size:
                raise ServerLimitExceeded(
                    f"the objects of the tenant take {count.bytes + count.new_bytes} of {size} bytes; destroy"
                    " or obliterate some, or have the administrator raise the limit"
                )

    def note(self, caller: ClientIdentity, made: Sequence[ManagedObject]) -> None:
        """Count new objects that were stored."""
        for owner in (caller.client, None):
            count = self._counts.get((caller.tenant, owner))
            if count is not None:
                count.new_objects += len(made)
                if owner is None and self._counts_bytes(caller.tenant):
                    count.new_bytes += _size(made)

    def _counts_bytes(self, tenant: int) -> bool:
        own = self.tenants.get(tenant)
        return bool(_choose(None if own is None else own.most_bytes, self._limits.tenant_bytes))

    async def _count(
        self, tenant: int, owner: int | None, objects: int, size: int, made: Sequence[ManagedObject]
    ) -> _Count:
        """Return what is stored, counted anew when what was remembered may be wrong by too much."""
        count, now = self._counts.get((tenant, owner)), self._clock()
        if count is not None:
            near = (objects and (count.new_objects + len(made)) * _PART > objects - count.objects) or (
                size and (count.new_bytes + _size(made)) * _PART > size - count.bytes
            )
            if now - count.at < (NEWEST if near else OLDEST):
                return count
        if len(self._counts) >= _KEPT:
            self._counts.clear()
        count = self._counts[tenant, owner] = _Count(await self._store.usage(tenant, owner), now)
        return count


def _choose(own: int | None, common: int) -> int:
    return common if own is None else own


def _require_room(stored: int, more: int, limit: int, who: str) -> None:
    if stored + more > limit:
        raise ServerLimitExceeded(
            f"{who} has {stored} objects of at most {limit}; destroy some, or have the administrator raise it"
        )


def _size(made: Sequence[ManagedObject]) -> int:
    """Return about how many bytes the records of new objects will take."""
    forms = [form for obj in made for form in (obj.material, obj.as_registered) if form is not None]
    return sum(len(binary.encode(encode_object(form, None))) for form in forms) + _ATTRIBUTES * len(made)
