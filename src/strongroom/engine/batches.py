"""The items of one request message: one by one, all or none, or later.

Rule: an item raises to stop, and what it raised becomes its answer here, in the version of the request.
"""

import contextlib

from strongroom.domain.asynchronous import WaitingBatch
from strongroom.domain.errors import KmipError, ServerFailure, ServerLimitExceeded
from strongroom.domain.store import LostRace
from strongroom.domain.turn import Pace
from strongroom.engine.batch import BatchMemory
from strongroom.engine.failures import Failures
from strongroom.engine.idempotency import used_for_something_else
from strongroom.engine.repetition import repeated
from strongroom.engine.request import BatchItem
from strongroom.engine.room import failed, room_with, taken
from strongroom.engine.run import Done, Run
from strongroom.engine.services import Services
from strongroom.engine.tickets import charge
from strongroom.engine.transactions import ATTEMPTS, Transactions, event_of
from strongroom.registry import Operation
from strongroom.wire.item import Item


class Batches:
    """Does what a message asks for; see `Transactions`."""

    def __init__(self, services: Services, transactions: Transactions, failures: Failures) -> None:
        self._audit = services.audit
        self._transactions = transactions
        self._failures = failures
        self._limits = services.limits

    async def answer(self, run: Run) -> list[Item]:
        """Return the batch items of the response."""
        if self._transactions.later.waits(run):
            return await self._keep(run)
        return await (self._all_or_nothing(run) if run.request.undo else self._one_by_one(run))

    async def _one_by_one(self, run: Run) -> list[Item]:
        """Do the batch, each item a transaction of its own (Stop and Continue)."""
        results: list[Item] = []
        pace = Pace()
        for position, item in enumerate(run.request.items):
            if position:
                run.request.items[position - 1].payload = None  # nor are all let go at once in the end
                await pace()
            try:
                item = self._spread(run, position)
                result = await self._transactions.transact(run, item)
            except Exception as exc:  # noqa: BLE001 - the edge: every failure becomes an answer
                run.streams.end_claimed()
                run.memory.failed(item.operation)
                results.append(self._failure(run, position, item, exc))
                if not run.request.goes_on:
                    break
                continue
            results.append(result)
        return results

    async def _all_or_nothing(self, run: Run) -> list[Item]:
        """Do the batch as one transaction (Undo)."""
        items, as_sent = run.request.items, run.request.items.copy()
        failing, results, pace = 0, list[Item](), Pace()
        before = set[int]()  # what was done before, under the name of the request, and stays done
        whole = room = run.room
        try:
            for attempt in range(ATTEMPTS):
                run.memory = BatchMemory()
                run.streams.rewind()
                work, room = self._transactions.unit_of_work(run), whole
                items[:] = as_sent
                results.clear()
                before.clear()
                done: list[Done] = []
                repeated = await self._transactions.was_begun(run, work)
                anew = refused = False
                for failing, item in enumerate(items):
                    await pace()
                    run.room = room
                    item = self._spread(run, failing)
                    room = run.room
                    known = await self._transactions.again(run, item, work)
                    if known is not None:
                        size = taken(known, item, room)
                        done.append(Done(item, tuple(work.made.values()), None))
                        results.append(known)
                        before.add(failing)
                    else:
                        point = work.savepoint() if repeated else None
                        streams = run.streams.touched()
                        try:
                            result, size = await self._transactions.perform(run, item, work, room)
                        except KmipError as error:
                            if point is None or anew:
                                raise
                            # The batch was done: what is only asked for anew answers for itself.
                            run.streams.end_claimed(streams)
                            work.roll_back(point)
                            work.leave(point)
                            run.memory.failed(item.operation)
                            run.room = room
                            results.append(self._failure(run, failing, item, error))
                            room, refused = run.room, True
                            continue
                        anew = self._transactions.note(run, item, work, result) or anew
                        if anew and refused:  # it is another batch than the one that was done
                            raise used_for_something_else()
                        done.append(Done(item, work.touched(), work.found))
                        results.append(result)
                    room = None if room is None else room - size
                    work.keep(item.operation)
                    work.go_on()
                changes = work.changes()
                if not changes:
                    for item, objects, found in done:
                        if objects or found is not None or repeated:
                            self._audit.record(event_of(run, item, objects, found))
                if not changes or await self._transactions.commit(work, changes, done, run, attempt):
                    run.streams.keep()
                    return results
            raise ServerFailure("the objects are being changed by too many requests at once; try again")
        except Exception as exc:  # noqa: BLE001 - the edge: every failure becomes an answer
            run.streams.end_claimed()
            if run.connection.roles is not None:
                run.connection.roles.wanted = False
            run.room = room
            failure = self._failure(run, failing, items[failing], exc)
        return [
            *(
                result if position in before else run.answers.undone(result)
                for position, result in enumerate(results[:failing])
            ),
            failure,
        ]

    def _spread(self, run: Run, position: int) -> BatchItem:
        """Put the items that one stands for into its place, and return the first of them.

        Raises ServerLimitExceeded and ResponseTooLarge.
        """
        items = run.request.items
        if not run.memory.several:
            return items[position]
        those = repeated(items[position], run.memory.several)
        if len(items) + len(those) - 1 > self._limits.batch_items:
            raise ServerLimitExceeded(
                f"with one item for each object that is meant, the batch has more than the"
                f" {self._limits.batch_items} items that are done; find fewer, or name the objects"
            )
        if len(those) > 1:
            run.room = room_with(those[1:], run.room, self._limits.message_size)
            run.message = None  # its places are not those of the items any more
        items[position : position + 1] = those
        return those[0]

    async def _keep(self, run: Run) -> list[Item]:
        """Keep the batch, to be done soon, and answer that its items are pending (KMIP 1.4 §6.7)."""
        try:
            batch, results = await self._transactions.later.take_in(run)
        except Exception as exc:  # noqa: BLE001 - the edge: every failure becomes an answer
            return [self._failure(run, 0, None, exc)]
        if batch is None:
            return [result for result in results if result is not None]
        try:
            key = await self._kept(run, batch, results)
        except Exception as exc:  # noqa: BLE001 - the edge: every failure becomes an answer
            # What was done at once stays done, and nobody can ask for its answer again.
            return [
                self._failure(run, position, item, exc) if result is None else result
                for position, (item, result) in enumerate(zip(run.request.items, results, strict=False))
            ]
        self._transactions.backlog.begin(run.connection.client.tenant, key)
        return self._transactions.later.answers(run, key, results)

    async def _kept(self, run: Run, batch: WaitingBatch, results: list[Item | None]) -> str:
        """Commit a batch that waits, and return its key; `results` has None for each item to be done."""
        caller = run.connection.client
        for _ in range(ATTEMPTS):
            work = self._transactions.unit_of_work(run)
            key = await self._transactions.backlog.keep(batch, work)
            for item, result in zip(run.request.items, results, strict=False):
                if result is None:  # it is done without the ticket, which therefore pays now
                    await charge(work, caller, Operation(item.operation or 0))
            with contextlib.suppress(LostRace):  # the ticket has paid for another request meanwhile
                await work.commit(work.changes())
                return key
        raise ServerFailure("the ticket is used by too many requests at once; try again")

    def _failure(self, run: Run, position: int, item: BatchItem | None, exc: Exception) -> Item:
        """Return the answer to an item that failed, None: to the request.

        Whoever catches an exception must not keep it in a variable: it holds his frame, and with it the whole
        request, which then stays until the garbage collector comes by.
        """
        error = self._failures.explain(exc, run.request.version, position, run.message)
        error = self._failures.record(item, error, run.connection, run.now, run.correlation)
        if item is None:
            return run.answers.failure(None, None, error)
        return failed(run, item, error)
