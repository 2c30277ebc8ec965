"""Whether a request has the approvals that it needs.

Rule: what is approved is one exact request: who sends it, its payload, and what it does to which objects, as
they are. The approval goes in the commit that does what was approved, so it does it once.
"""

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from strongroom.domain.acts import Act
from strongroom.domain.approvals import (
    EXPIRED,
    LIFETIME,
    MOST,
    MOST_WAITING,
    NEEDS,
    REQUESTED,
    Approval,
    counted,
    digest_of,
    key_of,
    name_of,
    new_mark,
    told,
)
from strongroom.domain.audit import SUCCESS, AuditEvent
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.errors import PermissionDenied, ServerFailure
from strongroom.domain.identity import ClientId, ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import OperationSpec
from strongroom.domain.people import Person
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.engine.due import each_due
from strongroom.engine.effects import Effect
from strongroom.engine.run import Awaited, Run
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.model.convert import encoder
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import encode_object
from strongroom.model.struct import Struct
from strongroom.registry import Tag
from strongroom.wire import binary

_ATTEMPTS: Final = 16
_PAGE: Final = 64
_MOST_NAMES: Final = 16
_LONGEST_NAME: Final = 200
_PAYLOAD: Final = int(Tag.REQUEST_PAYLOAD)


class ApprovalNeeded(PermissionDenied):
    """It is done once enough people have approved it; `until` is when they have to."""

    def __init__(self, message: str, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class Approvals:
    """Finds, makes and uses up approvals of requests."""

    def __init__(self, store: ObjectStore, clients: Callable[[ClientId], ClientIdentity | None]) -> None:
        self._store = store
        self._clients = clients

    async def require(
        self,
        run: Run,
        work: UnitOfWork,
        spec: OperationSpec,
        request: Struct,
        effects: Sequence[Effect],
        acts: dict[Act, int],
    ) -> None:
        """Return if the request is approved, which is used up in the commit of `work`.

        `acts` are what it does and the votes that each needs. Raises ApprovalNeeded, and PermissionDenied for
        what was rejected, was not approved in time, or would be one too many.
        """
        caller, awaited = run.connection.client, run.awaited
        votes = max(acts.values())
        digest = _digest(caller, spec, request, effects)
        for _ in range(_ATTEMPTS):
            kept = await self._store.load_entry(Approval, caller.tenant, key_of(digest))
            if kept is not None and kept.value.digest != digest:
                raise PermissionDenied("another request that waits has the same number; send this one later")
            if kept is None or kept.value.expires_at <= work.now:
                if awaited is not None and awaited.submitted_at + LIFETIME <= work.now:
                    raise PermissionDenied("the request was not approved in time; send it again")
                made = await self._new(run, spec, digest, effects, told(acts), kept)
                if made is None:
                    continue
                kept = made
            if kept.value.rejected_by is not None:
                raise PermissionDenied(
                    f"{kept.value.rejected_by} has rejected it (approval {name_of(kept)}); it may be"
                    f" asked for again after {kept.value.expires_at:%Y-%m-%d %H:%M} UTC"
                )
            given = await self._given(kept)
            if len(given) >= votes:
                if await self._use(work, kept):
                    return
                continue
            if awaited is not None and not await self._wake_up(run, kept, awaited):
                continue
            raise ApprovalNeeded(_sentence(kept, len(given), votes), kept.value.expires_at)
        raise ServerFailure("too many ask for this approval at once; try again")

    async def tidy(self, now: datetime) -> None:
        """Forget requests that nobody approved or used in time. Raises StoreFailure."""
        await each_due(self._store, Approval, now, _PAGE, lambda kept: self._expire(kept, now))

    async def _expire(self, kept: Kept[Approval], now: datetime) -> None:
        change = EntryChange(Approval, kept.tenant, kept.key, kept.generation, None)
        event = AuditEvent(
            at=now,
            client=0,
            tenant=kept.tenant,
            peer="-",
            operation=EXPIRED,
            outcome=SUCCESS,
            by="server",
            target=f"approval={name_of(kept)}",
        )
        with contextlib.suppress(LostRace):  # another worker was first
            await self._store.commit(Changes(entries=[change], events=[event]))

    async def _given(self, kept: Kept[Approval]) -> list[str]:
        if not kept.value.votes:
            return []
        people = await self._store.entries_of(Person, SYSTEM_TENANT, 0)
        return counted(kept, people, lambda client: self._clients(ClientId(client)) is not None)

    async def _use(self, work: UnitOfWork, kept: Kept[Approval]) -> bool:
        """Use an approval up in the commit of `work`; False when it has changed since it was read."""
        current = await work.entries.get(Approval, kept.key)
        if current is None:
            raise PermissionDenied("the approval is for one item, and an earlier one of the batch uses it up")
        if current.generation != kept.generation:
            return False
        work.entries.remove(current)
        return True

    async def _new(
        self,
        run: Run,
        spec: OperationSpec,
        digest: bytes,
        effects: Sequence[Effect],
        acts: tuple[str, ...],
        expired: Kept[Approval] | None,
    ) -> Kept[Approval] | None:
        """Keep the request for people to look at; None when another change of it came first."""
        caller, now = run.connection.client, run.now
        asked = await self._store.count_entries(Approval, caller.tenant, caller.client)
        if expired is None and asked >= MOST:
            raise PermissionDenied(
                f"it needs approval, and {MOST} requests of yours wait for that already; have some approved, "
                "or wait until they expire"
            )
        objects = list({effect.before.unique_identifier: effect.before for effect in effects}.values())
        value = Approval(
            digest=digest,
            mark=new_mark(),
            acts=acts,
            operation=spec.name,
            objects=tuple(obj.unique_identifier for obj in objects[:_MOST_NAMES]),
            names=tuple(_name(obj) for obj in objects[:_MOST_NAMES]),
            details=f"{len(objects)} objects" if len(objects) > _MOST_NAMES else "",
            requested_at=now,
            expires_at=now + LIFETIME,
            acting=caller.acting,
            user=caller.user,
        )
        generation = 0 if expired is None else expired.generation
        after = Kept(
            tenant=caller.tenant,
            key=key_of(digest),
            owner=caller.client,
            value=value,
            due=value.expires_at,
            generation=generation,
        )
        return await self._put(run, after)

    async def _wake_up(self, run: Run, kept: Kept[Approval], awaited: Awaited) -> bool:
        """Have the request that waits gone on with once it is approved; False after a lost race."""
        waiting = kept.value.waiting
        if awaited.key in waiting:
            return True
        value = kept.value.replace(waiting=(*waiting, awaited.key)[-MOST_WAITING:])
        after = Kept(
            tenant=kept.tenant,
            key=kept.key,
            owner=kept.owner,
            value=value,
            due=kept.due,
            generation=kept.generation,
        )
        return await self._put(run, after) is not None

    async def _put(self, run: Run, after: Kept[Approval]) -> Kept[Approval] | None:
        change = EntryChange(Approval, after.tenant, after.key, after.generation, after)
        event = AuditEvent(
            at=run.now,
            client=after.owner,
            tenant=after.tenant,
            peer=run.connection.peer,
            operation=REQUESTED,
            outcome=SUCCESS,
            objects=tuple(map(UniqueIdentifier, after.value.objects)),
            acting=after.value.acting,
            user=run.connection.client.user,
            target=f"approval={name_of(after)} operation={after.value.operation}",
        )
        try:
            await self._store.commit(Changes(entries=[change], events=[event]))
        except LostRace:
            return None
        return await self._store.load_entry(Approval, after.tenant, after.key)


def _sentence(kept: Kept[Approval], given: int, votes: int) -> str:
    command = f"`strongroom approval approve {name_of(kept)}`"
    until = f"until {kept.value.expires_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"{NEEDS} {votes} people and has that of {given}: {command} {until}, then send the same request again"
    )


def _name(obj: ManagedObject) -> str:
    return next((str(name.name_value)[:_LONGEST_NAME] for name in obj.values(Tag.NAME)), "")


def _digest(caller: ClientIdentity, spec: OperationSpec, request: Struct, effects: Sequence[Effect]) -> bytes:
    """Return what stands for the request: a Name or the ID Placeholder counts as the object that it meant."""
    parts = [
        f"{caller.tenant} {caller.client} {caller.acting or 0} {int(spec.operation)}".encode(),
        (caller.user or "").encode(),
        binary.encode((_PAYLOAD, 1, encoder(type(request), None)(request))),
    ]
    return digest_of(*parts, *sorted(map(_identity, effects)))


def _identity(effect: Effect) -> bytes:
    """Return what tells an object from any other, also from a later one with its identifier."""
    obj = effect.before
    material = b"" if obj.material is None else binary.encode(encode_object(obj.material, None))
    return digest_of(
        effect.kind.word.encode(),
        obj.unique_identifier.encode(),
        f"{obj.sequence} {obj.owner}".encode(),
        material,
    )
