"""Port: where objects are kept.

Rule: a handler never sees this port; the engine's unit of work does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from strongroom.domain.audit import AuditChain, AuditEvent, Recording
from strongroom.domain.clients import ClientRecord
from strongroom.domain.entries import EntryChange, EntryStore
from strongroom.domain.objects import ON_LINE, ManagedObject
from strongroom.domain.sight import Sight
from strongroom.domain.store_failures import TamperedRecord
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectQuery:
    """Which objects: all filters must match (KMIP 2.1 §6.1.28).

    `sight` None means every object of the tenant. `storage` is a Storage Status Mask. `excluded` are left
    out, since the caller looks at them itself.
    """

    tenant: int
    sight: Sight | None
    now: datetime
    filters: Sequence[AttributeInstance] = ()
    storage: int = ON_LINE
    excluded: Sequence[UniqueIdentifier] = ()
    maximum: int | None = None
    offset: int = 0
    oldest_first: bool = False


class Usage(NamedTuple):
    """What is stored of one owner, or tenant: objects that are not destroyed; bytes of all records."""

    objects: int
    bytes: int


class Found(NamedTuple):
    """Identifiers in the order asked for. `total` is None where counting would have cost a scan."""

    unique_identifiers: list[UniqueIdentifier]
    total: int | None


class DoubtedObject(NamedTuple):
    """What is stored of a doubted object, None for nothing; `digest` stands for all of the record, in hex."""

    obj: ManagedObject | None
    digest: str


@dataclass(slots=True, kw_only=True)
class Changes:
    """All that one commit makes durable, whole or not at all.

    `objects` are new, changed or removed. Generations, of objects and of entries, are compared and counted
    up, and so are revisions of `clients`; an object that is `removed` leaves nothing behind but the events.
    `events` are audit events, of which the store completes the last with what is changed (`Changed`); they
    alone are no change.
    """

    objects: Sequence[ManagedObject] = ()
    entries: Sequence[EntryChange] = ()
    clients: Sequence[ClientRecord] = ()
    events: Sequence[AuditEvent] = ()

    accepting: bool = False
    """Written also to a store that is read-only, since it is what ends that."""

    def __bool__(self) -> bool:
        return bool(self.objects or self.entries or self.clients)

    @property
    def essential(self) -> bool:
        """Tell whether the answer depends on the commit."""
        return bool(self.entries or self.clients) or any(obj.essential for obj in self.objects)


NO_CHANGES: Final = Changes()


class LostRace(Exception):
    """Another change of the same object or entry was committed first."""


class NameInUse(Exception):
    """Another object of the owner has the Name."""


class ObjectStore(EntryStore, Protocol):
    """Objects and entries, opened. Any method may raise StoreFailure; loading may raise TamperedRecord."""

    async def clients(self) -> Sequence[ClientRecord]:
        """Return every client record, revoked clients too; one whose seal is not whole is marked."""

    async def load(
        self, tenant: int, unique_identifier: str, sight: Sight | None = None
    ) -> ManagedObject | None:
        """Return the current generation, or None: there is none in the tenant, or it is out of `sight`.

        What is out of sight is not opened, and costs what a missing one costs. What comes back is for
        `domain.access` to judge all the same: a sight is found by indexes, which nothing seals. The object
        may be shared: copy it before changing it.
        """

    async def version(self) -> int | None:
        """Return a number that changes whenever anything in the store does; None where that is not known
        at the price of less than a search."""

    def mark(self) -> object:
        """Return what is equal only while nothing in the store was changed, by anybody; None where that is
        not known without asking a database."""

    def keeps(self, obj: ManagedObject) -> bool:
        """Tell whether the store itself (still) holds on to an object that `load` returned."""

    async def is_current(self, obj: ManagedObject) -> bool:
        """Tell whether an object that `load` returned is still the current generation."""

    async def locate(self, query: ObjectQuery) -> Found:
        """Return what matches."""

    async def usage(self, tenant: int, owner: int | None) -> Usage:
        """Return what is stored of an owner, None: of all in the tenant. It may cost a scan."""

    async def rotations_due(
        self,
        tenant: int,
        now: datetime,
        *,
        maximum: int,
        excluded: Sequence[UniqueIdentifier] = (),
        damaged: Callable[[UniqueIdentifier, TamperedRecord], None],
    ) -> list[ManagedObject]:
        """Return objects that are to be rotated by now (`attributes.due`), oldest first.

        Found by the index. `damaged` is told of each that cannot be opened; it counts towards the maximum, so
        exclude it from the next look.
        """

    async def wrapped_keys(self) -> Mapping[int, bytes]:
        """Return every key that seals records, as the root key wrapped it, by its number."""

    read_only: str | None
    """Why nothing may be changed, None when all is well. Events alone, and `Changes.accepting`, still may."""

    async def read_doubts(self) -> None:
        """Read again which objects are not to be trusted (`domain.doubts`)."""

    async def doubted(self, tenant: int, unique_identifier: str) -> DoubtedObject:
        """Return what is stored of an object, although it is refused.

        Raises TamperedRecord for a record that does not open: nobody can say what it was.
        """

    async def trust(self, tenant: int, unique_identifier: str, digest: str) -> None:
        """Let what is stored of a doubted object count, as a new generation: just what `doubted` gave under
        this digest. Raises LostRace when something else is there, and TamperedRecord.
        """

    async def commit(self, changes: Changes) -> Sequence[int]:
        """Make the changes durable, then return which generation each of the entries is now, 0 if it is gone.

        Raises LostRace and NameInUse.
        """

    @property
    def chain(self) -> AuditChain:
        """Return the chain of audit events."""

    def recording(self, recording: Recording) -> "ObjectStore":
        """Return this store, where each commit that brings no event takes along the one of `recording`."""

    async def scrub(self) -> None:
        """Let nothing of what was removed be left in the files of the store, as far as that can be done.

        Raises StoreFailure when it has to be tried again.
        """
