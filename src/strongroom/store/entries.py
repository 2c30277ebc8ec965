"""Entries on top of a back end: sealing and opening.

Rule: the port `domain.entries.EntryStore`, once for every database. Entries are read seldom, so none is
cached.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from strongroom.domain.entries import E, Entry, EntryChange, Kept
from strongroom.domain.generation import as_read
from strongroom.domain.store_failures import DamagedEntry, StoreFailure
from strongroom.model.convert import decoder, encoder
from strongroom.model.secret import SecretBytes
from strongroom.registry import Tag
from strongroom.store.records import (
    ALL_ENTRIES,
    Backend,
    ChangeSet,
    EntryRemoval,
    EntryRow,
    EntryUpdate,
    StoreUnavailable,
)
from strongroom.store.sealing import RecordTampered, StoreKeys, UnknownStoreKey
from strongroom.wire import binary
from strongroom.wire.errors import DecodeError
from strongroom.wire.limits import OWN

_VALUE: Final = int(Tag.VENDOR_EXTENSION)  # something has to be the root; nothing reads it


class EntryRepository:
    """The entries of one store, as one process sees them."""

    def __init__(self, backend: Backend, keys: StoreKeys) -> None:
        self._backend = backend
        self._keys = keys

    async def load_entry(self, kind: type[E], tenant: int, key: str) -> Kept[E] | None:
        try:
            row = await self._backend.entry(tenant, kind.kind, key)
        except StoreUnavailable as exc:
            raise StoreFailure(str(exc)) from exc
        return None if row is None else await self._open_entry(kind, row)

    async def entries_of(
        self,
        kind: type[E],
        tenant: int,
        owner: int,
        maximum: int | None = None,
        damaged: Callable[[DamagedEntry], None] | None = None,
    ) -> Sequence[Kept[E]]:
        try:
            rows = await self._backend.entries(
                tenant, kind.kind, owner, ALL_ENTRIES if maximum is None else maximum
            )
        except StoreUnavailable as exc:
            raise StoreFailure(str(exc)) from exc
        return await self._open_entries(kind, rows, damaged)

    async def count_entries(self, kind: type[E], tenant: int, owner: int) -> int:
        try:
            return await self._backend.count_entries(tenant, kind.kind, owner)
        except StoreUnavailable as exc:
            raise StoreFailure(str(exc)) from exc

    async def due_entries(
        self,
        kind: type[E],
        before: datetime,
        maximum: int,
        offset: int = 0,
        damaged: Callable[[DamagedEntry], None] | None = None,
    ) -> Sequence[Kept[E]]:
        try:
            rows = await self._backend.due_entries(kind.kind, int(before.timestamp()), maximum, offset)
        except StoreUnavailable as exc:
            raise StoreFailure(str(exc)) from exc
        return await self._open_entries(kind, rows, damaged)

    def seal_entries(self, entries: Iterable[EntryChange], rows: ChangeSet) -> list[int]:
        """Add what the back end does for these changes; return which generation each leaves, 0 for none."""
        left = []
        for change in entries:
            row = None if change.after is None else sealed_entry(self._keys, change, change.after)
            left.append(0 if row is None else row.written)
            if row is None:
                expected = as_read(change.generation)
                rows.entry_removals.append(
                    EntryRemoval(change.tenant, change.kind.kind, change.key, expected)
                )
            elif change.generation:
                rows.entry_updates.append(EntryUpdate(row, as_read(change.generation)))
            else:
                rows.entries.append(row)
        return left

    async def _open_entries(
        self, kind: type[E], rows: Iterable[EntryRow], damaged: Callable[[DamagedEntry], None] | None
    ) -> list[Kept[E]]:
        opened: list[Kept[E]] = []
        for row in rows:
            try:
                opened.append(await self._open_entry(kind, row))
            except DamagedEntry as exc:
                if damaged is None:
                    raise
                damaged(exc)
        return opened

    async def _open_entry(self, kind: type[E], row: EntryRow) -> Kept[E]:
        try:
            try:
                opened = self._keys.open(row)
            except UnknownStoreKey:
                # Another process made a new store key since we loaded ours.
                self._keys.load(await self._backend.store_keys())
                opened = self._keys.open(row)
            value = decoder(kind, None)(binary.decode(opened.reveal(), OWN)[2])
        except (RecordTampered, UnknownStoreKey, DecodeError, ValueError) as exc:
            raise DamagedEntry(
                f"the stored {kind.__name__} {row.key} cannot be trusted: {exc}",
                tenant=row.tenant,
                key=row.key,
                generation=row.written,
            ) from exc
        due = None if row.due is None else datetime.fromtimestamp(row.due, UTC)
        return Kept(
            tenant=row.tenant,
            key=row.key,
            owner=row.owner,
            value=value,
            due=due,
            generation=row.written,
        )


def sealed_entry(keys: StoreKeys, change: EntryChange, after: Kept[Entry]) -> EntryRow:
    """Return the row that a change leaves, sealed under the newest of the keys."""
    row = EntryRow(
        tenant=change.tenant,
        kind=change.kind.kind,
        key=change.key,
        owner=after.owner,
        generation=change.generation + 1,
        due=None if after.due is None else int(after.due.timestamp()),
        store_key=keys.current,
        sealed=b"",
    )
    return row._replace(sealed=keys.seal(row, _encode(after.value)))


def _encode(value: Entry) -> SecretBytes:
    return SecretBytes(binary.encode((_VALUE, 1, encoder(type(value), None)(value))))
