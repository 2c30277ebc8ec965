"""The requests that wait: kept, done in the background, taken up again after a restart.

Rule: an item is done in the commit that keeps its answer, so that whoever comes second, another worker or the
same after a crash, finds it done. See `domain.asynchronous`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from strongroom.domain import turn
from strongroom.domain.asynchronous import WaitingBatch, WaitingItem, new_key
from strongroom.domain.clock import Clock
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.errors import KmipError, PermissionDenied, ServerFailure, ServerLimitExceeded
from strongroom.domain.identity import ClientId, ClientIdentity, TenantId
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.store_failures import StoreFailure
from strongroom.engine.approvals import ApprovalNeeded
from strongroom.engine.batch import BatchMemory
from strongroom.engine.due import attempt_each_due
from strongroom.engine.entries import forget
from strongroom.engine.kept_answers import KeptAnswers
from strongroom.engine.later import Later, LaterItem
from strongroom.engine.references import PLACING, named, names_of
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.engine.users import may_log_in
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.registry import BatchErrorContinuationOption

DELAY: Final = 0.5
"""Seconds until a worker begins: whoever sent the request by mistake has that long to cancel it."""

TAKE_UP: Final = timedelta(seconds=30)
"""After this a request that is not done counts as left behind by a worker that ended."""

RETENTION: Final = timedelta(days=1)
"""How long an answer waits for Poll."""

MOST: Final = 32
"""Requests that one client may have outstanding."""

MOST_BYTES: Final = 16 << 20
"""Bytes of them, answers included: whoever asks what waits has it all in memory."""

CLAIM: Final = timedelta(minutes=5)
"""How long whoever takes up what was left behind has it for itself."""

MOST_TRIES: Final = 3
"""How often an item is taken up whose worker ended: it may be what ends them."""

_PAGE: Final = 32
_ATTEMPTS: Final = 64


class _Parked(Exception):
    """The next item waits for people; whoever approves it has it taken up again."""


class RequestBacklog:
    """See `domain.context.Backlog`; one in each process."""

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        later: Later,
        clients: Callable[[ClientId], ClientIdentity | None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._later = later
        self._clients = clients
        self._on_failure = on_failure
        self.answers = KeptAnswers(store, RETENTION, on_failure)
        self._running: set[asyncio.Task[None]] = set()
        self._doing: set[tuple[int, str]] = set()

    async def keep(self, batch: WaitingBatch, work: UnitOfWork) -> str:
        """Put a batch among the changes of a unit of work and return its key; raises ServerLimitExceeded."""
        every = sorted(await work.entries.mine(WaitingBatch), key=lambda kept: kept.value.submission_date)
        mine = [kept for kept in every if kept.value.counts]
        # Answers that were taken away give nothing but the reason: of them the newest are enough.
        for withdrawn in [kept for kept in every if not kept.value.counts][:-MOST]:
            work.entries.remove(withdrawn)
        if len(mine) >= MOST:
            raise ServerLimitExceeded(
                f"{MOST} requests of yours wait already; fetch their answers with Poll, or cancel some"
            )
        if sum(kept.value.size for kept in mine) + batch.size > MOST_BYTES:
            raise ServerLimitExceeded(
                f"more than {MOST_BYTES} bytes of yours would wait; fetch answers with Poll, or leave the"
                " Asynchronous Indicator out"
            )
        key = new_key()
        work.entries.put(key, batch, due=batch.submission_date.replace(microsecond=0) + TAKE_UP)
        return key

    def begin(self, tenant: TenantId, key: str) -> None:
        """Do a batch soon, in the background."""
        task = asyncio.get_running_loop().create_task(self._after_a_while(tenant, key))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _after_a_while(self, tenant: int, key: str) -> None:
        await asyncio.sleep(DELAY)
        try:
            await self._do_all(tenant, key)
        except Exception as exc:  # noqa: BLE001 - the edge: `tidy` tries again
            self._on_failure(exc)

    async def _do_all(self, tenant: int, key: str) -> None:
        """Do a batch to its end, unless this process is at it already."""
        if (tenant, key) not in self._doing:
            self._doing.add((tenant, key))
            try:
                await self._do(tenant, key, None)
            finally:
                self._doing.discard((tenant, key))

    def close(self) -> None:
        """Leave what is not done yet to others."""
        for task in self._running:
            task.cancel()

    async def finish(self, tenant: int, key: str, position: int) -> None:
        await self._do(tenant, key, position)

    async def tidy(self, now: datetime) -> None:
        """Do what a worker left behind, one batch after the other, and forget answers that nobody fetched.

        Raises StoreFailure, or what else went wrong first, after all of them had their turn.
        """
        failure = await attempt_each_due(self._store, WaitingBatch, now, _PAGE, self._take_up)
        await self.answers.tidy(now)
        if failure is not None:
            raise failure

    async def _take_up(self, batch: Kept[WaitingBatch]) -> None:
        if batch.value.next is None:
            await forget(self._store, batch)
        elif (batch.tenant, batch.key) not in self._doing and await self._claim(batch):
            await self._do_all(batch.tenant, batch.key)

    async def _claim(self, batch: Kept[WaitingBatch]) -> bool:
        """Take a batch over, and count that; False when another worker was quicker."""
        value = batch.value.replace(iteration_count=(batch.value.iteration_count or 0) + 1)
        claimed = replace(batch, value=value, due=self._clock.now() + CLAIM)
        change = EntryChange(WaitingBatch, batch.tenant, batch.key, batch.generation, claimed)
        try:
            await self._store.commit(Changes(entries=[change]))
        except LostRace:
            return False
        return True

    async def _do(self, tenant: int, key: str, upto: int | None) -> None:
        """Do the items of a batch in order, up to a place (None: all)."""
        with contextlib.suppress(_Parked):
            await self._do_in_order(tenant, key, upto)

    async def _do_in_order(self, tenant: int, key: str, upto: int | None) -> None:
        for attempt in range(_ATTEMPTS):
            while True:
                batch = await self._store.load_entry(WaitingBatch, tenant, key)
                position = None if batch is None else batch.value.next
                if batch is None or position is None or (upto is not None and position > upto):
                    return
                if not await self._do_one(batch, position, attempt):
                    break
        raise StoreFailure("a request that waits could not be done: others keep changing what it concerns")

    async def _do_one(self, batch: Kept[WaitingBatch], position: int, attempt: int) -> bool:
        """Do one item and commit it with its answer; False when another change came first."""
        client = self._clients(ClientId(batch.owner))
        caller = batch.value.sent_by(_owner(batch) if client is None else client)
        turn.client.set(batch.owner)
        try:
            if client is None:
                raise PermissionDenied("the client that sent the request may not connect any more")
            if not await may_log_in(self._store, caller, self._clock.now()):
                raise PermissionDenied("the user who sent the request may not log in any more")
            if (batch.value.iteration_count or 0) > MOST_TRIES:
                raise ServerFailure(f"the server ended {MOST_TRIES} times while it did this; do it in parts")
            work = self._work(batch, caller)
            item = self._later.item(batch, position, work, caller)
            answer = await item.perform()
            given = self.answers.note(work, batch.key, position)
            # It may have taken answers of its own batch away.
            current = await work.entries.get(WaitingBatch, batch.key)
            value = batch.value if current is None else current.value
            done = value.items[position].done(
                answer,
                made=tuple(work.made.values()),
                given=given,
                identifiers=() if work.told is None else work.told.identifiers,
            )
            return await self._commit(batch, value.with_item(position, done), work, item, attempt)
        except StoreFailure:
            raise
        except ApprovalNeeded as needed:
            return await self._park(batch, needed.until)
        except Exception as exc:  # noqa: BLE001 - the edge: every failure becomes an answer
            work = self._work(batch, caller)
            work.failed(batch.value.items[position].operation)
            item = self._later.item(batch, position, work, caller)
            done = batch.value.items[position].done(item.explain(exc, position))
            after = batch.value.with_item(position, done)
            if after.batch_error_continuation_option is not BatchErrorContinuationOption.CONTINUE:
                after = self._stopped(replace(batch, value=after), work, caller)
            return await self._commit(batch, after, work, item, attempt)

    async def _commit(
        self,
        batch: Kept[WaitingBatch],
        after: WaitingBatch,
        work: UnitOfWork,
        item: LaterItem,
        attempt: int,
    ) -> bool:
        """Commit what was done and the batch as it is `after`; False when another change came first."""
        current = await work.entries.get(WaitingBatch, batch.key)
        if current is None or current.generation != batch.generation:
            return False
        # Whoever is at it gets on: others take it up only when nothing is done for a while.
        due = self._clock.now() + (TAKE_UP if after.next is not None else RETENTION)
        work.entries.put(
            batch.key, after.replace(placeholder=work.placeholder, iteration_count=None), due=due
        )
        return await item.commit(attempt)

    async def _park(self, batch: Kept[WaitingBatch], until: datetime) -> bool:
        """Leave a batch alone until its next item is approved, at the latest until a time.

        Raises _Parked; False when another change came first: it may have been the approval.
        """
        value = batch.value.replace(iteration_count=None)
        parked = replace(batch, value=value, due=until.replace(microsecond=0))
        change = EntryChange(WaitingBatch, batch.tenant, batch.key, batch.generation, parked)
        try:
            await self._store.commit(Changes(entries=[change]))
        except LostRace:
            return False
        raise _Parked

    def _stopped(self, batch: Kept[WaitingBatch], work: UnitOfWork, caller: ClientIdentity) -> WaitingBatch:
        """Return the batch with a failure for each item that will not be done any more."""
        error = KmipError("an earlier item of the batch failed, so this one was not done")
        while (position := batch.value.next) is not None:
            answer = self._later.item(batch, position, work, caller).explain(error, position)
            done = batch.value.with_item(position, batch.value.items[position].done(answer))
            batch = replace(batch, value=done)
        return batch.value

    def _work(self, batch: Kept[WaitingBatch], caller: ClientIdentity) -> UnitOfWork:
        """Return a unit of work that remembers what the items before have made."""
        memory = BatchMemory()
        before = batch.value.items[: batch.value.next]
        if batch.value.placeholder is not None and not _failed_to_place(before):
            memory.placeholder = UniqueIdentifier(batch.value.placeholder)
        for item in before:
            made = named(item.operation, [UniqueIdentifier(one) for one in item.made])
            memory.note(item.operation, made)
            # One that an older release has done says only what it made.
            memory.identifiers += map(UniqueIdentifier, item.identifiers or item.made)
        return UnitOfWork(self._store, memory, caller=caller, now=self._clock.now())


def _failed_to_place(before: Sequence[WaitingItem]) -> bool:
    """Tell whether the last item that should have filled the ID Placeholder has made nothing.

    It may have been refused, or called off, before the items in front of it were done.
    """
    last = next((item for item in reversed(before) if item.operation in PLACING), None)
    return last is not None and not last.made and bool(names_of(last.operation))


def _owner(batch: Kept[WaitingBatch]) -> ClientIdentity:
    """Return whose batch it is, to change the entry and nothing else."""
    return ClientIdentity(client=ClientId(batch.owner), tenant=TenantId(batch.tenant), name="")
