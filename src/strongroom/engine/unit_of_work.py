"""Unit of work: what one batch item (with Undo, one batch) reads and changes.

Rule: the only way to an object. Every read is authorised here before a handler sees anything, and nothing is
written but through `commit`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from strongroom.domain.access import in_sight, loosens, may, reaches, restricted, scope
from strongroom.domain.clients import ClientRecord
from strongroom.domain.context import Again, Another, Sought
from strongroom.domain.errors import (
    InvalidField,
    KmipError,
    ObjectAlreadyExists,
    ObjectArchived,
    ObjectDestroyed,
    ObjectNotFound,
    PermissionDenied,
)
from strongroom.domain.identity import ClientIdentity, Grant
from strongroom.domain.objects import ManagedObject
from strongroom.domain.obliterated import Obliterated, obliterated_key
from strongroom.domain.operation import Response
from strongroom.domain.permission import GIVING, Permission
from strongroom.domain.reserved import check_changes
from strongroom.domain.store import NO_CHANGES, Changes, Found, ObjectStore
from strongroom.engine.batch import BatchMemory
from strongroom.engine.effects import ENDS, PUBLIC, Effect, Kind, effects_of
from strongroom.engine.entries import WorkingEntries
from strongroom.engine.identifiers import new_identifier
from strongroom.engine.quotas import Rewritten, rewritten_of
from strongroom.engine.references import Told
from strongroom.engine.savepoint import Savepoint
from strongroom.engine.searches import Searches, Wanted
from strongroom.engine.sequence import SEQUENCE_NUMBERS
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import (
    NameReference,
    ObjectReference,
    UniqueIdentifier,
)
from strongroom.model.structures import Name
from strongroom.registry import ObjectType, Operation, State, Tag, UniqueIdentifierEnumeration
from strongroom.wire.item import Item


class UnitOfWork:
    """Reads through permissions, remembers changes, commits them at once; see `domain.context.Objects`."""

    __slots__ = (
        "_adopted",
        "_brought",
        "_caller",
        "_clients",
        "_fresh",
        "_given",
        "_judged",
        "_loaded",
        "_locates",
        "_memory",
        "_now",
        "_permission",
        "_placed",
        "_replaced",
        "_revealed",
        "_scope",
        "_sequence",
        "_sources",
        "_store",
        "another",
        "computed",
        "ends",
        "entries",
        "found",
        "made",
        "reached",
        "searches",
        "sought",
        "told",
    )

    def __init__(
        self,
        store: ObjectStore,
        memory: BatchMemory,
        *,
        caller: ClientIdentity,
        now: datetime,
        sequence: Callable[[datetime], int] = SEQUENCE_NUMBERS,
    ) -> None:
        self._store = store
        self._memory = memory
        self._caller = caller
        self._now = now
        self._loaded: dict[str, ManagedObject] = {}
        self._adopted: dict[str, ManagedObject | None] = {}  # and in whose place, None: in nobody's
        self._sources: list[ManagedObject] = []
        self._permission = Permission.NONE
        self._scope: tuple[Grant, ...] | None = ()  # nothing, until `begin` says what
        self._placed: tuple[UniqueIdentifier | None] | None = None
        self._given: dict[UniqueIdentifier, tuple[ManagedObject, Permission]] = {}
        self.reached: dict[UniqueIdentifier, ManagedObject] = {}
        """The objects that this operation has read."""
        self._fresh: list[ManagedObject] = []  # what this operation has made
        self._brought: list[ManagedObject] = []  # what it has stored as it came
        self._replaced: dict[str, ManagedObject] = {}
        self._revealed: list[ManagedObject] = []  # by parts that were undone
        self._judged: dict[str, ManagedObject] = {}  # as the items before have left them
        self._sequence = sequence
        self._clients: list[ClientRecord] = []
        self.made: Mapping[UniqueIdentifierEnumeration, UniqueIdentifier] = {}
        self.told: Told | None = None
        """What the answer tells, where later items may want to know it."""
        self.computed: tuple[Again, Response] | None = None
        """How the last operation is done again with other data, and its response; None: in full."""
        self.another: Another | None = None
        """How the last operation is done for another object of the same kind; None: in full."""
        self.sought: Sought | None = None
        """How the last operation, a search, is done for another Name; None: in full."""
        self.ends = False
        """The material of an object, as it is stored, does not outlast the commit."""
        self._locates = False
        self.found: int | None = None
        """How many objects a Locate has given, None for anything else."""
        self.entries = WorkingEntries(store, caller)
        self.searches = Searches(store, caller, now)
        """Something was looked for, so that the answer depends on more than the objects that were read."""

    def begin(self, permission: Permission, operation: Operation) -> None:
        """Start a batch item, whose reads need the permission of its operation.

        Raises PermissionDenied when the caller's ticket does not cover the operation.
        """
        self._scope = scope(self._caller, operation)
        self._permission = permission
        self._placed = None
        self.told = None
        self.found = None
        self._locates = operation is Operation.LOCATE
        self.reached = {}
        self._fresh = []
        self._brought = []

    def savepoint(self) -> Savepoint:
        """Return what `leave` and `roll_back` need, for an operation that is done as part of another."""
        return Savepoint(
            {identifier: obj.snapshot() for identifier, obj in self._loaded.items()},
            self.entries.savepoint(),
            self._permission,
            self._scope,
            self._placed,
            self._memory.placeholder,
            self.reached,
            self._fresh,
            self._brought,
            dict(self._adopted),
            dict(self._replaced),
            self._clients,
        )

    def leave(self, point: Savepoint) -> None:
        """Go on with the outer operation: its permission, and the ID Placeholder as it was."""
        self._permission, self._scope, self._placed = point.permission, point.scope, point.placed
        self._memory.placeholder = point.placeholder
        self.reached, self._fresh, self._brought = point.reached, point.fresh, point.brought

    def check_made(self) -> None:
        """Return if the operation may have made and changed what it did; raises PermissionDenied.

        Within the rights of a ticket that names objects or groups, something new comes out of one of those
        objects, or goes into one of those groups. Nobody takes an object out of the restrictions that bind
        them.
        """
        for obj in self._loaded.values():
            if obj.changed and obj.generation:
                before = self._before(obj.unique_identifier)
                check_changes(self._caller, self._permission, before, obj, self._now)
        if restricted(self._caller):
            self._check_restrictions()
        scope = self._scope
        if scope is None or self.reached:
            return
        if not all(obj.removed or reaches(scope, obj.unique_identifier, obj) for obj in self._fresh):
            raise PermissionDenied("the rights of the ticket do not cover a new object like this one")

    def _before(self, identifier: UniqueIdentifier) -> ManagedObject:
        """Return an object as it was before this item."""
        known = self._replaced.get(identifier) or self._judged.get(identifier)
        return known or next(o for o in self._sources if o.unique_identifier == identifier)

    def _check_restrictions(self) -> None:
        for before, after, replaced in self.rewritten():
            if not replaced and loosens(self._caller, before, after, self._now):
                raise PermissionDenied(
                    "the groups and the operation policy of this object stay as they are for you: by them a"
                    " restriction of the administrator forbids something"
                )

    def roll_back(self, point: Savepoint) -> None:
        """Undo what the inner operation changed; working copies handed out before are stale then."""
        # What was given out cannot be taken back.
        self._revealed += (obj for obj in self._loaded.values() if obj.revealed)
        self._loaded = point.loaded
        self._adopted, self._replaced, self._clients = point.adopted, point.replaced, point.clients
        self.entries.roll_back(point.entries)

    def keep(self, operation: int | None) -> None:
        """End a batch item that succeeded: from here on the batch may refer to what it made."""
        memory = self._memory
        if self._placed is not None:
            memory.placeholder = self._placed[0]
        memory.note(operation, self.made, () if self.told is None else self.told.identifiers)
        if self.told is not None:
            memory.identifiers += self.told.identifiers
            if self.told.data is not None:
                memory.data.keep(self.told.operation, self.told.data)

    def failed(self, operation: int | None) -> None:
        """End a batch item that failed: later ones do not get an older object in the place of its own."""
        self._memory.failed(operation)

    @property
    def now(self) -> datetime:
        """Return the time of the request."""
        return self._now

    @property
    def placed(self) -> UniqueIdentifier | None:
        """Return what this operation fills the ID Placeholder with, None for nothing."""
        return None if self._placed is None else self._placed[0]

    @property
    def placeholder(self) -> UniqueIdentifier | None:
        """Return the ID Placeholder as the batch has it by now."""
        return self._memory.placeholder

    def fill_in(self, payload: list[Item]) -> list[Item]:
        """Return a request payload with what the batch has given in the place of references to it."""
        return self._memory.fill_in(payload)

    async def get(
        self,
        reference: ObjectReference | None,
        *,
        archived: bool = False,
        destroyed: bool = False,
        permission: Permission | None = None,
    ) -> ManagedObject:
        if permission is None:
            permission = self._permission
        else:
            # An answer is remembered with one permission; one that needed two is made anew each time.
            self.searches.lasting = False
        if type(reference) is str:
            identifier = UniqueIdentifier(reference)
        elif isinstance(reference, NameReference):
            identifier = await self._by_name(reference, permission)
        else:
            identifier = self._memory.resolve(reference)
        obj = self._loaded.get(identifier)
        if obj is None:
            stored = await self._store.load(
                self._caller.tenant, identifier, in_sight(self._caller, permission)
            )
            if stored is None or not may(self._caller, permission, stored, self._now):
                raise self._hidden(identifier)
            obj = stored.copy()
            obj.settle(self._now)
            self._loaded[identifier] = obj
            self._sources.append(stored)
        elif obj.removed or not may(self._caller, permission, obj, self._now):
            raise self._hidden(identifier)
        if self._scope is not None and not reaches(self._scope, identifier, obj):
            raise self._hidden(identifier)
        if isinstance(reference, NameReference) and str(reference) not in _names(obj):
            # It was renamed since, or the index, which nothing seals, was edited.
            raise ObjectNotFound("no object has this Name any more")
        if obj.destroyed and not destroyed:
            raise ObjectDestroyed("the object was destroyed; only its attributes are left")
        if obj.archived and not archived:
            raise ObjectArchived("the object is archived; Recover it first")
        if permission in GIVING:
            self._given[identifier] = (obj, permission)
        self.reached[identifier] = obj
        return obj

    def _hidden(self, identifier: UniqueIdentifier) -> KmipError:
        """Return the answer to an object that the caller may not use, whether it exists or not."""
        if self._scope is None or reaches(self._scope, identifier, None):
            return ObjectNotFound("no object has this Unique Identifier")
        return PermissionDenied("the rights of the ticket do not cover this object")

    async def _by_name(self, reference: NameReference, permission: Permission) -> UniqueIdentifier:
        """Return the caller's own object of that name, or else the one that it has the permission on."""
        name = AttributeInstance(Tag.NAME, Name(name_value=str(reference)))
        wanted = Wanted([name], storage=3, permission=permission, maximum=2, mine=True)
        found = await self._find(wanted)
        if not found.unique_identifiers and self._caller.access is not None:
            found = await self._find(wanted._replace(mine=False))
        if len(found.unique_identifiers) != 1:
            raise ObjectNotFound("no object, or more than one, has this Name")
        return found.unique_identifiers[0]

    async def locate(
        self,
        filters: Sequence[AttributeInstance],
        *,
        storage: int,
        maximum: int | None,
        offset: int,
        oldest_first: bool = False,
        permission: Permission | None = None,
        mine: bool = False,
    ) -> Found:
        if permission is None:
            permission = self._permission
        found = await self._find(Wanted(filters, storage, permission, maximum, offset, oldest_first, mine))
        if self._locates and self.found is None:  # what comes after the first only counts
            self.found = len(found.unique_identifiers)
        return found

    async def _find(self, wanted: Wanted) -> Found:
        return await self.searches.find(wanted, self._loaded, self._scope)

    def create(
        self,
        object_type: ObjectType,
        *,
        state: State | None = State.PRE_ACTIVE,
        like: ManagedObject | None = None,
    ) -> ManagedObject:
        obj = ManagedObject(
            unique_identifier=new_identifier(),
            object_type=object_type,
            tenant=self._caller.tenant,
            owner=self._caller.client,
            sequence=self._sequence(self._now),
            state=state,
            attributes=None if like is None else like.attributes,
        )
        obj.set(Tag.INITIAL_DATE, self._now)
        self._loaded[obj.unique_identifier] = obj
        self._fresh.append(obj)
        return obj

    async def adopt(
        self,
        unique_identifier: UniqueIdentifier,
        object_type: ObjectType,
        *,
        state: State | None,
        replace: bool,
    ) -> ManagedObject:
        held = self._loaded.get(unique_identifier) or await self._store.load(
            self._caller.tenant, unique_identifier
        )
        mine = held if held is not None and may(self._caller, self._permission, held, self._now) else None
        if self._scope is not None and not reaches(self._scope, unique_identifier, mine):
            raise PermissionDenied("the rights of the ticket do not cover an object with this identifier")
        if held is None:
            gone = await self.entries.get(Obliterated, obliterated_key(unique_identifier))
            taken = gone is not None and gone.value.owner != self._caller.client
        else:
            taken = not (replace and self._may_replace(held))
        if taken:
            raise ObjectAlreadyExists(
                "an object with this Unique Identifier exists, or was another client's; import under another,"
                " or set Replace Existing if it is yours to replace"
            )
        if held is not None and held.object_type is not object_type:
            raise InvalidField("the object with this Unique Identifier has another Object Type")
        obj = ManagedObject(
            unique_identifier=unique_identifier,
            object_type=object_type,
            tenant=self._caller.tenant,
            owner=self._caller.client if held is None else held.owner,
            sequence=self._sequence(self._now) if held is None else held.sequence,
            state=state,
            generation=0 if held is None else held.generation,
        )
        obj.changed = obj.essential = True
        self._loaded[unique_identifier] = obj
        self._brought.append(obj)
        self._adopted.setdefault(unique_identifier, held)
        if held is not None and held.generation:
            self._replaced.setdefault(unique_identifier, held)
        return obj

    def _may_replace(self, held: ManagedObject) -> bool:
        """Tell whether the caller may put another object in the place of this one."""
        return (
            not held.removed
            and may(self._caller, self._permission, held, self._now)
            and may(self._caller, Permission.DESTROY, held, self._now)
        )

    def renew(self, record: ClientRecord) -> None:
        self._clients = [*(one for one in self._clients if one.client != record.client), record]

    def place(self, unique_identifier: UniqueIdentifier | None) -> None:
        if unique_identifier is None:  # emptied at once, also when the batch item fails after this
            self._memory.placeholder = None
        self._placed = (unique_identifier,)

    def done_with(self) -> dict[UniqueIdentifier, ManagedObject]:
        """Return the objects that this operation has read, or else those that it has made."""
        return self.reached or {obj.unique_identifier: obj for obj in (*self._fresh, *self._brought)}

    def touched(self) -> tuple[UniqueIdentifier, ...]:
        """Return the identifiers of every object that was read or made."""
        return tuple(o.unique_identifier for o in self._loaded.values())

    def sources(self) -> tuple[ManagedObject, ...]:
        """Return the objects that were read, as the store gave them."""
        return tuple(self._sources)

    def given(self) -> list[tuple[ManagedObject, Permission]]:
        """Return the objects whose secrets an answer may hold, with the right to them that was asked for."""
        return [one for one in self._given.values() if one[0].object_type not in PUBLIC]

    def effects(self, *, exports: bool) -> Sequence[Effect]:
        """Return what this item, as far as it has come, does to objects: that is still to be judged.

        `exports`: what was given out in clear matters.
        """
        for obj in self._loaded.values():
            if (obj.changed and obj.generation) or (exports and obj.revealed):
                break
        else:
            if not self._revealed:
                return ()
        before = {obj.unique_identifier: obj for obj in self._sources} | self._judged
        found = [
            effect
            for effect in effects_of(self._loaded.values(), self._revealed, before, self._replaced)
            if exports or effect.kind is not Kind.REVEALED
        ]
        if found:
            self._revealed = []
            for effect in found:
                effect.after.revealed = False
            self.ends = self.ends or any(effect.kind in ENDS for effect in found)
        return found

    def go_on(self) -> None:
        """Begin another item of the same transaction: it sees what the others have left, dated, and answers
        for what it does to that, since one act that was allowed is not another."""
        self._date(o for o in self._loaded.values() if o.changed)
        self._judged = {
            key: obj.snapshot() for key, obj in self._loaded.items() if obj.changed and obj.generation
        }
        self._replaced.clear()

    def created(self) -> list[ManagedObject]:
        """Return the objects that are new."""
        return [o for o in self._loaded.values() if not o.generation and not o.removed]

    def rewritten(self) -> list[Rewritten]:
        """Return the objects that are stored already and are changed, without those that are removed."""
        changed = [o for o in self._loaded.values() if o.changed and o.generation and not o.removed]
        return rewritten_of(changed, self._sources, self._adopted) if changed else []

    def policies(self) -> set[str]:
        """Return the operation policies (KMIP 1.x) of what was made or changed."""
        tag = Tag.OPERATION_POLICY_NAME
        return {o.value(tag) for o in self._loaded.values() if o.changed and tag in o.attributes}

    def changes(self) -> Changes:
        """Return what a commit would write."""
        # What the batch itself made and removed again was never stored.
        objects = [o for o in self._loaded.values() if o.changed and (o.generation or not o.removed)]
        entries, clients = self.entries.changes(), self._clients
        if objects or entries or clients:
            return Changes(objects=objects, entries=entries, clients=clients)
        return NO_CHANGES

    async def commit(self, changes: Changes) -> None:
        """Make the changes durable; raises what `ObjectStore.commit` raises."""
        self._date(changes.objects)
        await self._store.commit(changes)

    def _date(self, changed: Iterable[ManagedObject]) -> None:
        """Note when objects were changed; what was imported may have a date of its own."""
        for obj in changed:
            dated = obj.unique_identifier in self._adopted and obj.value(Tag.LAST_CHANGE_DATE) is not None
            if not obj.removed and not dated:
                obj.note(Tag.LAST_CHANGE_DATE, self._now)


def _names(obj: ManagedObject) -> set[str]:
    return {name.name_value for name in obj.values(Tag.NAME)}
