"""Requests that are answered later (KMIP 1.4 §4.27-4.28 and §6.7, 2.1 §6.1.38-6.1.41 and §9.2).

Rule: a request whose client accepts to wait is kept as an entry, one for the batch, and done item by item;
what an item gave is kept in the commit that did it, so that nothing is done twice or forgotten by a restart.
A correlation value is the key of the entry and the place of the item in it.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Final

from strongroom.domain.context import Context
from strongroom.domain.entries import Entry, Kept
from strongroom.domain.errors import InvalidAsynchronousCorrelationValue
from strongroom.domain.identity import ClientId, ClientIdentity
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Int32, Int64, Own, Struct, Tagged
from strongroom.model.structures import ProtocolVersion
from strongroom.registry import (
    BatchErrorContinuationOption,
    Ephemeral,
    ItemType,
    Operation,
    ProcessingStage,
    ResultStatus,
    Tag,
)
from strongroom.wire import binary
from strongroom.wire.limits import OWN

_KEY_SIZE: Final = 16  # bytes, random: the value cannot be guessed
_PLACE_SIZE: Final = 4
_FAILED: Final = ResultStatus.OPERATION_FAILED


class GivenOut(Struct):
    """That an answer holds the material of an object, or what only that can open, and by which permission.

    `sensitive`: so the object was, and its material is wrapped.
    """

    unique_identifier: Annotated[str, Own(1)]
    sequence: Annotated[Int64, Own(2)]
    permission: Annotated[str, Own(3)]
    sensitive: Annotated[bool, Own(4)]


class WaitingItem(Struct):
    """One item of a batch that waits.

    `payload` is the TTLV of the request payload, `answer` that of the batch item of the response: None until
    the item is done, and again None when the client has it. `made` are the identifiers that later items may
    refer to by name, the main one first; `identifiers` are all that the answer told, which numbers count.
    `given` are the objects whose secrets the answer holds; an answer without a byte was taken away because
    one of them is gone. `ephemeral` is what the answer leaves out.
    """

    operation: Operation
    unique_batch_item_id: bytes | None = None
    processing_stage: ProcessingStage
    payload: Annotated[SecretBytes, Tagged(Tag.REQUEST_PAYLOAD)]
    answer: Annotated[SecretBytes | None, Tagged(Tag.RESPONSE_PAYLOAD)] = None
    made: Annotated[tuple[str, ...], Tagged(Tag.UNIQUE_IDENTIFIER)] = ()
    given: Annotated[tuple[GivenOut, ...], Own(1)] = ()
    identifiers: Annotated[tuple[str, ...], Own(2)] = ()
    ephemeral: Annotated[Ephemeral | None, Own(3)] = None

    @property
    def outstanding(self) -> bool:
        """Tell whether the client does not know yet what became of it."""
        return self.answer is not None or self.processing_stage is not ProcessingStage.COMPLETED

    @property
    def withdrawn(self) -> bool:
        """Tell whether the answer was taken away."""
        return self.answer is not None and len(self.answer) == 0

    @property
    def failed(self) -> bool:
        """Tell whether the answer is a refusal."""
        if self.answer is None or self.withdrawn:
            return False
        fields = binary.decode(self.answer.reveal(), OWN)[2]
        return any(tag == Tag.RESULT_STATUS and value == _FAILED for tag, _, value in fields)

    def done(
        self,
        answer: SecretBytes,
        *,
        made: tuple[str, ...] = (),
        given: tuple[GivenOut, ...] = (),
        identifiers: tuple[str, ...] = (),
    ) -> "WaitingItem":
        """Return the item with its answer."""
        return self.replace(
            processing_stage=ProcessingStage.COMPLETED,
            payload=SecretBytes(b""),
            answer=answer,
            made=made,
            given=given,
            identifiers=identifiers,
        )

    def obtained(self) -> "WaitingItem":
        """Return the item as one that the client knows all about; what others refer to is still kept."""
        done = self.done(SecretBytes(b""), made=self.made, identifiers=self.identifiers)
        return done.replace(answer=None)


class KeptAnswer(Entry, kind=73, passing=True):
    """That the answer to an item holds secrets of an object, so that what ends the object finds it.

    It belongs to the object, by its sequence number.
    """

    batch: Annotated[str, Own(1)]
    position: Annotated[Int32, Own(2)]


class WaitingBatch(Entry, kind=1, passing=True):
    """A request that waits.

    `placeholder` is the ID Placeholder after the items that are done; `iteration_count` says how often the
    next one was taken up from a worker that ended. `user`, `acting`, `mapped` and `credentials` say of
    whoever sent it what the record of the client does not (`ClientIdentity`).
    """

    protocol_version: ProtocolVersion
    submission_date: Annotated[datetime, ItemType.DATE_TIME_EXTENDED]
    batch_error_continuation_option: BatchErrorContinuationOption | None = None
    placeholder: Annotated[str | None, Tagged(Tag.PRIVATE_KEY_UNIQUE_IDENTIFIER)] = None
    iteration_count: Int32 | None = None
    items: Annotated[tuple[WaitingItem, ...], Tagged(Tag.BATCH_ITEM)] = ()
    user: Annotated[str | None, Own(1)] = None
    acting: Annotated[Int64 | None, Own(2)] = None
    mapped: Annotated[bool | None, Own(3)] = None
    credentials: Annotated[tuple[str, ...], Own(4)] = ()

    def sent_by(self, client: ClientIdentity) -> ClientIdentity:
        """Return the client as it was when it sent the request."""
        acting = None if self.acting is None else ClientId(self.acting)
        return replace(
            client,
            user=self.user,
            acting=acting,
            mapped=bool(self.mapped),
            credentials=self.credentials or None,
        )

    def with_item(self, position: int, item: WaitingItem) -> "WaitingBatch":
        """Return the batch with one item changed."""
        return self.replace(items=(*self.items[:position], item, *self.items[position + 1 :]))

    @property
    def size(self) -> int:
        """Return the bytes of all that waits in it, to be done or to be fetched."""
        return self.kept + sum(len(item.payload) for item in self.items)

    @property
    def answered(self) -> int:
        """Return the bytes of the answers that wait for Poll."""
        return sum(len(item.answer) for item in self.items if item.answer is not None)

    @property
    def kept(self) -> int:
        """Return the bytes of these answers, and of what any answer has told later items."""
        return self.answered + sum(len(one) for item in self.items for one in item.identifiers)

    @property
    def counts(self) -> bool:
        """Tell whether it is one of those of which a client has only so many."""
        return self.next is not None or self.answered > 0

    @property
    def next(self) -> int | None:
        """Return the place of the first item that is not done, None when all are."""
        places = (n for n, i in enumerate(self.items) if i.processing_stage is not ProcessingStage.COMPLETED)
        return next(places, None)


def new_key() -> str:
    """Return a key for a batch."""
    return secrets.token_hex(_KEY_SIZE)


def answer_key(batch: str, position: int, given: GivenOut) -> str:
    """Return the key under which it is kept that an answer holds secrets of an object."""
    return f"{batch}-{position}-{given.sequence}"


def correlation_value(key: str, position: int) -> bytes:
    """Return what a client asks for an item with."""
    return bytes.fromhex(key) + position.to_bytes(_PLACE_SIZE, "big")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One item of one of the caller's batches."""

    batch: Kept[WaitingBatch]
    position: int

    @property
    def item(self) -> WaitingItem:
        return self.batch.value.items[self.position]

    async def obtain(self, ctx: Context) -> None:
        """Forget the item, and the batch with its last one."""
        for one in self.item.given:
            kept = await ctx.entries.get(KeptAnswer, answer_key(self.batch.key, self.position, one))
            if kept is not None:
                ctx.entries.remove(kept)
        rest = self.batch.value.with_item(self.position, self.item.obtained())
        if any(item.outstanding for item in rest.items):
            ctx.entries.put(self.batch.key, rest, due=self.batch.due)
        else:
            ctx.entries.remove(self.batch)


def is_of(batch: Kept[WaitingBatch], caller: ClientIdentity) -> bool:
    """Tell whether it was this caller that has sent a batch."""
    return batch.owner == caller.client and batch.value.user == caller.user


async def find(ctx: Context, value: bytes) -> Waiting:
    """Return what a correlation value of the caller means; raises InvalidAsynchronousCorrelationValue.

    The holder of a delegated ticket has none: what waits is of the client itself, and beyond the rights. Nor
    has one user what another has sent, or the client itself: it may have been approved for that one alone.
    """
    key, position = value[:_KEY_SIZE].hex(), int.from_bytes(value[_KEY_SIZE:], "big")
    if len(value) == _KEY_SIZE + _PLACE_SIZE and ctx.caller.rights is None:
        batch = await ctx.entries.get(WaitingBatch, key)
        if batch is not None and is_of(batch, ctx.caller) and position < len(batch.value.items):
            waiting = Waiting(batch, position)
            if waiting.item.outstanding:
                return waiting
    raise InvalidAsynchronousCorrelationValue(
        "no outstanding operation has this Asynchronous Correlation Value"
    )
