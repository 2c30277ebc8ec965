"""How much clients and tenants may store.

Rule: what is stored is counted by the database, and the count is remembered while there is room: a count for
each new object would cost more than the object, and a counter in each commit would let only one client at a
time commit. So near a limit the count is at most a second old, and a limit can be passed by what other
workers store within that second, never by what this one does. What an object grows by counts like what is
new, so that a small one is no way to store a large one.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from strongroom.domain.errors import ServerLimitExceeded
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.store import ObjectStore, Usage
from strongroom.domain.tenants import Tenant
from strongroom.model.attribute_items import encode_stored
from strongroom.model.attribute_list import AttributeInstance, AttributeKey
from strongroom.model.objects import encode_object
from strongroom.registry import Tag
from strongroom.wire import binary

OLDEST: Final = 60.0
"""Seconds that a count is remembered at most."""

NEWEST: Final = 1.0
"""Seconds that it is remembered at least."""

_PART: Final = 8
"""It is remembered until one part in so many of the room is used here: others use some too."""

_ATTRIBUTES: Final = 1024
"""Bytes that the attributes and the seal of a new object are taken for, until it is counted; and by which it
may grow when its State changes."""

_KEPT: Final = 10_000


@dataclass(frozen=True, kw_only=True)
class QuotaLimits:
    """Objects of a client and of a tenant, bytes of a tenant; 0 is no limit."""

    client_objects: int = 0
    tenant_objects: int = 0
    tenant_bytes: int = 0


NO_QUOTAS: Final = QuotaLimits()


class Rewritten(NamedTuple):
    """An object that is stored already, as it is stored and as it will be."""

    before: ManagedObject
    after: ManagedObject
    replaced: bool


def rewritten_of(
    changed: Iterable[ManagedObject],
    sources: Iterable[ManagedObject],
    adopted: Mapping[str, ManagedObject | None],
) -> list[Rewritten]:
    """Return changed objects beside what is stored; `adopted` are those in whose place they are, None: in
    nobody's, so that nothing is."""
    stored: dict[str, ManagedObject | None] = {**adopted}
    stored.update((obj.unique_identifier, obj) for obj in sources)
    found = ((stored[obj.unique_identifier], obj) for obj in changed)
    return [
        Rewritten(before, after, after.unique_identifier in adopted)
        for before, after in found
        if before is not None
    ]


class _More(NamedTuple):
    """What a request adds: objects, those of them that are the caller's, bytes."""

    objects: int
    own: int
    bytes: int


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

    def apply(self, tenant: int) -> bool:
        """Tell whether the tenant or its clients have a limit."""
        limits = self._of(tenant)
        return bool(limits.client_objects or limits.tenant_objects or limits.tenant_bytes)

    async def check(
        self, caller: ClientIdentity, made: Sequence[ManagedObject], rewritten: Sequence[Rewritten]
    ) -> None:
        """Return if there is room for what is new or grows; raises ServerLimitExceeded and StoreFailure."""
        limits = self._of(caller.tenant)
        more = _more(caller, made, rewritten, sized=limits.tenant_bytes > 0)
        if limits.client_objects and more.own:
            own = more._replace(objects=more.own)
            count = await self._count(caller.tenant, caller.client, limits.client_objects, 0, own)
            stored, most = count.objects + count.new_objects, limits.client_objects
            if stored + more.own > most:
                raise ServerLimitExceeded(
                    f"{caller.name} has {stored} objects of at most {most}; destroy some, or have the"
                    " administrator raise it"
                )
        if (limits.tenant_objects and more.objects) or more.bytes > 0:
            objects, size = limits.tenant_objects, limits.tenant_bytes
            count = await self._count(caller.tenant, None, objects, size, more)
            # Without numbers: they would tell each client how much the others store.
            if objects and more.objects and count.objects + count.new_objects + more.objects > objects:
                raise ServerLimitExceeded(
                    "the tenant has as many objects as it may have; destroy some, or have the administrator"
                    " raise the limit"
                )
            if more.bytes > 0 and count.bytes + count.new_bytes + more.bytes > size:
                raise ServerLimitExceeded(
                    "the objects of the tenant would take more bytes than they may; destroy or obliterate"
                    " some, or have the administrator raise the limit"
                )

    def note(
        self, caller: ClientIdentity, made: Sequence[ManagedObject], rewritten: Sequence[Rewritten]
    ) -> None:
        """Count what was stored."""
        own = self._counts.get((caller.tenant, caller.client))
        everybody = self._counts.get((caller.tenant, None))
        if own is None and everybody is None:
            return
        more = _more(caller, made, rewritten, sized=self._of(caller.tenant).tenant_bytes > 0)
        if own is not None:
            own.new_objects += more.own
        if everybody is not None:
            everybody.new_objects += more.objects
            everybody.new_bytes += max(more.bytes, 0)  # what becomes less is seen when it is counted

    def _of(self, tenant: int) -> QuotaLimits:
        """Return the limits of a tenant."""
        own, limits = self.tenants.get(tenant), self._limits
        if own is None:
            return limits
        return QuotaLimits(
            client_objects=_choose(own.most_client_objects, limits.client_objects),
            tenant_objects=_choose(own.most_objects, limits.tenant_objects),
            tenant_bytes=_choose(own.most_bytes, limits.tenant_bytes),
        )

    async def _count(self, tenant: int, owner: int | None, objects: int, size: int, more: _More) -> _Count:
        """Return what is stored, counted anew when what was remembered may be wrong by too much."""
        count, now = self._counts.get((tenant, owner)), self._clock()
        if count is not None:
            near = (objects and (count.new_objects + more.objects) * _PART > objects - count.objects) or (
                size and (count.new_bytes + more.bytes) * _PART > size - count.bytes
            )
            if now - count.at < (NEWEST if near else OLDEST):
                return count
        if len(self._counts) >= _KEPT:
            self._counts.clear()
        count = self._counts[tenant, owner] = _Count(await self._store.usage(tenant, owner), now)
        return count


def _choose(own: int | None, common: int) -> int:
    return common if own is None else own


def _more(
    caller: ClientIdentity, made: Sequence[ManagedObject], rewritten: Sequence[Rewritten], *, sized: bool
) -> _More:
    """Return what new objects and changes of others add; bytes only where they are limited."""
    # What was destroyed does not count as an object, until an Import puts another one in its place.
    revived = [r.after for r in rewritten if r.before.destroyed and not r.after.destroyed]
    size = sum(map(_size, made)) + sum(map(_growth, rewritten)) if sized else 0
    own = sum(obj.owner == caller.client for obj in revived)
    return _More(len(made) + len(revived), len(made) + own, size)


def _size(made: ManagedObject) -> int:
    """Return about how many bytes the record of a new object will take."""
    return _material(made) + max(_ATTRIBUTES, sum(map(_length, made.attributes.items())))


def _growth(rewritten: Rewritten) -> int:
    """Return by how many bytes a record grows; below zero when it gets shorter.

    Dates, numbers and flags are left out, and the little that comes with another State: an object has a few
    of them once, most are the server's, and what is there has to be used, archived and revoked at the limit.
    """
    before, after, replaced = rewritten
    grown = 0
    if before.material is not after.material or before.as_registered is not after.as_registered:
        grown = _material(after) - _material(before)
    for key in before.attributes.keys() | after.attributes.keys():
        old, new = before.attributes.get(key, ()), after.attributes.get(key, ())
        if old is not new:
            grown += _length((key, new)) - _length((key, old))
    if 0 < grown <= _ATTRIBUTES and before.state is not after.state and not replaced:
        return 0
    return grown


def _material(obj: ManagedObject) -> int:
    forms = [form for form in (obj.material, obj.as_registered) if form is not None]
    return sum(len(binary.encode(encode_object(form, None))) for form in forms)


def _length(attribute: tuple[AttributeKey, tuple[AttributeInstance, ...]]) -> int:
    """Return how many bytes of a record the instances of an attribute take, without those of fixed size."""
    key, instances = attribute
    if isinstance(key, Tag) and len(instances) <= 1:
        instances = tuple(i for i in instances if not isinstance(i.value, int | datetime))
    return sum(len(binary.encode(encode_stored(instance))) for instance in instances)
