"""Sealing of records under store keys.

Rule: key material is sealed before it leaves for a back end and opened after it came back, here only. What is
sealed is bound to its row, so that nothing in a row can be edited or swapped in the database unnoticed.

    sealed   nonce (12 random bytes), AES-256-GCM of the material, tag (16 bytes)

The number of a store key is a digest of when it was made, under the key itself, and below zero. So nobody who
cannot open the key can make it younger, or an old one the newest. The numbers of older releases are above
zero and say nothing: such a key opens what it has sealed, and seals nothing more.
"""

import asyncio
import os
import struct
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple, TypeAlias

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.domain.ports import RootKey, RootKeyUnavailable
from strongroom.domain.store_failures import StoreFailure
from strongroom.model.secret import SecretBytes
from strongroom.store.records import (
    NONCE_SIZE,
    ClientRow,
    EntryRow,
    ObjectRow,
    StoreKeyRewrap,
    StoreKeyRow,
)
from strongroom.store.witness import event_key

log = structlog.get_logger()

KEY_SIZE: Final = 32

# Random nonces allow 2^32 seals under one key (NIST SP 800-38D §8.3). Each process counts its own, from its
# start, so the limit is far lower: 1,024 process lifetimes may each spend all of theirs within the days that
# a key lives.
SEALS_PER_PROCESS: Final = 2**22
LIFETIME: Final = 30 * 86_400
"""Seconds after which a store key is replaced."""

LAST: Final = 2
"""How many times those two a store key may still be used while the root key cannot wrap another one."""

PAUSE: Final = 10
"""Seconds until the next try when the root key could not wrap a new store key."""

_ROW: Final = struct.Struct(">BBHqqqqqqqqqqq")
_ROW_VERSION: Final = 1
_ENTRY: Final = struct.Struct(">BBHqqqqqq")
_ENTRY_VERSION: Final = 2
"""The first byte, so that an entry is never taken for an object."""
_CLIENT: Final = struct.Struct(">BBqqqqqqH")
_CLIENT_VERSION: Final = 3
_COUNTED: Final = struct.Struct(">I")
_MADE_AT: Final = struct.Struct(">q")

REDATED: Final = "when it was made was changed in the database"


SealedRow: TypeAlias = ObjectRow | EntryRow | ClientRow


class RecordTampered(Exception):
    """A row is not what was sealed; the message names the identifier only."""


class UnknownStoreKey(Exception):
    """A row was sealed under a store key that is not loaded; load the store keys again."""


def associated_data(row: SealedRow) -> bytes:
    """Return everything in `row` but `sealed`, unambiguously: fixed-size fields, counted strings.

    The encoding is part of what is stored: it may change only under a new version byte.
    """
    if isinstance(row, ObjectRow):
        return _of_object(row)
    return _of_client(row) if isinstance(row, ClientRow) else _of_entry(row)


def _of_client(row: ClientRow) -> bytes:
    optional = (row.username, row.password_hash)
    present = sum(bit for bit, value in zip((1, 2), optional, strict=True) if value is not None)
    fixed = _CLIENT.pack(
        _CLIENT_VERSION,
        present if row.revoked_at is None else present | 4,
        row.client,
        row.tenant,
        row.enrolled_at,
        0 if row.revoked_at is None else row.revoked_at,
        row.revision,
        row.store_key,
        len(row.groups),
    )
    texts = (row.name, row.fingerprint, *(value or "" for value in optional), *row.groups)
    return fixed + b"".join(map(_counted, texts))


def _counted(text: str) -> bytes:
    encoded = text.encode()
    return _COUNTED.pack(len(encoded)) + encoded


def _of_entry(row: EntryRow) -> bytes:
    key = row.key.encode()
    present, due = (0, 0) if row.due is None else (1, row.due)
    fixed = _ENTRY.pack(
        _ENTRY_VERSION, present, len(key), row.tenant, row.kind, row.owner, row.generation, due, row.store_key
    )
    return fixed + key


def _of_object(row: ObjectRow) -> bytes:
    (
        sequence,
        unique_identifier,
        tenant,
        owner,
        generation,
        object_type,
        state,
        storage,
        usage_mask,
        activation_date,
        deactivation_date,
        store_key,
        attributes,
        _,
    ) = row
    present = 0
    if state is None:
        state = 0
    else:
        present = 1
    if activation_date is None:
        activation_date = 0
    else:
        present |= 2
    if deactivation_date is None:
        deactivation_date = 0
    else:
        present |= 4
    identifier = unique_identifier.encode()
    fixed = _ROW.pack(
        _ROW_VERSION,
        present,
        len(identifier),
        sequence,
        tenant,
        owner,
        generation,
        object_type,
        state,
        storage,
        usage_mask,
        activation_date,
        deactivation_date,
        store_key,
    )
    return fixed + identifier + attributes


def seal(key: AESGCM, material: SecretBytes, associated: bytes) -> bytes:
    """Return `material` sealed and bound to `associated`."""
    nonce = os.urandom(NONCE_SIZE)
    return nonce + key.encrypt(nonce, material.reveal(), associated)


def open_(key: AESGCM, sealed: bytes, associated: bytes) -> SecretBytes:
    """Return what `seal` was given. Raises InvalidTag."""
    return SecretBytes(key.decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], associated))


class FreshKey(NamedTuple):
    """A store key that was made a moment ago: its row, to be committed, and the key itself."""

    row: StoreKeyRow
    key: SecretBytes


class StoreKeys:
    """The store keys of one process, opened.

    `load` them at the start; when `due` says so, `create` one, commit it, and `take_over` with it. `renewing`
    is held meanwhile, so that one is made and not one for each commit that waits.
    """

    def __init__(self, root_key: RootKey) -> None:
        self._root_key = root_key
        self._ciphers: dict[int, AESGCM] = {}
        self._event_keys: dict[int, SecretBytes] = {}
        self._number_keys: dict[int, SecretBytes] = {}
        self._told: set[int] = set()
        self._current: StoreKeyRow | None = None
        self._seals = 0
        self._maybe_lost = False  # the current one may not be in the store any more
        self._not_before = 0
        self.renewing = asyncio.Lock()

    def load(self, rows: Iterable[StoreKeyRow]) -> None:
        """Open those that are not open yet; the newest seals from now on, of those that say truly when they
        were made.

        Raises RootKeyError, and StoreFailure while the root key cannot be reached; those that are open stay.
        """
        for row in rows:
            if row.store_key not in self._ciphers:
                try:
                    key = self._root_key.unwrap(row.wrapped)
                except RootKeyUnavailable as error:
                    raise StoreFailure(str(error)) from error
                self._open_key(row.store_key, key)
            self._consider(row)

    def look_again(self) -> None:
        """Have it found out whether the store still has the key that seals."""
        self._maybe_lost = True

    def load_all(self, rows: Sequence[StoreKeyRow]) -> None:
        """As `load`, of all that the store has: no other one seals from now on, if there is one of them.

        A failover may have lost the one that did; what it seals after that could be opened by nobody else.
        """
        self.load(rows)
        current = self._current
        if current is not None and current.store_key not in {row.store_key for row in rows}:
            self._current = None
            for row in rows:
                self._consider(row)
            if self._current is None:
                self._current = current  # until another one is made, which is due
                return
        self._maybe_lost = False

    def create(self, now: int) -> FreshKey:
        """Return a fresh store key, wrapped, to be committed before it takes over. `now` in seconds.

        Raises RootKeyError.
        """
        key = SecretBytes(os.urandom(KEY_SIZE))
        # As random as the key, which keeps two nodes that create one at the same time apart.
        return FreshKey(StoreKeyRow(_number(_number_key(key), now), self._root_key.wrap(key), now), key)

    def fence(self, rows: Sequence[StoreKeyRow], fresh: FreshKey) -> list[StoreKeyRewrap]:
        """Return what is to be committed together with a store key that was created.

        It changes nothing, and is refused if one of those that are stored, under no newer root key than the
        fresh one, was wrapped again meanwhile. So the fresh one is stored before the root key that has
        wrapped it is let go of, while whoever does that still looks, or not at all.

        Raises RootKeyUnavailable when all of them are under a newer root key.
        """
        if not rows:
            return []
        number = self._root_key.generation_of
        oldest = min(rows, key=lambda row: number(row.wrapped))
        if number(oldest.wrapped) > number(fresh.row.wrapped):
            raise RootKeyUnavailable(
                "the root key was replaced a moment ago, and the new one is not in use here yet; try again"
            )
        return [StoreKeyRewrap(oldest.store_key, oldest.wrapped, oldest.wrapped)]

    def wrapped_again(self, fresh: FreshKey) -> StoreKeyRewrap | None:
        """Return how a store key that was created is wrapped now, None if that has not changed.

        Raises RootKeyError.
        """
        row, key = fresh
        if self._root_key.is_current(row.wrapped):
            return None
        return StoreKeyRewrap(row.store_key, self._root_key.wrap(key), row.wrapped)

    def take_over(self, fresh: FreshKey) -> None:
        """Seal with a store key that was created and is committed by now.

        It is not opened by the root key: that may have been replaced meanwhile.
        """
        self._open_key(fresh.row.store_key, fresh.key)
        self._consider(fresh.row)
        self._maybe_lost = False

    def _consider(self, row: StoreKeyRow) -> None:
        """Seal with an open store key from now on if it is the newest and says truly when it was made."""
        if not self._is_dated(row):
            self._tell(row)
        elif self._current is None or _age(row) > _age(self._current):
            self._current = row
            self._seals = 0

    def put_off(self, now: int, why: RootKeyUnavailable) -> None:
        """Go on with the current store key, since there cannot be another. Raises StoreFailure when it is
        worn out."""
        if self._worn_out(now, LAST):
            raise StoreFailure(str(why)) from why
        self._not_before = now + PAUSE

    @property
    def newest_at(self) -> int:
        """Return when the key that seals was made, in seconds; 0 without one."""
        return 0 if self._current is None else self._current.created_at

    def doubt(self, row: StoreKeyRow) -> str | None:
        """Return what is wrong with what is stored beside a key that is open, None when nothing is."""
        dates_itself = isinstance(row.store_key, int) and row.store_key < 0
        return REDATED if dates_itself and not self._is_dated(row) else None

    def _is_dated(self, row: StoreKeyRow) -> bool:
        key = self._number_keys.get(row.store_key)
        try:
            return key is not None and _number(key, row.created_at) == row.store_key
        except struct.error:
            return False  # SQLite keeps values of any type

    def _tell(self, row: StoreKeyRow) -> None:
        if self.doubt(row) is not None and row.store_key not in self._told:
            self._told.add(row.store_key)
            log.error(
                "store_key_redated",
                store_key=row.store_key,
                alarm=f"{REDATED}; it seals nothing more, and another one takes its place. Find out by whom",
            )

    def due(self, now: int) -> bool:
        """Tell whether a new store key should take over, long before the old one is worn out."""
        return self._worn_out(now, 1) and (now >= self._not_before or self._worn_out(now, LAST))

    def _worn_out(self, now: int, times: int) -> bool:
        current = self._current
        return (
            current is None
            or self._maybe_lost
            or self._seals >= times * SEALS_PER_PROCESS
            or now - current.created_at >= times * LIFETIME
        )

    def knows(self, store_key: object) -> bool:
        """Tell whether the key with this number is open."""
        return store_key in self._ciphers

    @property
    def current(self) -> int:
        """Return the number of the key that seals; it belongs into the row before it is sealed."""
        if self._current is None:
            raise UnknownStoreKey("no store key is loaded")
        return self._current.store_key

    def seal(self, row: SealedRow, material: SecretBytes) -> bytes:
        """Return `material` sealed for `row`, whose own `sealed` does not matter. Raises UnknownStoreKey."""
        self._seals += 1
        return seal(self._cipher(row), material, associated_data(row))

    def open(self, row: SealedRow) -> SecretBytes:
        """Return the material of `row`. Raises RecordTampered, UnknownStoreKey."""
        cipher = self._cipher(row)
        try:
            return open_(cipher, row.sealed, associated_data(row))  # type: ignore[arg-type]  # None: below
        except (InvalidTag, ValueError, TypeError, AttributeError, struct.error):
            # A row that was edited may hold values of any type (SQLite), not only other ones.
            raise RecordTampered(f"the stored record of {_name(row)} was changed") from None

    def event_key(self, store_key: int) -> SecretBytes | None:
        """Return the key that witnesses audit events, None for a store key that is not loaded."""
        return self._event_keys.get(store_key)

    def _open_key(self, store_key: int, key: SecretBytes) -> None:
        self._ciphers[store_key] = AESGCM(key.reveal())
        self._event_keys[store_key] = event_key(key)
        self._number_keys[store_key] = _number_key(key)

    def _cipher(self, row: SealedRow) -> AESGCM:
        try:
            return self._ciphers[row.store_key]  # type: ignore[index]  # None is refused like any other
        except (KeyError, TypeError):
            raise UnknownStoreKey(f"the store key that sealed {_name(row)} is not in the store") from None


def _name(row: SealedRow) -> str:
    if isinstance(row, ObjectRow):
        return row.unique_identifier
    return f"client {row.client}" if isinstance(row, ClientRow) else f"entry {row.kind}/{row.key}"


def _number_key(key: SecretBytes) -> SecretBytes:
    return SecretBytes(blake2b(b"store key number", key=key.reveal(), digest_size=KEY_SIZE).digest())


def _number(number_key: SecretBytes, created_at: int) -> int:
    """Return the number of the store key that was made at this time: below zero, 63 bits of a digest."""
    digest = blake2b(_MADE_AT.pack(created_at), key=number_key.reveal(), digest_size=8).digest()
    return -1 - (int.from_bytes(digest) >> 1)


def _age(row: StoreKeyRow) -> tuple[int, int]:
    return row.created_at, row.store_key
