"""What stands between a dangerous act and its commit: holds, the deletion window, approvals.

Rule: asked once for each request, after it was authorised and worked out and before it is committed, for
what it does and not for what it is called. Handlers know nothing of it. A tenant that lays nothing down
pays for one read, of holds, where something would be lost.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from strongroom.domain.acts import NONE, Act, Safeguards, read_safeguards
from strongroom.domain.audit import SUCCESS, AuditEvent
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.errors import PermissionDenied
from strongroom.domain.holds import Hold, group_key, groups_of, keys_of
from strongroom.domain.identity import ClientId, ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import OperationSpec
from strongroom.domain.parking import Parked, park
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.store_failures import StoreFailure, TamperedRecord
from strongroom.engine.approvals import Approvals
from strongroom.engine.due import attempt_each_due
from strongroom.engine.effects import LOSSES, Effect, Kind, acts_of
from strongroom.engine.run import Run
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.procedures.used_ivs import EndOfIvs, UsedIv, end_of_ivs

WINDOW_ENDED: Final = "DeletionWindowEnded"
WINDOW_HELD: Final = "DeletionWindowHeld"
"""What audit events say of parked material that was removed, and of what a hold keeps."""

_PAGE: Final = 32

_SCRUBS: Final = timedelta(seconds=10)
"""Between two: each holds up changes for as long as it takes."""

_LOOK_AGAIN: Final = timedelta(hours=1)
"""After the end of its window, something held is looked at again in this time."""


class Guard:
    """The safeguards of every tenant, as this process knows them since it last read them."""

    def __init__(
        self,
        store: ObjectStore,
        clients: Callable[[ClientId], ClientIdentity | None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._on_failure = on_failure
        self.approvals = Approvals(store, clients)
        self.laid_down: Mapping[int, Safeguards] = {}
        self._unscrubbed = True  # whoever was here before may have ended in between
        self._scrubbed_at: datetime | None = None

    async def refresh(self) -> bool:
        """Read again what tenants have laid down; tell whether anything changed. Raises StoreFailure."""
        found = await read_safeguards(self._store)
        for tenant in self.laid_down.keys() - found.keys():
            # No command removes one: whoever did has written to the database, and gains nothing by it here.
            self._on_failure(TamperedRecord(f"what tenant {tenant} has laid down was taken away"))
            found[tenant] = self.laid_down[tenant]
        if found == self.laid_down:
            return False
        self.laid_down = found
        return True

    def votes(self, tenant: int, act: Act) -> int:
        """Return how many people have to approve an act on objects of a tenant."""
        return self.laid_down.get(tenant, NONE).votes(act)

    async def allow(
        self, run: Run, work: UnitOfWork, spec: OperationSpec, request: Any, effects: Sequence[Effect]
    ) -> None:
        """Return if a request may be committed that has these effects; raises PermissionDenied."""
        caller = run.connection.client
        laid_down = self.laid_down.get(caller.tenant, NONE)
        for effect in effects:
            if effect.kind in LOSSES:
                await self._check_holds(effect)
        if laid_down is not NONE:
            acts = {act: laid_down.votes(act) for act in acts_of(effects)}
            needed = {act: votes for act, votes in acts.items() if votes}
            if needed:
                await self.approvals.require(run, work, spec, request, effects, needed)
        for effect in effects:
            await self._park(work, effect, laid_down)
            for_good = effect.kind is Kind.DESTROYED and not laid_down.deletion_window
            if effect.kind is Kind.REMOVED or (for_good and effect.after.destroyed):
                await self._end_ivs(work, effect.before)

    async def _check_holds(self, effect: Effect) -> None:
        before = effect.before
        if effect.kind is Kind.LEFT_GROUP:
            for group in groups_of(before) - groups_of(effect.after):
                if await self._store.load_entry(Hold, before.tenant, group_key(group)) is not None:
                    raise PermissionDenied("the group is under a legal hold, so nothing leaves it")
        elif await held(self._store, before):
            raise PermissionDenied(
                "the object is under a legal hold: nobody can destroy or replace it until the hold is removed"
            )

    async def _park(self, work: UnitOfWork, effect: Effect, laid_down: Safeguards) -> None:
        """Keep what is destroyed for the time that the tenant wants, or what is parked, no longer."""
        before = effect.before
        if effect.kind is Kind.DESTROYED and laid_down.deletion_window and effect.after.destroyed:
            await work.entries.get(Parked, before.unique_identifier)
            due = work.now.replace(microsecond=0) + laid_down.window
            work.entries.put(before.unique_identifier, park(before, work.now), due=due, shared=True)
        elif effect.kind is Kind.REMOVED:
            parked = await work.entries.get(Parked, before.unique_identifier)
            if parked is not None:
                work.entries.remove(parked)
        elif effect.kind is Kind.REPLACED:
            parked = await work.entries.get(Parked, before.unique_identifier)
            if parked is not None or (laid_down.deletion_window and not before.destroyed):
                raise PermissionDenied(
                    "what is destroyed is kept for a while here, so nothing takes its place: import under"
                    " another Unique Identifier, or Obliterate the object first"
                )

    async def _end_ivs(self, work: UnitOfWork, obj: ManagedObject) -> None:
        """Have the IVs of a key forgotten, which is gone for good with this commit."""
        if await self._has_used_ivs(obj):
            ended = end_of_ivs(obj, work.now)
            await work.entries.get(EndOfIvs, ended.key)
            work.entries.put(ended.key, ended.value, due=ended.due, shared=True)

    async def _ended(self, obj: ManagedObject | None, now: datetime) -> list[EntryChange]:
        if obj is None or not await self._has_used_ivs(obj):
            return []
        ended = end_of_ivs(obj, now)
        before = await self._store.load_entry(EndOfIvs, ended.tenant, ended.key)
        generation = 0 if before is None else before.generation
        return [EntryChange(EndOfIvs, ended.tenant, ended.key, generation, ended)]

    async def _has_used_ivs(self, obj: ManagedObject) -> bool:
        return bool(await self._store.entries_of(UsedIv, obj.tenant, obj.sequence, 1))

    async def tidy(self, now: datetime) -> None:
        """Remove for good what was parked until now, unless it is held, or it cannot be told whether it is.

        Raises StoreFailure, or what else went wrong first, after all of it had its turn.
        """
        failure = await attempt_each_due(
            self._store, Parked, now, _PAGE, lambda kept: self._end_window(kept, now)
        )
        await self._scrub(now)
        if failure is not None:
            raise failure

    async def _end_window(self, kept: Kept[Parked], now: datetime) -> None:
        obj = await self._store.load(kept.tenant, kept.key)
        if obj is not None and await held(self._store, obj):
            later = Kept(
                tenant=kept.tenant,
                key=kept.key,
                owner=kept.owner,
                value=kept.value,
                due=now.replace(microsecond=0) + _LOOK_AGAIN,
                generation=kept.generation,
            )
            await self._change(kept, later, now)
            return
        ivs = await self._ended(obj, now)
        if await self._change(kept, None, now, others=ivs, objects=_touched(obj)):
            self.material_is_gone()

    def material_is_gone(self) -> None:
        """Have the files of the store rid of something soon, which was removed by a commit."""
        self._unscrubbed = True

    async def _scrub(self, now: datetime) -> None:
        # The clock may have been set back meanwhile.
        if not self._unscrubbed or (self._scrubbed_at is not None and abs(now - self._scrubbed_at) < _SCRUBS):
            return
        self._unscrubbed, self._scrubbed_at = False, now
        try:
            await self._store.scrub()
        except StoreFailure:
            # Somebody reads for long, such as a backup; a store that fails is told by those who need it.
            self._unscrubbed = True

    async def _change(
        self,
        kept: Kept[Parked],
        after: Kept[Parked] | None,
        now: datetime,
        *,
        others: Sequence[EntryChange] = (),
        objects: Sequence[ManagedObject] = (),
    ) -> bool:
        change = EntryChange(Parked, kept.tenant, kept.key, kept.generation, after)
        event = AuditEvent(
            at=now,
            client=0,
            tenant=kept.tenant,
            peer="-",
            operation=WINDOW_ENDED if after is None else WINDOW_HELD,
            outcome=SUCCESS,
            objects=(UniqueIdentifier(kept.key),),
            by="server",
        )
        try:
            await self._store.commit(Changes(objects=objects, entries=[change, *others], events=[event]))
        except LostRace:  # another node was first, or it was restored, held or obliterated
            return False
        return True


def _touched(obj: ManagedObject | None) -> list[ManagedObject]:
    """Return an object for its next generation alone: whoever has put a hold on it meanwhile was first."""
    if obj is None:
        return []
    touched = obj.copy()
    touched.changed = True
    return [touched]


async def held(store: ObjectStore, obj: ManagedObject) -> bool:
    """Tell whether an object, or a group that it is in, is under a legal hold. Raises StoreFailure."""
    for key in keys_of(obj):
        if await store.load_entry(Hold, obj.tenant, key) is not None:
            return True
    return False
