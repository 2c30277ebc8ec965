"""What is done with the records of a store that a backup is put into.

Rule: names and index terms are made again from the objects, which proves that they open. A record that does
not open stays as it is and is named; nobody can use it, here as there.
"""

import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol

from strongroom.attributes.index import terms
from strongroom.domain.audit import AuditEvent, Changed, ChangedEntry, encode_all, named
from strongroom.domain.backups import STORE_KEYS, AuditEnd, Opened, Row, Table
from strongroom.domain.chain import EMPTY, Head, link
from strongroom.domain.entries import EntryChange
from strongroom.domain.ports import RootKey
from strongroom.store import statements, verification
from strongroom.store.changes import client_row, name_key
from strongroom.store.entries import sealed_entry
from strongroom.store.mapping import from_row, names
from strongroom.store.records import EntryRow, ObjectRow, StoreKeyRow
from strongroom.store.sealing import RecordTampered, StoreKeys, UnknownStoreKey
from strongroom.store.witness import Witness
from strongroom.wire.errors import DecodeError

_OBJECTS: Final = Table("objects", tuple(statements.OBJECT_COLUMNS.split(", ")), ("sequence",))
_ENTRIES: Final = Table("entries", tuple(statements.ENTRY_COLUMNS.split(", ")))
_CLIENTS: Final = Table("clients", tuple(statements.CLIENT_COLUMNS.split(", ")))
_KEYS: Final = Table(STORE_KEYS, ("store_key", "wrapped", "created_at"))
_CHAIN: Final = Table("audit", ("event", "position", "hash"), ("position",))
_EVENTS: Final = Table("audit", ("sequence",))
_NEW_EVENTS: Final = Table("audit", ("sequence", "event"))
_TERMS: Final = Table("terms", ("tenant", "term", "sequence"))
_NAMES: Final = Table("names", ("tenant", "owner", "name"))

_MOST_REFUSED: Final = 1000
"""Names of records that are kept for the report."""

_UNOPENED: Final = (RecordTampered, UnknownStoreKey, DecodeError, ValueError)


class Filled(Protocol):
    """What a database does for it: see `domain.backups.Filling`."""

    async def count(self, table: Table) -> int: ...
    def rows(self, table: Table) -> AsyncIterator[Sequence[Row]]: ...
    async def put(self, table: Table, rows: Sequence[Row]) -> None: ...
    async def put_unless_there(self, table: Table, rows: Sequence[Row]) -> None: ...


class RefilledRecords:
    """The half of `domain.backups.Filling` that is the same for both databases."""

    async def open_records(self: Filled, root_key: RootKey, *, every: int = 1) -> Opened:
        keys = await _store_keys(self, root_key)
        opened = Opened()
        await _open_objects(self, keys, opened, every)
        async for entry in _some(self, _ENTRIES, every):
            try:
                keys.open(EntryRow._make(entry))
                opened.entries += 1
            except _UNOPENED:
                _refuse(opened, f"entry {entry[1]!s}/{entry[2]!s}")
        async for stored in _some(self, _CLIENTS, every):
            client = client_row(stored)
            if client.sealed is None:
                continue  # of an older release: it is sealed at the first start
            try:
                keys.open(client)
                opened.clients += 1
            except _UNOPENED:
                _refuse(opened, f"client {client.name}")
        return opened

    async def doubts(self: Filled, root_key: RootKey) -> list[str]:
        keys = await _store_keys(self, root_key)
        return [
            f"{doubt.subject.value} {doubt.name}: {doubt.reason}"
            async for doubt in verification.verify(self, keys)
        ]

    async def audit_end(self: Filled) -> AuditEnd:
        head = EMPTY
        breaks: list[str] = []
        async for page in self.rows(_CHAIN):
            for event, position, hash_ in page:
                if position is None:
                    continue  # it has no place in the chain yet
                following = Head(
                    head.position + 1, link(head.hash, event) if isinstance(event, bytes) else b""
                )
                if (position, hash_) != following and len(breaks) < _MOST_REFUSED:
                    breaks.append(repr(position))
                # The server that it came from has gone on behind what is stored.
                if isinstance(position, int) and isinstance(hash_, bytes):
                    head = Head(position, hash_)
        return AuditEnd(head.position, head.hash.hex(), tuple(breaks))

    async def mark(self: Filled, root_key: RootKey, marker: EntryChange, event: AuditEvent) -> None:
        keys = await _store_keys(self, root_key)
        # The newest seals, also where the clock of this host is behind.
        fresh = keys.create(max(int(event.at.timestamp()), keys.newest_at) + 1)
        await self.put(_KEYS, [tuple(fresh.row)])
        keys.take_over(fresh)
        assert marker.after is not None, "a marker is no removal"
        row = sealed_entry(keys, marker, marker.after)
        await self.put(_ENTRIES, [tuple(row)])
        changed = ChangedEntry(row.tenant, row.kind, named(row.key), row.generation)
        key = keys.event_key(fresh.row.store_key)
        assert key is not None, "it was loaded a moment ago"
        witness = Witness()
        stored = [
            witness.add(one, fresh.row.store_key, key)
            for one in encode_all([event], Changed(entries=(changed,)))
        ]
        last = 0
        async for page in self.rows(_EVENTS):
            last = max((last, *(number for (number,) in page if isinstance(number, int))))
        # Without a place in the chain: whoever writes next gives it the one behind all others.
        numbered = itertools.count(last + 1)
        await self.put(_NEW_EVENTS, [(next(numbered), one) for one in stored])


async def _open_objects(store: Filled, keys: StoreKeys, opened: Opened, every: int) -> None:
    """Open objects, and index them when it is all of them."""
    new_terms: list[Row] = []
    new_names: set[Row] = set()

    async def flush(most: int) -> None:
        if len(new_terms) > most:
            await store.put(_TERMS, new_terms)
            # A record that somebody put back may bear a name that another has now: the older object keeps it.
            await store.put_unless_there(_NAMES, list(new_names))
            new_terms.clear()
            new_names.clear()

    async for values in _some(store, _OBJECTS, every):
        row = ObjectRow._make(values)
        try:
            obj = from_row(row, keys.open(row))
        except _UNOPENED:
            _refuse(opened, f"object {row.unique_identifier}")
            continue
        opened.objects += 1
        if every == 1:
            new_terms += [(obj.tenant, term, obj.sequence) for term in set(terms(obj))]
            new_names |= {(name.tenant, name.owner, name_key(name.name)) for name in names(obj)}
            await flush(_AT_ONCE)
    await flush(0)


_AT_ONCE: Final = 5000
"""Index terms that are written at once."""


async def _some(store: Filled, table: Table, every: int) -> AsyncIterator[Row]:
    number = 0
    async for page in store.rows(table):
        for row in page:
            if number % every == 0:
                yield row
            number += 1


def _refuse(opened: Opened, name: str) -> None:
    if len(opened.refused) < _MOST_REFUSED:
        opened.refused.append(name)


async def _store_keys(store: Filled, root_key: RootKey) -> StoreKeys:
    keys = StoreKeys(root_key)
    async for page in store.rows(_KEYS):
        keys.load(StoreKeyRow._make(row) for row in page)
    return keys
