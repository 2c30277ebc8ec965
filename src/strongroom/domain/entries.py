"""Port: what the server keeps beside managed objects: requests that wait, tickets, defaults, endpoints.

Rule: an entry is one structure under a key, kept sealed, and changed only in the commit of the batch item (or
the scheduler's job) that decided so. Whatever a client may name and use by KMIP is a managed object instead.

    class Ticket(Entry, kind=2):
        ticket_type: TicketType
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Generic, NamedTuple, Protocol, TypeVar

from strongroom.domain.store_failures import DamagedEntry
from strongroom.model.struct import Struct

_KINDS: Final[dict[int, type["Entry"]]] = {}
_PASSING: Final[set[int]] = set()


class Entry(Struct):
    """Base of what is kept. `kind` is stored: it never changes and is never used again.

    `passing`: the server removes it by itself when it is over, without an audit event.
    """

    kind: ClassVar[int]

    def __init_subclass__(cls, *, kind: int, passing: bool = False, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if kind in _KINDS:
            raise TypeError(f"{cls.__name__} and {_KINDS[kind].__name__} are both kind {kind}")
        cls.kind = kind
        _KINDS[kind] = cls
        if passing:
            _PASSING.add(kind)


def passes(kind: int) -> bool:
    """Tell whether entries of a kind are removed when they are over, without an audit event."""
    return kind in _PASSING


E = TypeVar("E", bound=Entry)
E_co = TypeVar("E_co", bound=Entry, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Generic[E_co]):
    """An entry as it is stored.

    `key` is unique within (tenant, kind). `owner` is the client whose it is, 0 the tenant itself. At `due`
    something is to happen to it, mostly its end; None means never. `generation` says which write it came from
    (`domain.generation`), and is 0 until the entry is stored.
    """

    tenant: int
    key: str
    owner: int
    value: E_co
    due: datetime | None = None
    generation: int = 0


class EntryChange(NamedTuple):
    """What a commit does: `after` None removes the entry. `generation` is the one that was read, 0 none."""

    kind: type[Entry]
    tenant: int
    key: str
    generation: int
    after: Kept[Entry] | None


class Entries(Protocol):
    """The entries of the caller's tenant, as a handler sees them.

    They know no permissions: the handler decides by `Kept.owner`, and answers for a foreign entry what it
    answers for none. What this unit of work has changed is seen changed.
    """

    async def get(self, kind: type[E], key: str) -> Kept[E] | None:
        """Return the entry with that key, whoever's it is; None when there is none."""

    async def mine(self, kind: type[E]) -> Sequence[Kept[E]]:
        """Return the caller's entries of a kind, by key."""

    def put(
        self,
        key: str,
        value: Entry,
        *,
        due: datetime | None = None,
        shared: bool = False,
        owner: int | None = None,
    ) -> None:
        """Make an entry, or change the one that was read before by `get` or `mine`, which keeps its owner.

        A new one is the caller's; `shared`: the tenant's; `owner`: of what has this number, for kinds that
        belong to no client. A key that is taken by an entry that was not read
        makes the commit lose its race, so that the handler runs again.
        """

    def remove(self, kept: Kept[Entry]) -> None:
        """Remove an entry that was read before."""


class EntryStore(Protocol):
    """Where entries are kept. Any method may raise StoreFailure; reading one raises DamagedEntry."""

    async def load_entry(self, kind: type[E], tenant: int, key: str) -> Kept[E] | None:
        """Return the current generation, None when there is none."""

    async def entries_of(
        self,
        kind: type[E],
        tenant: int,
        owner: int,
        maximum: int | None = None,
        damaged: Callable[[DamagedEntry], None] | None = None,
    ) -> Sequence[Kept[E]]:
        """Return what an owner has of a kind, by key; of many only the first `maximum`.

        With `damaged`, one that cannot be opened is left out and told there.
        """

    async def count_entries(self, kind: type[E], tenant: int, owner: int) -> int:
        """Return how many entries of a kind an owner has."""

    async def due_entries(
        self,
        kind: type[E],
        before: datetime,
        maximum: int,
        offset: int = 0,
        damaged: Callable[[DamagedEntry], None] | None = None,
    ) -> Sequence[Kept[E]]:
        """Return at most `maximum` entries of every tenant that are due before a time, soonest first, without
        the first `offset`. With `damaged`, one that cannot be opened counts among them, but is left out and
        told there."""
