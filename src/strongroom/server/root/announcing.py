"""A new root key is announced to the other nodes, in the store.

Rule: there is one announcement of each generation, and none is ever written over. So whichever is stored
first makes the root key of its generation, on every node; and a node that was away finds each one that it
missed, by which it gets from one root key to the next.

An announcement goes an hour after it came, and not while something may still be under the root key before it:
until then nobody else can take its number. One that a failover loses is made again by whoever has
followed it and is not done.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from strongroom.domain.entries import Entry, EntryChange, Kept
from strongroom.domain.ports import RootKeyError, WrappedKeys
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.model.struct import Own
from strongroom.server.ports import RootKeys

ANNOUNCED_FOR: Final = timedelta(hours=1)
"""How long a node that was away still finds an announcement in the store. Meanwhile whoever has the older
root key and the database can get at the newer one."""

CAME_FIRST: Final = "another root key came first; look at: strongroom server root status --data DIR"

_MOST: Final = 100
"""Announcements that are taken away at a time."""


class RootHandover(Entry, kind=60, passing=True):
    """A root key as its node has announced it: the record in `root.json`."""

    record: Annotated[str, Own(60)]


def place_of(generation: int) -> str:
    """Return the key of the announcement of a generation."""
    return f"root key {generation}"


async def announcement(store: ObjectStore, generation: int) -> Mapping[str, Any] | None:
    """Return what was announced of a generation, None for nothing. Raises StoreFailure and TamperedRecord."""
    kept = await store.load_entry(RootHandover, SYSTEM_TENANT, place_of(generation))
    return None if kept is None else json.loads(kept.value.record)


async def announce_to_nodes(prepared: Mapping[str, Any], store: ObjectStore, now: datetime) -> None:
    """Let every node know of a new root key.

    Raises StoreFailure, and RootKeyError when another one of this generation came first.
    """
    key = place_of(int(prepared["generation"]))
    value = RootHandover(record=json.dumps(prepared))
    after = Kept(tenant=SYSTEM_TENANT, key=key, owner=0, value=value, due=now + ANNOUNCED_FOR)
    try:
        await store.commit(Changes(entries=[EntryChange(RootHandover, SYSTEM_TENANT, key, 0, after)]))
    except LostRace:
        raise RootKeyError(CAME_FIRST) from None


async def announce_again(root_key: RootKeys, store: ObjectStore, now: datetime) -> None:
    """Let every node know of a root key that takes over here, where a failover has lost its announcement.

    Raises StoreFailure, TamperedRecord and RootKeyError.
    """
    if await announcement(store, root_key.generation) is None:
        try:
            await announce_to_nodes(root_key.prepared, store, now)
        except RootKeyError:  # another worker may have done the same
            await check_agreed(root_key, store)


async def check_nothing_missed(root_key: RootKeys, places: Sequence[WrappedKeys]) -> None:
    """Return if no key is wrapped by a root key that this node has not got. Raises RootKeyError.

    The announcement may be over that would say so, and its number free.
    """
    for place in places:
        for wrapped in await place.wrapped():
            if not root_key.holds(wrapped):
                raise RootKeyError(
                    f"one of the {place.name} was wrapped by another root key, which this server has not got;"
                    " stop it, and copy root.json and root.key from a server that has"
                )


async def check_agreed(root_key: RootKeys, store: ObjectStore) -> None:
    """Return if the other nodes have the same root key of this generation. Raises RootKeyError."""
    announced = await announcement(store, root_key.generation)
    if announced is not None and all(one["id"] != announced["id"] for one in root_key.described()):
        raise RootKeyError(
            f"another server announced root key {announced['id']} as generation {root_key.generation}, and"
            " this one has another: each cannot open what the other wraps. Replace no root key, stop this"
            " server, and ask for help"
        )


async def tidy(root_key: RootKeys, places: Sequence[WrappedKeys], store: ObjectStore, now: datetime) -> None:
    """Take away announcements that are over. Raises StoreFailure, TamperedRecord and RootKeyError."""
    due = [] if root_key.changing else await store.due_entries(RootHandover, now, _MOST)
    if due:
        # A node that has still to follow takes away nothing. In a store that was restored from a backup there
        # may be announcements of another installation; nothing is wrapped by their root keys.
        await check_nothing_missed(root_key, places)
    for kept in due:
        gone = EntryChange(RootHandover, kept.tenant, kept.key, kept.generation, None)
        try:
            await store.commit(Changes(entries=[gone]))
        except LostRace:
            continue  # another worker or node did the same
