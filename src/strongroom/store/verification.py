"""A store compared with itself: every record with its seal, with the chain of changes and with the index.

Rule: this finds, it neither decides nor mends. A record that was edited does not open. One that was put back
opens, but the chain of changes knows a later generation; one that was taken away leaves its events behind.
The index is compared as a whole, by sums of keyed hashes, and object by object only where the sums differ, so
that memory does not grow with the store.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeAlias

from strongroom.attributes.index import terms
from strongroom.domain.audit import ADMINISTRATION, GONE, named
from strongroom.domain.backups import STORE_KEYS, Row, Table, Tables
from strongroom.domain.chain import EMPTY, Head, extend
from strongroom.domain.doubts import Doubt, Subject
from strongroom.domain.entries import passes
from strongroom.domain.objects import ManagedObject
from strongroom.store import statements
from strongroom.store.changes import name_key
from strongroom.store.mapping import from_row, names
from strongroom.store.records import EntryRow, ObjectRow, StoreKeyRow
from strongroom.store.sealing import RecordTampered, StoreKeys, UnknownStoreKey
from strongroom.store.witness import WITNESSED, Witnesses
from strongroom.wire.errors import DecodeError

OBJECTS: Final = Table("objects", tuple(statements.OBJECT_COLUMNS.split(", ")))
ENTRIES: Final = Table("entries", tuple(statements.ENTRY_COLUMNS.split(", ")))
CLIENTS: Final = Table("clients", ("client", "revision"))
AUDIT: Final = Table("audit", ("sequence", "event"), ("sequence",))
CHAIN: Final = Table("audit", ("position", "hash", "event"), ("position",))
TERMS: Final = Table("terms", ("tenant", "term", "sequence"))
NAMES: Final = Table("names", ("tenant", "owner", "name"))

KEYS: Final = Table(STORE_KEYS, ("store_key", "wrapped", "created_at"))

AT_ONCE: Final = 100_000
"""Records whose generations are held in memory; a larger store is read several times."""

_SEARCHED: Final = 10_000
"""Objects whose index terms are held in memory while the ones that differ are looked for."""

MOST_DOUBTS: Final = 1_000
"""Doubts that are told; a store with more of them has one trouble, not a thousand."""

_MODULUS: Final = 1 << 256

_Key: TypeAlias = tuple[Any, ...]
"""What the chain of changes knows a record by: its subject, then what is unique among those."""


class _Sums:
    """Sums of keyed hashes of everything that was added and taken away: 0 when it was the same."""

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self.value = 0

    def add(self, row: Row, sign: int) -> None:
        digest = blake2b(repr(row).encode(), key=self._key, digest_size=32).digest()
        self.value = (self.value + sign * int.from_bytes(digest)) % _MODULUS


class _Seen(NamedTuple):
    """A record as it stands in its table."""

    key: _Key
    tenant: int
    name: str
    generation: int


async def verify(snapshot: Tables, keys: StoreKeys, *, at_once: int = AT_ONCE) -> AsyncIterator[Doubt]:
    """Yield what cannot be true of a store, at most MOST_DOUBTS. Raises StoreFailure.

    `at_once` is how many records are held in memory. Takes long; others have their turn on the event loop.
    """
    told = 0
    async for doubt in _verify(snapshot, keys, at_once):
        yield doubt
        told += 1
        if told == MOST_DOUBTS:
            return


async def _verify(snapshot: Tables, keys: StoreKeys, at_once: int) -> AsyncIterator[Doubt]:
    index, owned = _Sums(), _Sums()
    damaged = False
    async for obj, doubt in _objects(snapshot, keys):
        if obj is None:
            assert doubt is not None
            damaged = True
            yield doubt
            continue
        for row in _term_rows(obj):
            index.add(row, +1)
        for row in _name_rows(obj):
            owned.add(row, +1)
    async for doubt in _entries(snapshot, keys):
        yield doubt
    async for doubt in _store_keys(snapshot, keys):
        yield doubt
    async for doubt in _chain(snapshot):
        yield doubt
    async for doubt in _history(snapshot, keys, at_once):
        yield doubt
    if damaged:
        return  # what a record that does not open should have in the index is not known
    for table, sums, expected in ((TERMS, index, _term_rows), (NAMES, owned, _name_rows)):
        async for page in _pages(snapshot, table):
            for row in page:
                sums.add(_plain(row), -1)
        if sums.value:
            async for doubt in _differing(snapshot, keys, table, expected):
                yield doubt


async def _pages(snapshot: Tables, table: Table) -> AsyncIterator[Sequence[Row]]:
    async for page in snapshot.rows(table):
        yield page
        await asyncio.sleep(0)


async def _objects(
    snapshot: Tables, keys: StoreKeys
) -> AsyncIterator[tuple[ManagedObject | None, Doubt | None]]:
    """Yield every object, or what is wrong with its record."""
    async for page in _pages(snapshot, OBJECTS):
        for values in page:
            row = ObjectRow._make(values)
            try:
                yield from_row(row, keys.open(row)), None
            except (RecordTampered, UnknownStoreKey, DecodeError, ValueError):
                yield (
                    None,
                    Doubt(
                        Subject.OBJECT,
                        row.tenant,
                        str(row.unique_identifier),
                        "its record was edited or damaged, or belongs to another one",
                    ),
                )


async def _entries(snapshot: Tables, keys: StoreKeys) -> AsyncIterator[Doubt]:
    async for page in _pages(snapshot, ENTRIES):
        for values in page:
            row = EntryRow._make(values)
            try:
                keys.open(row)
            except (RecordTampered, UnknownStoreKey):
                yield Doubt(
                    Subject.ENTRY,
                    row.tenant,
                    f"{row.kind}/{row.key}",
                    "its record was edited or damaged, or belongs to another one",
                )


async def _store_keys(snapshot: Tables, keys: StoreKeys) -> AsyncIterator[Doubt]:
    async for page in _pages(snapshot, KEYS):
        for values in page:
            row = StoreKeyRow._make(values)
            reason = keys.doubt(row)
            if reason is not None:
                yield Doubt(Subject.STORE_KEY, 0, str(row.store_key), reason)


async def _chain(snapshot: Tables) -> AsyncIterator[Doubt]:
    """Yield where an event was edited or taken out: what it said was changed would be forgotten with it."""
    end = EMPTY
    async for page in _pages(snapshot, CHAIN):
        for position, known, event in page:
            if position is None:
                continue  # on PostgreSQL events are chained a moment after their commit
            (head,) = extend(end, [_bytes(event)])
            if head != (position, _bytes(known)):
                reason = "the audit log was edited, or something taken out of it, here"
                yield Doubt(Subject.EVENT, 0, f"at position {position!r}", reason)
            end = Head(_whole(position), _bytes(known))


async def _history(snapshot: Tables, keys: StoreKeys, at_once: int) -> AsyncIterator[Doubt]:
    """Compare the generations of all records with those that the chain of changes has last."""
    records = sum([await snapshot.count(table) for table in (OBJECTS, ENTRIES, CLIENTS)])
    shards = max(1, -(-records // at_once))
    for shard in range(shards):

        def mine(key: _Key, shard: int = shard) -> bool:
            return shards == 1 or hash(key) % shards == shard

        history = _History(keys)
        async for page in _pages(snapshot, AUDIT):
            for sequence, event in page:
                doubt = history.add(_bytes(event), mine)
                if doubt is not None and not shard:
                    yield Doubt(Subject.EVENT, 0, str(sequence), doubt)
        async for seen in _generations(snapshot):
            if not mine(seen.key):
                continue
            known = history.last.pop(seen.key, None)
            reason = None if known is None else known.contradiction(seen)
            if known is not None and reason is not None:
                yield Doubt(seen.key[0], seen.tenant, seen.name, reason, known.newest)
        for key, known in history.last.items():
            if known.generation != GONE and not (key[0] is Subject.ENTRY and passes(key[2])):
                subject, tenant, name = _told(key)
                reason = "its record was taken away without being removed"
                yield Doubt(subject, tenant, name, reason, known.newest)


class _Known(NamedTuple):
    """What the chain of changes says of a record: its generation (GONE: it was removed), the newest that it
    ever had, and whether an old one has come back to be changed anew."""

    generation: int
    newest: int
    forked: bool

    def then(self, generation: int, *, decided: bool) -> "_Known":
        """Return what is known after one more change; `decided`: an administrator let it count."""
        if generation == GONE or self.generation == GONE:
            return _Known(generation, max(generation, self.newest), self.forked)
        forked = (self.forked or generation <= self.newest) and not (decided and generation > self.newest)
        return _Known(generation, max(generation, self.newest), forked)

    def contradiction(self, seen: _Seen) -> str | None:
        """Return why a record cannot be what its last recorded change left.

        What the server keeps for itself (a lease, the count of a ticket) changes without an event, so an
        entry may be newer than the audit log.
        """
        if self.generation == GONE:
            return "it was removed, and its record was put back"
        if seen.generation < self.generation:
            return f"an old record was put back: generation {seen.generation} of {self.generation}"
        if seen.key[0] is Subject.ENTRY:
            return None
        if seen.generation > self.generation:
            return f"it is newer than the audit log: generation {seen.generation} after {self.generation}"
        return "an old record was put back and changed since" if self.forked else None


class _History:
    """The changes of all records, in their order."""

    def __init__(self, keys: StoreKeys) -> None:
        self.last: dict[_Key, _Known] = {}
        self._witnesses = Witnesses(keys.event_key)
        self._witnessed = False

    def add(self, event: bytes, mine: Callable[[_Key], bool]) -> str | None:
        """Take one more event; return why it is not believed, None for one that is."""
        changes = b'"changed":' in event or b'"entries":' in event or b'"clients":' in event
        if not (changes or self._witnessed or WITNESSED in event):
            return None  # of a release that witnessed nothing
        doubt = self._witnesses.doubt(event)
        if doubt is not None:
            return doubt
        self._witnessed = True
        if not changes:
            return None
        said = json.loads(event)
        decided = said["operation"] == _TRUST
        for key, generation in _changed(said):
            if mine(key):
                before = self.last.get(key, _NEW)
                self.last[key] = before.then(generation, decided=decided)
        return None


_NEW: Final = _Known(GONE, GONE, forked=False)

_TRUST: Final = f"{ADMINISTRATION} store.trust"


def _changed(event: dict[str, Any]) -> Iterator[tuple[_Key, int]]:
    for identifier, generation, tenant in event.get("changed", ()):
        yield (Subject.OBJECT, tenant, identifier), generation
    for tenant, kind, key, generation in event.get("entries", ()):
        yield (Subject.ENTRY, tenant, kind, key), generation
    for client, revision in event.get("clients", ()):
        yield (Subject.CLIENT, client), revision


async def _generations(snapshot: Tables) -> AsyncIterator[_Seen]:
    """Yield every record with its generation, of a client its revision."""
    async for page in _pages(snapshot, OBJECTS):
        for values in page:
            row = ObjectRow._make(values)
            name = str(row.unique_identifier)
            generation = _whole(row.generation)
            yield _Seen((Subject.OBJECT, row.tenant, named(name)), row.tenant, name, generation)
    async for page in _pages(snapshot, ENTRIES):
        for values in page:
            entry = EntryRow._make(values)
            key = (Subject.ENTRY, entry.tenant, entry.kind, named(str(entry.key)))
            yield _Seen(key, entry.tenant, f"{entry.kind}/{entry.key}", _whole(entry.generation))
    async for page in _pages(snapshot, CLIENTS):
        for client, revision in page:
            yield _Seen((Subject.CLIENT, client), 0, str(client), _whole(revision))


def _told(key: _Key) -> tuple[Subject, int, str]:
    """Return how a record that is not there is called."""
    subject, *rest = key
    if subject is Subject.ENTRY:
        tenant, kind, name = rest
        return subject, tenant, f"{kind}/{name}"
    if subject is Subject.OBJECT:
        return subject, rest[0], rest[1]
    return subject, 0, str(rest[0])


def _term_rows(obj: ManagedObject) -> Iterable[Row]:
    return ((obj.tenant, term, obj.sequence) for term in terms(obj))


def _name_rows(obj: ManagedObject) -> Iterable[Row]:
    return ((row.tenant, row.owner, name_key(row.name)) for row in names(obj))


def _bytes(value: object) -> bytes:
    """Return bytes as they are stored, none for a value of another type: SQLite keeps any."""
    return bytes(value) if isinstance(value, bytes | memoryview) else b""


def _whole(value: object) -> int:
    """Return a number as it is stored, one that no record has for a value of another type."""
    return value if isinstance(value, int) else -1


def _plain(row: Row) -> Row:
    return tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)


async def _differing(
    snapshot: Tables,
    keys: StoreKeys,
    table: Table,
    expected: Callable[[ManagedObject], Iterable[Row]],
) -> AsyncIterator[Doubt]:
    """Yield the objects whose rows in a table of the index are not what their records say."""
    shards = max(1, -(-await snapshot.count(OBJECTS) // _SEARCHED))
    for shard in range(shards):
        wanted: dict[Row, ManagedObject] = {}
        async for obj, _ in _objects(snapshot, keys):
            if obj is not None:
                wanted |= {row: obj for row in expected(obj) if hash(row) % shards == shard}
        async for page in _pages(snapshot, table):
            for stored in page:
                row = _plain(stored)
                if hash(row) % shards == shard and wanted.pop(row, None) is None:
                    yield Doubt(Subject.INDEX, _whole(row[0]), _place(table, row), "it says what is not so")
        for obj in wanted.values():
            why = "the object is not found by what it has"
            yield Doubt(Subject.INDEX, obj.tenant, obj.unique_identifier, why)


def _place(table: Table, row: Row) -> str:
    """Return which row of the index it is: of a term the object, of a name its digest-free beginning."""
    return f"{table.name} of {row[2] if table is TERMS else row[1]!r}"
