"""Room for the answers to a batch: what the client takes (KMIP 1.4 §6.3, 2.1 §9.12), or what we hold at once.

Rule: the least that each item can be answered with is set aside before anything is done, so that what was
done can be told. A failure does without its Result Message where there is no room for that.
"""

from collections.abc import Iterable
from typing import Final

from strongroom.domain.errors import KmipError, ResponseTooLarge
from strongroom.engine.correlation import LENGTH, Correlation
from strongroom.engine.request import BatchItem, RequestMessage
from strongroom.engine.run import Run
from strongroom.registry import Tag
from strongroom.wire import binary
from strongroom.wire.item import Item

LARGE_ANSWERS: Final = 4
"""How many answers of the size of the largest message the answer to a batch has room for, so that a small
request cannot make the server hold the same large object thousands of times over."""

_HEADER: Final = 160
"""Bytes that the header of a response takes at most, correlation values aside."""

_NAMES: Final = 24 + LENGTH
"""Bytes that both of them take, the client's own characters aside."""

_LEAST: Final = 8 + 16 + 16 + 32
"""Bytes of a batch item that says which operation is pending, and what to Poll with; a failure takes less."""

_RESULT_MESSAGE: Final = int(Tag.RESULT_MESSAGE)


def room_of(request: RequestMessage, correlation: Correlation | None, longest: int) -> int | None:
    """Return the bytes that answers may take beside what is set aside for each, None for any number.

    `longest` are those of the longest message. Raises ResponseTooLarge when so many items cannot be answered.
    """
    room = request.header.maximum_response_size
    if room is not None:
        room -= _HEADER + (0 if correlation is None else _NAMES + len(correlation.client.encode()))
    if len(request.items) > LARGE_ANSWERS:
        most = LARGE_ANSWERS * longest
        room = most if room is None else min(room, most)
    if room is None:
        return None
    if len(request.items) == 1:  # it answers for itself, that there is no room
        return room - _least(request.items[0])
    return _set_aside(room, request.items)


def room_with(more: Iterable[BatchItem], room: int | None, longest: int) -> int:
    """Return the room that is left with more items than the request had; raises ResponseTooLarge."""
    return _set_aside(LARGE_ANSWERS * longest if room is None else room, more)


def taken(result: Item, item: BatchItem, room: int | None) -> int:
    """Return the bytes that an answer takes of the room; raises ResponseTooLarge."""
    if room is None:
        return 0
    size = len(binary.encode(result)) - _least(item)
    if size > room:
        raise ResponseTooLarge(
            "the answer is longer than the Maximum Response Size, or all answers of the batch are longer"
            " than the server sends at once; nothing was changed"
        )
    return size


def failed(run: Run, item: BatchItem, error: KmipError) -> Item:
    """Return the answer to an item that failed, as far as there is room for it, which it takes."""
    failure = run.answers.failure(item.operation, item.unique_batch_item_id, error)
    if run.room is None:
        return failure
    size = len(binary.encode(failure)) - _least(item)
    if size <= run.room:
        run.room -= size
        return failure
    tag, kind, fields = failure
    return (tag, kind, [field for field in fields if field[0] != _RESULT_MESSAGE])


def _set_aside(room: int, items: Iterable[BatchItem]) -> int:
    room -= sum(map(_least, items))
    if room < 0:
        raise ResponseTooLarge(
            "the answer to so many requests is longer than the Maximum Response Size; none of them was done"
        )
    return room


def _least(item: BatchItem) -> int:
    identifier = item.unique_batch_item_id
    return _LEAST + (0 if identifier is None else 8 + (len(identifier) + 7 & -8))
