"""Ports and entries of backups: a store as it was at one moment, and an empty one that is being filled.

Rule: rows travel as plain values under the names of their columns, so that a backup of one database can be
restored into the other. Records stay sealed on the way.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, NamedTuple, Protocol, TypeAlias

from strongroom.domain.audit import AuditEvent
from strongroom.domain.entries import Entry, EntryChange
from strongroom.domain.ports import RootKey
from strongroom.model.struct import Own

Value: TypeAlias = int | str | bytes | float | None
"""What a column can hold. No column of ours is for a float, but SQLite keeps any value that is put there."""

Row: TypeAlias = tuple[Value, ...]

STORE_KEYS = "store_keys"
"""The table of the keys that seal records; its column `wrapped` depends on the root key."""

WRAPPED = "wrapped"


class Restored(Entry, kind=80):
    """This store came from a backup: kept in the system tenant, once for each restore.

    `backup` names the backup and `taken_at` the moment that the store went back to.
    """

    backup: Annotated[str, Own(1)]
    taken_at: Annotated[datetime, Own(2)]
    restored_at: Annotated[datetime, Own(3)]


class KeysGiven(Entry, kind=81):
    """The store keys were given to a backup: kept in the system tenant under the name of the backup."""

    given_at: Annotated[datetime, Own(1)]
    recipients: Annotated[tuple[str, ...], Own(2)]
    """Age recipients: who can open it."""


class Table(NamedTuple):
    """A table, the columns of its rows, and those by which rows are sorted (bytes of text in their order)."""

    name: str
    columns: tuple[str, ...]
    order: tuple[str, ...] = ()


class Tables(Protocol):
    """A database that can be read table by table."""

    async def count(self, table: Table) -> int:
        """Return how many rows there are."""

    def rows(self, table: Table) -> AsyncIterator[Sequence[Row]]:
        """Yield every row, some at a time."""


class Snapshot(Tables, Protocol):
    """A store as it was at one moment, while others go on changing it.

    Everything in it was acknowledged before, and nothing that was is missing. Raises StoreFailure.
    """

    @property
    def schema(self) -> str:
        """Return the schema version."""

    @property
    def database(self) -> str:
        """Return `sqlite` or `postgresql`."""

    @property
    def tables(self) -> Sequence[Table]:
        """Return every table but those that are made again from the others."""


@dataclass(slots=True)
class Opened:
    """How many records were opened, and the names of those that could not be."""

    objects: int = 0
    entries: int = 0
    clients: int = 0
    refused: list[str] = field(default_factory=list)


class AuditEnd(NamedTuple):
    """How many events the chain of changes has, the hash of the last in hex, and which do not follow."""

    position: int = 0
    hash: str = ""
    breaks: tuple[str, ...] = ()
    """Positions of events that do not follow from the one before: they or that one were edited."""


class Filling(Tables, Protocol):
    """An empty store that a backup is put into. Nothing counts before `commit`. Raises StoreFailure."""

    async def begin(self, schema: str) -> Sequence[Table]:
        """Make the tables of a schema version and return them, but those that are made from the others.

        Raises StoreFailure also when the store is not empty, or the version is not known here.
        """

    async def put(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows. Raises StoreFailure when the database cannot hold one."""

    async def upgrade(self) -> None:
        """Bring the tables to the newest schema."""

    async def open_records(self, root_key: RootKey, *, every: int = 1) -> Opened:
        """Open records under the store keys that are there, one in `every`; all of them are indexed again.

        Needs the newest schema. What cannot be opened is counted and stays as it is.
        """

    async def doubts(self, root_key: RootKey) -> list[str]:
        """Compare the store with itself and return what cannot be true of it: see `store/verification.py`."""

    async def audit_end(self) -> AuditEnd:
        """Return where the chain of changes ends, as the store says: whoever writes next goes on there.

        Behind an event that does not follow the chain is compared again, so that each break is told.
        """

    async def mark(self, root_key: RootKey, marker: EntryChange, event: AuditEvent) -> None:
        """Add an entry and the event that records it, under a fresh store key that seals from now on.

        The store that the backup was made of may live on; the two must not seal under one key.
        """

    async def commit(self) -> None:
        """Make it a store, on disk when this returns."""
