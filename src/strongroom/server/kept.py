"""Entries that administrators change.

Rule: what is changed was read before, and a change that comes second is made again from what the first left.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

from strongroom.domain.entries import E, Entry, EntryChange, Kept
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.store_failures import DamagedEntry
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.errors import OperatorError
from strongroom.server.messages import Message

T = TypeVar("T")

ATTEMPTS: Final = 8
DAMAGED: Final = "damaged"
"""The field of a row of a list that says why there is no more in it."""

OF_THE_TENANT: Final = 0
"""The owner of entries that are no client's."""


def put(kind: type[E], tenant: int, key: str, value: E, before: Kept[E] | None) -> EntryChange:
    """Return the change that makes an entry, or gives the one that was read a new value."""
    after: Kept[Entry] = Kept(tenant=tenant, key=key, owner=OF_THE_TENANT, value=value)
    return EntryChange(kind, tenant, key, 0 if before is None else before.generation, after)


def drop(before: Kept[Entry]) -> EntryChange:
    """Return the change that removes an entry that was read."""
    return EntryChange(type(before.value), before.tenant, before.key, before.generation, None)


async def generation_of(store: ObjectStore, kind: type[Entry], tenant: int, key: str) -> int:
    """Return the generation of what takes its place here, also of what cannot be opened; 0 for nothing."""
    try:
        kept = await store.load_entry(kind, tenant, key)
    except DamagedEntry as damaged:
        return damaged.generation
    return 0 if kept is None else kept.generation


def unreadable(damaged: Iterable[DamagedEntry]) -> list[Message]:
    """Return what a list has of entries that cannot be opened, in the place of all else that it says."""
    return [{DAMAGED: f"{entry} (tenant {entry.tenant})"} for entry in damaged]


async def counted(store: ObjectStore, kind: type[E], key: str, value: E) -> EntryChange:
    """Return the change that counts up an entry of the system tenant whose generation is what matters."""
    return put(kind, SYSTEM_TENANT, key, value, await store.load_entry(kind, SYSTEM_TENANT, key))


async def decided(store: ObjectStore, decide: Callable[[], Awaitable[tuple[Sequence[EntryChange], T]]]) -> T:
    """Commit the changes that `decide` gives, and return what it gives beside them.

    It decides anew when another change came first. No changes are committed as none. Raises OperatorError
    when that happens again and again, and whatever `decide` raises.
    """
    for _ in range(ATTEMPTS):
        changes, result = await decide()
        if not changes:
            return result
        try:
            await store.commit(Changes(entries=changes))
        except LostRace:
            continue
        return result
    raise OperatorError("others keep changing the same; try again")
