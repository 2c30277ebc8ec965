"""What a store keeps: rows, change sets and queries, as plain data.

Rule: nothing here knows KMIP or keys. Key material arrives sealed and leaves sealed; attribute values
arrive as opaque index terms whose byte order is their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, TypeAlias

from strongroom.domain.chain import Head
from strongroom.domain.generation import Generation

MAX_TERM: Final = 1024
"""Bytes in one index term; PostgreSQL cannot index much more. Longer values are indexed by a digest."""

NONCE_SIZE: Final = 12

MOST_WRITES: Final = 1 << 62
"""The highest generation that an entry can have; what is beyond was put there by somebody else."""
"""Bytes at the beginning of `sealed` that chance makes: no two writes share them."""

Written: TypeAlias = tuple[int, bytes]
"""A generation and its nonce as the database gives them, for whoever compares them with every request; what
somebody has spoilt (SQLite keeps values of any type) is like no other."""

ALL_ENTRIES: Final = 2**31 - 1
"""More entries than an owner can have."""

ORDERED: Final = 0x80
"""Terms whose first byte is at least this (dates, numbers) are also indexed by object, so that a range over
many values stays cheap. A range over other terms gives the same answer, only slower."""


class ObjectRow(NamedTuple):
    """One managed object as stored.

    `sequence` orders objects by creation and is chosen by the creator (63 bits). `generation` starts at 1 and
    grows by one with each change; sequence, identifier, tenant and object type never change. An identifier is
    unique within its tenant. `sealed` holds
    the material, `attributes` everything else; both are authenticated together. Dates are seconds since the
    epoch. `storage` is 1 on-line, 2 archived, 4 destroyed (the bits of Storage Status Mask).
    """

    sequence: int
    unique_identifier: str
    tenant: int
    owner: int
    generation: int
    object_type: int
    state: int | None
    storage: int
    usage_mask: int
    activation_date: int | None
    deactivation_date: int | None
    store_key: int
    attributes: bytes
    sealed: bytes

    @property
    def written(self) -> Generation:
        """Return which write made this row."""
        return Generation(self.generation, self.sealed[:NONCE_SIZE])


class NameRow(NamedTuple):
    """A name that is taken: unique within (tenant, owner)."""

    tenant: int
    owner: int
    name: str


@dataclass(slots=True, kw_only=True)
class ObjectChange:
    """A new object (`expected_generation` None) or the next generation of one.

    Terms and names are differences to what is stored; adding a term that is there does nothing. A Conflict is
    raised unless the stored row is the one that `expected_generation` wrote when the change is applied.
    """

    row: ObjectRow
    expected_generation: Generation | None
    terms_added: Sequence[bytes] = ()
    terms_removed: Sequence[bytes] = ()
    names_added: Sequence[NameRow] = ()
    names_removed: Sequence[NameRow] = ()


class ObjectRemoval(NamedTuple):
    """Remove an object for good, with its terms and names (Obliterate, end of a deletion window)."""

    sequence: int
    unique_identifier: str
    expected_generation: Generation
    tenant: int
    terms: Sequence[bytes]
    names: Sequence[NameRow]


class ClientRow(NamedTuple):
    """An enrolled client. `fingerprint` is the SHA-256 of its public key (SPKI DER), in hex.

    `groups` is sorted. `password_hash` is an Argon2id string, None without a user name. `revoked_at` is None
    while the client may connect. `revision` is 0 in a row that is to be inserted and else what was `written`
    in the one that was read; the store counts it up, and raises Conflict when another change came first.
    `sealed` authenticates the row as it is stored; it and `store_key` are None in a row that an older release
    made.
    """

    client: int
    tenant: int
    name: str
    fingerprint: str
    groups: Sequence[str]
    username: str | None
    password_hash: str | None
    enrolled_at: int
    revoked_at: int | None
    revision: int = 0
    store_key: int | None = None
    sealed: bytes | None = None

    @property
    def written(self) -> Generation:
        """Return which write made this row; by the number alone where there is no seal, or what is none.

        Nobody is let in by such a record, and it can still be changed.
        """
        return Generation(self.revision, self.sealed[:NONCE_SIZE] if isinstance(self.sealed, bytes) else b"")


class EntryRow(NamedTuple):
    """An entry as stored: see `domain.entries`. `key` is unique within (tenant, kind).

    `generation` starts at 1 and grows by one with each change. `due` is in seconds since the epoch, None for
    never. `sealed` holds the value and authenticates the rest.
    """

    tenant: int
    kind: int
    key: str
    owner: int
    generation: int
    due: int | None
    store_key: int
    sealed: bytes

    @property
    def written(self) -> Generation:
        """Return which write made this row; of one that no write has made, what stands for each of those.

        None of them can be opened, and another entry can still take the place of each.
        """
        whole = type(self.generation) is int and 1 <= self.generation <= MOST_WRITES
        if whole and isinstance(self.sealed, bytes):
            return Generation(self.generation, self.sealed[:NONCE_SIZE])
        return Generation(1, b"")


class EntryUpdate(NamedTuple):
    """Replace an entry by its next generation, if it is still the one that was expected."""

    row: EntryRow
    expected_generation: Generation


class EntryRemoval(NamedTuple):
    """Remove an entry, if it is still the one that was expected."""

    tenant: int
    kind: int
    key: str
    expected_generation: Generation


class StoreKeyRow(NamedTuple):
    """A key that seals records, wrapped by the root key. It never changes, only what it is wrapped by."""

    store_key: int
    wrapped: bytes
    created_at: int


class StoreKeyRewrap(NamedTuple):
    """Wrap a store key by another root key, if it is still wrapped as `before`."""

    store_key: int
    wrapped: bytes
    before: bytes


@dataclass(slots=True, kw_only=True)
class ChangeSet:
    """All that one unit of work changes: applied whole or not at all.

    An object or entry appears at most once; `entries` are new. `events` are audit events, appended in order
    in the same transaction, and `witnessed_under` is the store key of their witness. Values are plain: no
    subclasses of int, str, bytes.
    """

    objects: list[ObjectChange] = field(default_factory=list)
    removals: list[ObjectRemoval] = field(default_factory=list)
    entries: list[EntryRow] = field(default_factory=list)
    entry_updates: list[EntryUpdate] = field(default_factory=list)
    entry_removals: list[EntryRemoval] = field(default_factory=list)
    clients: list[ClientRow] = field(default_factory=list)
    store_keys: list[StoreKeyRow] = field(default_factory=list)
    store_keys_rewrapped: list[StoreKeyRewrap] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    witnessed_under: int | None = None


class AuditRow(NamedTuple):
    """An audit event in its place in the chain; see `domain.chain`."""

    position: int
    hash: bytes
    event: bytes


class TermRange(NamedTuple):
    """Some term of the object lies in [low, high], both ends included."""

    low: bytes
    high: bytes


class Visible(NamedTuple):
    """Objects of these owners, with these identifiers, or with one of these terms; one of them is enough."""

    owners: Sequence[int] = ()
    identifiers: Sequence[str] = ()
    terms: Sequence[bytes] = ()


@dataclass(slots=True, kw_only=True)
class LocateQuery:
    """Objects of one tenant that meet every condition, newest (greatest sequence) first, or oldest first.

    `owner` None means any owner that `visible` lets through; `visible` None is everything. `storage` is a bit
    mask. `usage_mask`: all these bits must be set in the row. `effective_state`: (state, now) compares with
    the state that the dates give the object at `now`, see `store.locate`. `maximum` None means no limit.
    """

    tenant: int
    owner: int | None
    visible: Visible | None = None
    storage: int = 1
    object_type: int | None = None
    usage_mask: int = 0
    effective_state: tuple[int, int] | None = None
    terms: Sequence[bytes] = ()
    ranges: Sequence[TermRange] = ()
    excluded: Sequence[str] = ()
    maximum: int | None = None
    offset: int = 0
    oldest_first: bool = False


class Located(NamedTuple):
    """`total` counts all matches where that cost no extra scan, else None."""

    unique_identifiers: list[str]
    total: int | None


class Conflict(Exception):
    """Another change came first; run the unit of work again."""


class NameTaken(Exception):
    """A name in the change set belongs to another object of the owner; `name` says which."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class ClientExists(Exception):
    """The name of the client is in use in its tenant, or its key was enrolled before."""


class StoreUnavailable(Exception):
    """The store cannot write or read now; the message says why and what cures it. Nothing was changed."""


class OutcomeUnknown(StoreUnavailable):
    """The connection was lost between a commit and its answer: the change is there whole or not at all."""


class StoreKeyLost(Exception):
    """A change set is sealed under a store key that a failover has lost; it was not stored."""


class SchemaTooNew(StoreUnavailable):
    """A newer Strongroom has upgraded the store."""


class SchemaTooOld(StoreUnavailable):
    """The store was made by an older Strongroom; `strongroom store migrate` upgrades it."""


class StoreGone(StoreUnavailable):
    """There is no store, or nothing in it: what `strongroom init` has made is somewhere else, or lost."""


class Backend(Protocol):
    """One database. Every implementation passes `tests/unit/store/contract`.

    Reads see every commit that was acknowledged before they began. Any method may raise StoreUnavailable.
    """

    async def start(self) -> None:
        """Connect; called once in the process (after the fork) that will use this object."""

    async def close(self) -> None:
        """Disconnect; pending commits are finished first."""

    def mark(self) -> bytes | None:
        """Return what is equal only while nothing is committed, by whomever; None where that is not known
        without asking the database."""

    async def version(self) -> int | None:
        """Return a number that changes whenever anything is committed, by whomever; None where that is not
        known at the price of less than a search."""

    async def written(self, tenant: int, unique_identifier: str) -> Written | None:
        """Return which write made the current row, None when the tenant has no such object."""

    async def fetch(
        self, tenant: int, unique_identifier: str, visible: Visible | None = None
    ) -> ObjectRow | None:
        """Return the current row, None when the tenant has no such object or it is not visible.

        The database decides, in one query, so that what is not visible costs what nothing costs.
        """

    async def locate(self, query: LocateQuery) -> Located:
        """Return what matches, in SQL over indexes."""

    async def usage(self, tenant: int, owner: int | None) -> tuple[int, int]:
        """Return how many objects of an owner (None: of the tenant) are not destroyed, and the bytes of all
        records; it may cost a scan, and keeps nobody waiting."""

    async def entry(self, tenant: int, kind: int, key: str) -> EntryRow | None:
        """Return the current row, None when there is no such entry."""

    async def entries(self, tenant: int, kind: int, owner: int, maximum: int = ALL_ENTRIES) -> list[EntryRow]:
        """Return what an owner has of a kind, by key, at most `maximum`."""

    async def count_entries(self, tenant: int, kind: int, owner: int) -> int:
        """Return how many entries of a kind an owner has."""

    async def due_entries(self, kind: int, before: int, maximum: int, offset: int = 0) -> list[EntryRow]:
        """Return at most `maximum` entries of every tenant with `due` < `before`, soonest first, without the
        first `offset`."""

    async def commit(self, changes: ChangeSet) -> None:
        """Make all changes durable, then return.

        Raises Conflict, NameTaken, ClientExists, StoreUnavailable, StoreKeyLost. Cancelling the caller does
        not undo a commit that is on its way.
        """

    async def scrub(self) -> None:
        """Let the files of the database keep nothing of rows that were removed or replaced, as far as its
        engine can; StoreUnavailable when it has to be tried again."""

    async def clients(self) -> list[ClientRow]:
        """Return every client, revoked ones too."""

    async def store_keys(self) -> list[StoreKeyRow]:
        """Return every store key, oldest first."""

    async def audit_head(self) -> Head:
        """Return the end of the chain of audit events, such that no failover can lose it any more: what is
        signed for it would be missed in a store that has lost nothing that was acknowledged."""

    async def audit_rows(self, after: int, maximum: int) -> list[AuditRow]:
        """Return at most `maximum` chained events behind the position `after`, in order."""

    async def chain_events(self) -> int:
        """Give events that have none their place in the chain; return how many.

        Those that were committed before this is called have one afterwards, unless another process is giving
        it to them at this moment.
        """
