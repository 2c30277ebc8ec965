"""Requests that are answered later, as the dispatcher meets them: taken in, done, polled.

Rule: an item that waits is done by the same `perform` and `commit` as any other; only where its answer goes
is different. `engine/backlog.py` says when.
"""

from typing import Final, Protocol

from strongroom.domain.asynchronous import WaitingBatch, WaitingItem, correlation_value
from strongroom.domain.entries import Kept
from strongroom.domain.errors import FeatureNotSupported, InvalidField, ServerLimitExceeded
from strongroom.domain.identity import ClientIdentity, Connection
from strongroom.domain.operation import OperationSpec
from strongroom.domain.store import Changes
from strongroom.engine.answers import Answers
from strongroom.engine.batch import BatchMemory
from strongroom.engine.failures import Failures
from strongroom.engine.references import PLACING, names_of, refers_to_data
from strongroom.engine.repetition import may_be_repeated
from strongroom.engine.request import BatchItem, RequestMessage
from strongroom.engine.room import failed
from strongroom.engine.run import Awaited, Done, Run
from strongroom.engine.streams import RequestStreams, StreamTable
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.model.messages import RequestHeader
from strongroom.model.secret import SecretBytes
from strongroom.operations.poll import PolledResponse, PollResponse
from strongroom.registry import AsynchronousIndicator, Operation, ProcessingStage, Tag, Version
from strongroom.wire import binary
from strongroom.wire.item import Item
from strongroom.wire.limits import OWN

LARGEST_ANSWER: Final = 1_048_576
"""Bytes of an answer that is kept for Poll."""

LARGEST_ANSWERS: Final = 2 * LARGEST_ANSWER
"""Bytes of all answers of a batch that are kept: the batch is written anew with each."""

MOST_ITEMS: Final = 256
"""Items of a batch that waits, for the same reason."""

_PAYLOAD: Final = int(Tag.REQUEST_PAYLOAD)
_PARTS: Final = frozenset({int(Tag.INIT_INDICATOR), int(Tag.CORRELATION_VALUE)})
_UNIQUE_BATCH_ITEM_ID: Final = int(Tag.UNIQUE_BATCH_ITEM_ID)


class Doing(Protocol):
    """What is done for any request; see `Transactions`."""

    def check(self, item: BatchItem, version: Version) -> OperationSpec:
        """Return the operation of an item whose payload can be read; raises what is wrong with it."""

    async def perform(
        self, run: Run, item: BatchItem, work: UnitOfWork, room: int | None
    ) -> tuple[Item, int]:
        """Run the operation without committing it."""

    async def transact(self, run: Run, item: BatchItem) -> Item:
        """Do one batch item and commit it."""

    async def commit(
        self,
        work: UnitOfWork,
        changes: Changes,
        done: list[Done],
        run: Run,
        attempt: int,
    ) -> bool:
        """Commit the changes with their audit events; False when another change came first."""


class Later:
    """Takes requests in that wait, and gets their items ready to be done."""

    def __init__(self, doing: Doing, failures: Failures, streams: StreamTable) -> None:
        self._doing = doing
        self._failures = failures
        self._streams = streams

    def waits(self, run: Run) -> bool:
        """Tell whether a request is kept, to be done later.

        Whoever accepts to wait is made to: that is one rule for what may take long and what may not. But what
        cannot wait is done at once where the client leaves it to us (KMIP 2.1 §11.3, Optional).
        """
        indicator = run.request.header.asynchronous_indicator
        if indicator is not AsynchronousIndicator.OPTIONAL:
            return indicator is AsynchronousIndicator.MANDATORY
        items = run.request.items
        return len(items) <= MOST_ITEMS and not any(
            _why_at_once(run, item) is not None or _is_part(item) or may_be_repeated(item) for item in items
        )

    async def take_in(self, run: Run) -> tuple[WaitingBatch | None, list[Item | None]]:
        """Return what is to wait (None: nothing) and the answers so far; None stands for a pending item.

        What cannot be read, or must not wait, is answered at once. What the client does not want to see is no
        reason to come back for it, unless it follows an item that waits: then it is done after that one.
        Raises ServerLimitExceeded.
        """
        request = run.request
        if len(request.items) > MOST_ITEMS:
            raise ServerLimitExceeded(
                f"a batch that waits has at most {MOST_ITEMS} items; send several, or leave the Asynchronous"
                " Indicator out"
            )
        waiting: list[WaitingItem] = []
        results: list[Item | None] = []
        before: BatchMemory | None = None  # what the items gave that none which waits stands in front of
        for position, item in enumerate(request.items):
            result: Item | None = None
            try:
                why_at_once = _why_at_once(run, item)
                if why_at_once is not None:
                    raise FeatureNotSupported(why_at_once)
                deferrable = self._doing.check(item, request.version).deferrable
                if deferrable and (item.ephemeral is None or before is not None):
                    before = run.memory if before is None else before
                    waiting.append(_waiting(item))
                else:
                    if before is not None:
                        _refer_to_nothing(run, item)
                    counted = len(run.memory.identifiers)
                    result = await self._doing.transact(run, item)
                    waiting.append(_done_at_once(item, run.memory, counted))
                results.append(result)
            except Exception as exc:  # noqa: BLE001 - the edge: every failure becomes an answer
                run.streams.end_claimed()  # else the next item that is done at once would keep them
                run.memory.failed(item.operation)
                error = self._failures.explain(exc, request.version, position, run.message)
                error = self._failures.record(item, error, run.connection, run.now, run.correlation)
                results.append(failed(run, item, error))
                waiting.append(_waiting(item).obtained())
                if not request.goes_on:
                    break
        if before is None:
            return None, results
        batch = WaitingBatch(
            protocol_version=request.header.protocol_version,
            submission_date=run.now,
            batch_error_continuation_option=request.header.batch_error_continuation_option,
            placeholder=before.placeholder,
            items=tuple(waiting),
            user=run.connection.client.user,
            acting=run.connection.client.acting,
            mapped=run.connection.client.mapped or None,
            credentials=run.connection.client.credentials or (),
        )
        return batch, results

    def answers(self, run: Run, key: str, results: list[Item | None]) -> list[Item]:
        """Return the answers to a batch that was kept under `key`."""
        return [
            run.answers.pending(item.operation, item.unique_batch_item_id, correlation_value(key, position))
            if result is None
            else result
            for position, (item, result) in enumerate(zip(run.request.items, results, strict=False))
        ]

    def item(
        self, kept: Kept[WaitingBatch], position: int, work: UnitOfWork, caller: ClientIdentity
    ) -> "LaterItem":
        """Return an item of a batch that waits as one that can be done."""
        batch = kept.value
        waiting, protocol = batch.items[position], batch.protocol_version
        version = Version(protocol.protocol_version_major, protocol.protocol_version_minor)
        payload = waiting.payload.reveal()
        item = BatchItem(
            operation=int(waiting.operation),
            unique_batch_item_id=waiting.unique_batch_item_id,
            payload=binary.decode(payload, OWN)[2] if payload else [],
            ephemeral=waiting.ephemeral,
        )
        run = Run(
            request=RequestMessage(version, RequestHeader(protocol_version=protocol), [item]),
            connection=Connection(client=caller, peer="later"),
            now=work.now,
            answers=Answers(version, work.now),
            memory=BatchMemory(),
            streams=RequestStreams(self._streams, caller, work.now),
            message=None,
            room=min(LARGEST_ANSWER, max(0, LARGEST_ANSWERS - batch.kept)),
            awaited=Awaited(kept.key, batch.submission_date),
        )
        return LaterItem(self._doing, self._failures, run, item, work)


class LaterItem:
    """One item that waited, about to be done in a unit of work."""

    def __init__(self, doing: Doing, failures: Failures, run: Run, item: BatchItem, work: UnitOfWork) -> None:
        self._doing = doing
        self._failures = failures
        self._run = run
        self._item = item
        self._work = work

    async def perform(self) -> SecretBytes:
        """Return the TTLV of the batch item of the response, nothing committed; raises what stopped it."""
        try:
            result, _ = await self._doing.perform(self._run, self._item, self._work, self._run.room)
        except BaseException:
            self._run.streams.end_claimed()
            raise
        self._work.keep(self._item.operation)
        return SecretBytes(binary.encode(result))

    def explain(self, exc: Exception, position: int) -> SecretBytes:
        """Return the same for a failure."""
        run, item = self._run, self._item
        error = self._failures.explain(exc, run.request.version, position, None)
        error = self._failures.record(item, error, run.connection, run.now, run.correlation)
        answer = run.answers.failure(item.operation, item.unique_batch_item_id, error)
        return SecretBytes(binary.encode(answer))

    async def commit(self, attempt: int) -> bool:
        """Commit what the unit of work has by now; False when another change came first."""
        work = self._work
        done = [Done(self._item, work.touched(), work.found)]
        if not await self._doing.commit(work, work.changes(), done, self._run, attempt):
            self._run.streams.end_claimed()
            return False
        self._run.streams.keep()
        return True


def polled(response: PollResponse, item: BatchItem, run: Run, value: bytes) -> Item:
    """Return the answer to Poll: that of the operation itself, or that it is still pending."""
    if not isinstance(response, PolledResponse):
        return run.answers.pending(item.operation, item.unique_batch_item_id, value)
    if response.protocol_version != run.request.header.protocol_version:
        raise InvalidField("the request was made in another KMIP version; Poll in the same one")
    tag, item_type, fields = binary.decode(response.batch_item.reveal(), OWN)
    answer = [field for field in fields if field[0] != _UNIQUE_BATCH_ITEM_ID]
    if item.unique_batch_item_id is not None:
        answer.insert(1, (_UNIQUE_BATCH_ITEM_ID, 8, item.unique_batch_item_id))
    return (tag, item_type, answer)


def _why_at_once(run: Run, item: BatchItem) -> str | None:
    """Return why an item cannot wait, None for one that can."""
    if run.connection.client.rights is not None:
        return "a delegated ticket is good for what is done at once only"
    if run.request.undo:
        return "a batch with Undo is done at once; leave one of the two out"
    if refers_to_data(item.payload or ()):
        return "Data of an earlier item are not kept for one that waits; have the batch done at once"
    return None


def _is_part(item: BatchItem) -> bool:
    """Tell whether an item is one of several parts of an operation, which one worker has to do."""
    return any(tag in _PARTS for tag, _, _ in item.payload or ())


def _refer_to_nothing(run: Run, item: BatchItem) -> None:
    """Let an item be done before those that it follows: it means what they make, which is not there yet.

    Raises FeatureNotSupported for one that makes what later items may mean.
    """
    if item.operation in PLACING:
        raise FeatureNotSupported("this operation is done at once, and cannot follow one that waits")
    run.memory = BatchMemory()


def _done_at_once(item: BatchItem, memory: BatchMemory, counted: int) -> WaitingItem:
    """Return an item that those which wait may refer to; `counted` identifiers were told before it."""
    names = [memory.by_operation[name] for name in names_of(item.operation) if name in memory.by_operation]
    told = tuple(memory.identifiers[counted:])
    return _waiting(item).replace(made=tuple(names), identifiers=told).obtained()


def _waiting(item: BatchItem) -> WaitingItem:
    return WaitingItem(
        operation=Operation(item.operation or 0),
        unique_batch_item_id=item.unique_batch_item_id,
        processing_stage=ProcessingStage.SUBMITTED,
        payload=SecretBytes(binary.encode((_PAYLOAD, 1, item.payload or []))),
        ephemeral=item.ephemeral,
    )
