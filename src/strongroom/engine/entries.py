"""What one unit of work reads and changes of the entries.

Rule: see `domain.entries.Entries`. An entry that is changed was read in the same unit of work, or is new; the
commit compares generations.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

from strongroom.domain.entries import E, Entry, EntryChange, EntryStore, Kept, passes
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.store_failures import DamagedEntry

_Place = tuple[type[Entry], str]


class WorkingEntries:
    """The port `Entries` over a store, with the changes of a unit of work."""

    __slots__ = ("_caller", "_changed", "_read", "_store", "asked")

    def __init__(self, store: EntryStore, caller: ClientIdentity) -> None:
        self._store = store
        self._caller = caller
        self.asked = False
        """Something was asked for, so that an answer depends on more than objects."""
        self._read: dict[_Place, Kept[Entry] | None] = {}
        self._changed: dict[_Place, Kept[Entry] | None] = {}

    async def get(self, kind: type[E], key: str) -> Kept[E] | None:
        self.asked = True
        place = (kind, key)
        if place in self._changed:
            return cast("Kept[E] | None", self._changed[place])
        if place not in self._read:
            self._read[place] = await self._store.load_entry(kind, self._caller.tenant, key)
        return cast("Kept[E] | None", self._read[place])

    async def mine(self, kind: type[E]) -> Sequence[Kept[E]]:
        self.asked = True
        found: dict[str, Kept[E]] = {}
        for stored in await self._store.entries_of(kind, self._caller.tenant, self._caller.client):
            # What was read first counts: the commit compares with that generation.
            first = self._read.setdefault((kind, stored.key), stored)
            if first is not None:
                found[stored.key] = cast("Kept[E]", first)
        for (changed, key), after in self._changed.items():
            if changed is kind and after is None:
                found.pop(key, None)
            elif changed is kind and after is not None and after.owner == self._caller.client:
                found[key] = cast("Kept[E]", after)
        return [found[key] for key in sorted(found)]

    def put(
        self,
        key: str,
        value: Entry,
        *,
        due: datetime | None = None,
        shared: bool = False,
        owner: int | None = None,
    ) -> None:
        place = (type(value), key)
        before = self._changed.get(place) or self._read.get(place)
        if before is None:
            if owner is None:
                owner = 0 if shared else self._caller.client
            self._changed[place] = Kept(
                tenant=self._caller.tenant, key=key, owner=owner, value=value, due=due
            )
        else:
            self._changed[place] = replace(before, value=value, due=due)

    def remove(self, kept: Kept[Entry]) -> None:
        self._changed[type(kept.value), kept.key] = None

    def savepoint(self) -> dict[_Place, Kept[Entry] | None]:
        """Return what `roll_back` needs to undo what is changed from here on."""
        return dict(self._changed)

    def roll_back(self, savepoint: dict[_Place, Kept[Entry] | None]) -> None:
        """Undo what was changed since; what was read stays read."""
        self._changed = savepoint

    def changes(self) -> Sequence[EntryChange]:
        """Return what a commit would do; an entry that was made and removed again is not in it."""
        if not self._changed:
            return ()
        found = []
        for (kind, key), after in self._changed.items():
            stored = self._read.get((kind, key))
            generation = 0 if stored is None else stored.generation
            if after is not None or generation:
                found.append(EntryChange(kind, self._caller.tenant, key, generation, after))
        return found


async def forget(store: ObjectStore, kept: Kept[Entry]) -> None:
    """Remove an entry that is over, unless it has changed since. Raises StoreFailure, and TypeError for one
    that only goes with an audit event."""
    await _remove(store, EntryChange(type(kept.value), kept.tenant, kept.key, kept.generation, None))


async def forget_damaged(store: ObjectStore, kind: type[Entry], damaged: DamagedEntry) -> None:
    """Remove an entry of which nobody can say what it was; as `forget`."""
    await _remove(store, EntryChange(kind, damaged.tenant, damaged.key, damaged.generation, None))


async def _remove(store: ObjectStore, change: EntryChange) -> None:
    if not passes(change.kind.kind):
        raise TypeError(f"{change.kind.__name__} is removed with an audit event, or is a passing entry")
    with contextlib.suppress(LostRace):
        await store.commit(Changes(entries=[change]))
