"""Objects on top of a back end: sealing, opening, caching, index terms.

Rule: the one implementation of the port `domain.store.ObjectStore` (`store/entries.py` has the entries,
`store/clients.py` the client records); what
differs between databases is in the back ends. An opened object is used only after a read in the same request
has shown that the write it came from is the newest (`domain.generation`).
"""

import copy
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from strongroom.attributes.index import changed_terms, due_range, filter_terms, sight_terms, terms
from strongroom.attributes.rules import matches
from strongroom.domain.audit import AuditChain, AuditEvent, Recording, encode_all
from strongroom.domain.doubts import MOST_DISTRUSTED, Distrusted
from strongroom.domain.entries import EntryChange
from strongroom.domain.generation import as_read
from strongroom.domain.objects import ManagedObject
from strongroom.domain.sight import Sight
from strongroom.domain.store import Changes, DoubtedObject, Found, LostRace, NameInUse, ObjectQuery, Usage
from strongroom.domain.store_failures import DamagedEntry, StoreFailure, TamperedRecord
from strongroom.domain.turn import Pace
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.store.changes import changed
from strongroom.store.clients import ClientRepository
from strongroom.store.mapping import encode_material, from_row, names, to_row
from strongroom.store.records import (
    NONCE_SIZE,
    Backend,
    ChangeSet,
    ClientExists,
    Conflict,
    LocateQuery,
    NameTaken,
    ObjectChange,
    ObjectRemoval,
    ObjectRow,
    StoreKeyLost,
    StoreUnavailable,
    TermRange,
    Visible,
    Written,
)
from strongroom.store.sealing import RecordTampered, StoreKeys, UnknownStoreKey, associated_data
from strongroom.store.store_keys import renew
from strongroom.store.stored_audit import StoredAudit
from strongroom.store.witness import Witness
from strongroom.wire.errors import DecodeError

_LARGEST: Final = 16_384
"""Bytes of a row that is kept opened at most: keys are far smaller, and 10,000 times 4 MiB is too much."""

_FOREVER: Final = datetime(9999, 1, 1, tzinfo=UTC)

_TRIES: Final = 3
"""How often a change is sealed again because the database has lost the store key."""

_PAGE: Final = 64
"""Candidates looked at in one go where a filter has no index."""


class Repository(ClientRepository):
    """The objects and entries of one store, as one process sees them.

    `cache_size` is the number of opened objects kept, `cache_seconds` how long at most; 0 turns the cache
    off.
    """

    def __init__(
        self, backend: Backend, keys: StoreKeys, *, cache_size: int = 10_000, cache_seconds: int = 300
    ) -> None:
        super().__init__(backend, keys)
        self._cache: OrderedDict[tuple[int, str], tuple[ManagedObject, float, Written]] = OrderedDict()
        self._cache_size = cache_size if cache_seconds else 0
        self._cache_seconds = cache_seconds
        self._recording: Recording | None = None
        self._distrusted: dict[tuple[int, str], str] = {}
        self._witness = Witness()
        self.read_only: str | None = None

    @property
    def chain(self) -> AuditChain:
        return StoredAudit(self._backend)

    def recording(self, recording: Recording) -> "Repository":
        # With the same cache and the same store keys: it is the same store.
        same = copy.copy(self)
        same._recording = recording
        return same

    async def load(
        self, tenant: int, unique_identifier: str, sight: Sight | None = None
    ) -> ManagedObject | None:
        place = (tenant, unique_identifier)
        try:
            cached = self._cache.get(place)
            # Out of sight is as good as not cached: the one query that follows is that for a missing object.
            if cached is not None and (sight is None or sight.covers(cached[0])):
                written = await self._backend.written(tenant, unique_identifier)
                if written == cached[2] and time.monotonic() < cached[1]:
                    return cached[0]
                self._cache.pop(place, None)
            visible = None if sight is None else _visible_one(sight, unique_identifier)
            row = await self._backend.fetch(tenant, unique_identifier, visible)
        except StoreUnavailable as exc:
            raise StoreFailure(str(exc)) from exc
        if row is None:
            return None
        obj = await self._open(row)
        self._remember(obj, row)
        return obj

    async def read_doubts(self) -> None:
        damaged: list[DamagedEntry] = []
        kept = await self.due_entries(Distrusted, _FOREVER, MOST_DISTRUSTED, damaged=damaged.append)
        # Whoever damages what says that an object is doubted does not have it trusted for that.
        unread = {(one.tenant, one.key): str(one) for one in damaged}
        if len(kept) + len(damaged) >= MOST_DISTRUSTED:  # nor by hiding it behind others
            unread |= self._distrusted
        self._distrusted = unread | {(one.tenant, one.key): one.value.reason for one in kept}
        for place in self._distrusted:
            self._cache.pop(place, None)

    async def version(self) -> int | None:
        try:
            return await self._backend.version()
        except StoreUnavailable as exc:
            raise StoreFailure(str(exc)) from exc

    async def usage(self, tenant: int, owner: int | None) -> Usage:
        try:
            return Usage(*await self._backend.usage(tenant, owner))
        except StoreUnavailable as exc:
            raise StoreFailure(str(exc)) from exc

    def mark(self) -> bytes | None:
        return self._backend.mark()

    def keeps(self, obj: ManagedObject) -> bool:
        return self._cached(obj) is not None

    def _cached(self, obj: ManagedObject) -> tuple[ManagedObject, float, Written] | None:
        cached = self._cache.get((obj.tenant, obj.unique_identifier))
        return cached if cached is not None and cached[0] is obj and time.monotonic() < cached[1] else None

    async def is_current(self, obj: ManagedObject) -> bool:
        cached = self._cached(obj)
        if cached is None:
            return False
        try:
            return await self._backend.written(obj.tenant, obj.unique_identifier) == cached[2]
        except StoreUnavailable as exc:
            raise StoreFailure(str(exc)) from exc

    async def _open(self, row: ObjectRow) -> ManagedObject:
        doubt = self._distrusted.get((row.tenant, row.unique_identifier))
        if doubt is not None:
            raise TamperedRecord(
                f"the stored record of {row.unique_identifier} is not trusted: {doubt}; restore a backup, or"
                " say that it counts: strongroom store trust"
            )
        return await self._open_row(row)

    async def _open_row(self, row: ObjectRow) -> ManagedObject:
        try:
            try:
                opened = self._keys.open(row)
            except UnknownStoreKey:
                # Another process made a new store key since we loaded ours.
                self._keys.load(await self._backend.store_keys())
                opened = self._keys.open(row)
            return from_row(row, opened)
        except (RecordTampered, UnknownStoreKey, DecodeError, ValueError) as exc:
            raise TamperedRecord(
                f"the stored record of {row.unique_identifier} cannot be trusted: {exc}"
            ) from exc

    def _remember(self, obj: ManagedObject, row: ObjectRow) -> None:
        if not self._cache_size or len(row.sealed) + len(row.attributes) > _LARGEST:
            self._cache.pop((obj.tenant, obj.unique_identifier), None)
            return
        while len(self._cache) >= self._cache_size:
            self._cache.popitem(last=False)
        until = time.monotonic() + self._cache_seconds
        self._cache[obj.tenant, obj.unique_identifier] = (
            obj,
            until,
            (row.generation, row.sealed[:NONCE_SIZE]),
        )

    async def locate(self, query: ObjectQuery) -> Found:
        plan = filter_terms(query.filters)
        if plan is None:
            return Found([], 0)
        if plan.unique_identifier is not None:
            return await self._only(plan.unique_identifier, query)
        sql = LocateQuery(
            tenant=query.tenant,
            owner=None if query.sight is None else query.sight.owner,
            visible=_visible(query.sight),
            storage=query.storage,
            object_type=plan.object_type,
            usage_mask=plan.usage_mask,
            effective_state=(None if plan.state is None else (plan.state, int(query.now.timestamp()))),
            terms=plan.terms,
            ranges=[TermRange(low, high) for low, high in plan.ranges],
            excluded=query.excluded,
            maximum=query.maximum,
            offset=query.offset,
            oldest_first=query.oldest_first,
        )
        try:
            if plan.examined:
                return await self._examine(query, sql)
            located = await self._backend.locate(sql)
        except StoreUnavailable as exc:
            raise StoreFailure(str(exc)) from exc
        return Found([UniqueIdentifier(i) for i in located.unique_identifiers], located.total)

    async def _only(self, unique_identifier: str, query: ObjectQuery) -> Found:
        """Look at the one object that can match."""
        obj = await self.load(query.tenant, unique_identifier, query.sight)
        if (
            obj is None
            or (query.sight is not None and not query.sight.covers(obj))
            or unique_identifier in query.excluded
        ):
            return Found([], 0)
        obj = obj.copy()
        obj.settle(query.now)
        if not obj.storage & query.storage or not matches(obj, query.filters, query.now):
            return Found([], 0)
        end = None if query.maximum is None else query.offset + query.maximum
        return Found([obj.unique_identifier][query.offset : end], 1)

    async def _examine(self, query: ObjectQuery, sql: LocateQuery) -> Found:
        """Look at what the index leaves over, page by page, where a filter has no index of its own."""
        found: list[UniqueIdentifier] = []
        wanted = None if query.maximum is None else query.offset + query.maximum
        sql.maximum, sql.offset = _PAGE, 0
        pace = Pace()
        while wanted is None or len(found) < wanted:
            page = (await self._backend.locate(sql)).unique_identifiers
            for identifier in page:
                await pace()
                obj = await self.load(query.tenant, identifier, query.sight)
                if obj is not None:
                    obj = obj.copy()
                    obj.settle(query.now)
                    if matches(obj, query.filters, query.now):
                        found.append(UniqueIdentifier(identifier))
            if len(page) < _PAGE:
                return Found(found[query.offset : wanted], len(found))
            sql.offset += _PAGE
        return Found(found[query.offset : wanted], None)

    async def rotations_due(
        self,
        tenant: int,
        now: datetime,
        *,
        maximum: int,
        excluded: Sequence[UniqueIdentifier] = (),
        damaged: Callable[[UniqueIdentifier, TamperedRecord], None],
    ) -> list[ManagedObject]:
        low, high = due_range(now)
        query = LocateQuery(
            tenant=tenant,
            owner=None,
            ranges=[TermRange(low, high)],
            excluded=excluded,
            maximum=maximum,
            oldest_first=True,
        )
        due: list[ManagedObject] = []
        try:
            located = await self._backend.locate(query)
        except StoreUnavailable as exc:
            raise StoreFailure(str(exc)) from exc
        for identifier in located.unique_identifiers:
            try:
                obj = await self.load(tenant, identifier)
            except TamperedRecord as exc:
                damaged(UniqueIdentifier(str(identifier)), exc)  # SQLite keeps values of any type
                continue
            if obj is not None:
                due.append(obj)
        return due

    async def wrapped_keys(self) -> Mapping[int, bytes]:
        try:
            return {row.store_key: row.wrapped for row in await self._backend.store_keys()}
        except StoreUnavailable as exc:
            raise StoreFailure(str(exc)) from exc

    async def doubted(self, tenant: int, unique_identifier: str) -> DoubtedObject:
        row = await self._row(tenant, unique_identifier)
        return DoubtedObject(None if row is None else await self._open_row(row), _digest(row))

    async def _row(self, tenant: int, unique_identifier: str) -> ObjectRow | None:
        try:
            return await self._backend.fetch(tenant, unique_identifier)
        except StoreUnavailable as exc:
            raise StoreFailure(str(exc)) from exc

    async def trust(self, tenant: int, unique_identifier: str, digest: str) -> None:
        try:
            doubt = await self.load_entry(Distrusted, tenant, unique_identifier)
            if doubt is None:
                return
            generation, known = doubt.generation, doubt.value.known
        except DamagedEntry as damaged:  # what it knew, the verifier finds again
            generation, known = damaged.generation, 0
        gone = EntryChange(Distrusted, tenant, unique_identifier, generation, None)
        row = await self._row(tenant, unique_identifier)
        if _digest(row) != digest:
            raise LostRace
        if row is None:
            await self.commit(Changes(entries=[gone]))
        else:
            await self._trust(await self._open_row(row), gone, above=known)
        await self.read_doubts()

    async def _trust(self, obj: ManagedObject, gone: EntryChange, *, above: int) -> None:
        """Store what there is of an object again, as newer than anything that is known of it."""
        reason = self._distrusted.pop((obj.tenant, obj.unique_identifier), None)
        try:
            await self.commit(Changes(objects=[obj.copy()], entries=[gone]), above=above)
        except BaseException:
            if reason is not None:
                self._distrusted[obj.tenant, obj.unique_identifier] = reason
            raise

    async def commit(self, changes: Changes, *, above: int = 0) -> Sequence[int]:
        for _ in range(_TRIES):
            try:
                return await self._commit(changes, above)
            except StoreKeyLost:
                # What was sealed under it is gone with it; the next look finds another one, or makes one.
                self._keys.look_again()
        raise StoreFailure("the database changes hands again and again; try again")

    async def _commit(self, changes: Changes, above: int) -> Sequence[int]:
        if self.read_only is not None and changes and not changes.accepting:
            raise StoreFailure(self.read_only)
        rows = ChangeSet()
        events = changes.events
        if self._recording is not None and not events:
            events = [self._recording.event]
        sealed: list[ManagedObject] = []
        try:
            await self._renew_key()
            rows.clients = list(map(self.seal_client, changes.clients))
            for obj in changes.objects:
                if obj.removed:
                    rows.removals.append(await self._removal(obj))
                else:
                    rows.objects.append(await self._change(obj, above=above))
                    sealed.append(obj)
            left = self.seal_entries(changes.entries, rows)
            self._add_events(events, rows)
            await self._backend.commit(rows)
        except (Conflict, ClientExists):
            for obj in changes.objects:
                self._cache.pop((obj.tenant, obj.unique_identifier), None)
            raise LostRace from None
        except NameTaken as exc:
            raise NameInUse(exc.name) from None
        except StoreUnavailable as exc:
            raise StoreFailure(str(exc)) from exc
        if self._recording is not None:
            self._recording.used = True
        for removal in rows.removals:
            self._cache.pop((removal.tenant, removal.unique_identifier), None)
        for obj, stored in zip(sealed, rows.objects, strict=True):
            if not obj.generation:
                continue  # it is remembered once it is used: many new ones would push out what is in use
            kept = obj.copy()
            kept.generation = stored.row.written
            self._remember(kept, stored.row)
        return left

    async def scrub(self) -> None:
        try:
            await self._backend.scrub()
        except StoreUnavailable as exc:
            raise StoreFailure(str(exc)) from exc

    def _add_events(self, events: Sequence[AuditEvent], rows: ChangeSet) -> None:
        """Have events stored with the rows, each with a witness."""
        change = changed(rows)
        if not events:
            if change.objects:
                raise ValueError("objects are never changed without an audit event")
            return
        store_key = rows.witnessed_under = self._keys.current
        key = self._keys.event_key(store_key)
        assert key is not None
        rows.events = [self._witness.add(event, store_key, key) for event in encode_all(events, change)]

    async def _change(self, obj: ManagedObject, *, above: int = 0) -> ObjectChange:
        """Return the next generation of an object, sealed; raises Conflict when it is out of date.

        Its generation is one more than before, or than `above`.
        """
        generation = max(obj.generation, above) + 1
        row = to_row(obj, generation=generation, store_key=self._keys.current)
        row = row._replace(sealed=self._keys.seal(row, encode_material(obj)))
        new_names = names(obj)
        if not obj.generation:
            return ObjectChange(
                row=row, expected_generation=None, terms_added=list(terms(obj)), names_added=list(new_names)
            )
        old = await self._stored(obj)
        old_names = names(old)
        added, removed = changed_terms(old, obj)
        return ObjectChange(
            row=row,
            expected_generation=as_read(obj.generation),
            terms_added=list(added),
            terms_removed=list(removed),
            names_added=list(new_names - old_names),
            names_removed=list(old_names - new_names),
        )

    async def _removal(self, obj: ManagedObject) -> ObjectRemoval:
        """Return how an object goes, with its terms and names; raises Conflict when it is out of date."""
        old = await self._stored(obj)
        return ObjectRemoval(
            sequence=old.sequence,
            unique_identifier=old.unique_identifier,
            expected_generation=as_read(old.generation),
            tenant=old.tenant,
            terms=list(terms(old)),
            names=list(names(old)),
        )

    async def _stored(self, obj: ManagedObject) -> ManagedObject:
        """Return what a changed object was made from; raises Conflict when it is not current."""
        old = await self.load(obj.tenant, obj.unique_identifier)
        if old is None or old.generation != obj.generation:
            raise Conflict
        return old

    async def _renew_key(self) -> None:
        """Start a new store key when the current one has sealed enough or is old."""
        if self._keys.due(int(time.time())):
            await renew(self._backend, self._keys)


def _digest(row: ObjectRow | None) -> str:
    """Return what stands for all of a row as it is stored, or for none."""
    return hashlib.sha256(b"" if row is None else associated_data(row) + row.sealed).hexdigest()


@lru_cache(maxsize=1024)
def _visible(sight: Sight | None) -> Visible | None:
    """Return what of a sight more than a comparison of owners is needed for."""
    if sight is None or sight.owner is not None:
        return None
    return Visible(
        owners=sorted(sight.owners),
        identifiers=sorted(sight.objects),
        terms=sorted(sight_terms(sight.groups, sight.policies)),
    )


def _visible_one(sight: Sight, unique_identifier: str) -> Visible | None:
    """Return what has to be asked about one object, None for one that is in sight by its identifier."""
    return None if unique_identifier in sight.objects else _without_identifiers(sight)


@lru_cache(maxsize=1024)
def _without_identifiers(sight: Sight) -> Visible:
    return Visible(owners=sorted(sight.owners), terms=sorted(sight_terms(sight.groups, sight.policies)))
