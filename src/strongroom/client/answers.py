"""Bytes to responses.

Rule: whatever the bytes are, the result is responses or KMIPErrors. Reading is lenient, since the server may
be anybody's and newer than this code: unknown fields, numbers and attributes are passed over.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from strongroom.client.compose import Asked, RawResponse
from strongroom.client.errors import (
    BatchStopped,
    KMIPError,
    OperationFailed,
    OperationPending,
    ProtocolError,
    failure,
    operation_name,
)
from strongroom.domain.operation import Response, declared
from strongroom.model.attribute_items import decode_tagged
from strongroom.model.convert import ValueShape, decoder
from strongroom.model.forms import Decoder, Encoder, Form
from strongroom.model.messages import RawShape
from strongroom.model.struct import Struct
from strongroom.model.structures import ProtocolVersion
from strongroom.registry import Operation, ResultStatus, Tag, Version
from strongroom.wire.encodings import Codec
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import ENUMERATION, STRUCTURE, Item

_ATTRIBUTE_LISTS: Final = frozenset(
    {
        Tag.ATTRIBUTES,
        Tag.COMMON_ATTRIBUTES,
        Tag.COMMON_TEMPLATE_ATTRIBUTE,
        Tag.PRIVATE_KEY_ATTRIBUTES,
        Tag.PRIVATE_KEY_TEMPLATE_ATTRIBUTE,
        Tag.PUBLIC_KEY_ATTRIBUTES,
        Tag.PUBLIC_KEY_TEMPLATE_ATTRIBUTE,
        Tag.TEMPLATE_ATTRIBUTE,
    }
)


class NumberForm(Form):
    """An enumeration as the number that it is, defined or not."""

    item_types = (ENUMERATION,)

    def decoder(self, version: Version | None) -> Decoder:
        return lambda _, value: value

    def encoder(self, version: Version | None) -> Encoder:
        return lambda value: (ENUMERATION, value)


_NUMBER: Final = ValueShape(NumberForm())


class AnswerHeader(Struct):
    """What the client needs of a response header."""

    protocol_version: ProtocolVersion | None = None


class AnswerItem(Struct):
    """What the client needs of a response batch item."""

    operation: Annotated[int | None, _NUMBER] = None
    unique_batch_item_id: bytes | None = None
    result_status: Annotated[int, _NUMBER]
    result_reason: Annotated[int | None, _NUMBER] = None
    result_message: str | None = None
    asynchronous_correlation_value: bytes | None = None
    response_payload: Annotated[list[Item] | None, RawShape()] = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A response message before its payloads are read. `version` is None when the server did not say."""

    version: Version | None
    items: tuple[AnswerItem, ...]


def parse(message: bytes, codec: Codec) -> Answer:
    """Return the parts of a response message; raises ProtocolError."""
    try:
        tag, item_type, children = codec.decode(message, codec.answer_limits)
        if tag != Tag.RESPONSE_MESSAGE or item_type != STRUCTURE:
            raise ProtocolError("the server did not send a response message")
        header = AnswerHeader()
        items: list[AnswerItem] = []
        for child_tag, child_type, value in children:
            if child_type != STRUCTURE:
                continue
            if child_tag == Tag.RESPONSE_HEADER:
                header = decoder(AnswerHeader, None, lenient=True)(value)
            elif child_tag == Tag.BATCH_ITEM:
                items.append(decoder(AnswerItem, None, lenient=True)(value))
    except DecodeError as exc:
        raise ProtocolError(f"the answer cannot be read: {exc}") from exc
    if not items:
        raise ProtocolError("the answer has no batch item")
    said = header.protocol_version
    version = None if said is None else Version(said.protocol_version_major, said.protocol_version_minor)
    return Answer(version, tuple(items))


def outcomes(answer: Answer, asked: Sequence[Asked], version: Version) -> list[Response | KMIPError]:
    """Return one outcome for each request, in order.

    Raises ProtocolError when answers and requests cannot be matched, and the failure itself when the server
    refused the message as a whole.
    """
    matched = _matched(answer.items, asked)
    return [
        BatchStopped(f"{operation_name(one.operation)} was not tried: an earlier request of the batch failed")
        if item is None
        else _outcome(item, one, version)
        for one, item in zip(asked, matched, strict=True)
    ]


def _matched(items: Sequence[AnswerItem], asked: Sequence[Asked]) -> list[AnswerItem | None]:
    """Return the item for each request, None where the server stopped before it."""
    first = items[0]
    refused = first.result_status != ResultStatus.SUCCESS
    if len(items) == 1 and refused and first.operation is None and first.unique_batch_item_id is None:
        raise _failure(first, None)
    by_id = _by_id(items, asked)
    matched: list[AnswerItem | None]
    if by_id is not None:
        matched = [by_id.get(one.unique_batch_item_id) for one in asked]
    elif len(items) > len(asked):
        raise ProtocolError(f"{len(items)} batch items answer {len(asked)} requests")
    else:
        matched = [*items, *[None] * (len(asked) - len(items))]
    for one, item in zip(asked, matched, strict=True):
        if item is not None and item.operation not in (None, one.operation, *_answered_by(one.operation)):
            raise ProtocolError(
                f"the answer to {operation_name(one.operation)} is one to {operation_name(item.operation)}"
            )
    if None in matched and all(i.result_status == ResultStatus.SUCCESS for i in items):
        raise ProtocolError(f"{len(items)} batch items answer {len(asked)} requests, and none failed")
    return matched


def _answered_by(operation: Operation) -> Iterable[Operation]:
    """Return the operations whose answer may come in place of one: what was pending answers Poll."""
    return declared() if operation is Operation.POLL else ()


def _by_id(items: Sequence[AnswerItem], asked: Sequence[Asked]) -> Mapping[bytes | None, AnswerItem] | None:
    """Return the items by Unique Batch Item ID; None when the server does not tell them, so order counts."""
    if any(one.unique_batch_item_id is None for one in asked):
        return None
    if all(item.unique_batch_item_id is None for item in items):
        return None
    by_id = {item.unique_batch_item_id: item for item in items}
    if len(by_id) != len(items) or not by_id.keys() <= {one.unique_batch_item_id for one in asked}:
        raise ProtocolError("the Unique Batch Item IDs of the answer are not those of the request")
    return by_id


def _outcome(item: AnswerItem, asked: Asked, version: Version) -> Response | KMIPError:
    if item.result_status == ResultStatus.OPERATION_PENDING:
        return OperationPending(asked.operation, item.asynchronous_correlation_value)
    if item.result_status != ResultStatus.SUCCESS:
        # What was pending fails under its own name; under that of Poll, the question was refused.
        return _failure(item, asked.operation if item.operation is None else item.operation)
    payload = item.response_payload or []
    kind = asked.response
    if asked.operation is Operation.POLL and item.operation is not None and item.operation in declared():
        # What comes back is the answer to the operation that was pending.
        kind = declared()[Operation(item.operation)].response
    if kind is RawResponse:
        return RawResponse(response_payload=payload)
    decode: Callable[[list[Item]], Response] = decoder(kind, version, lenient=True)
    try:
        return decode(payload)
    except DecodeError:
        # Nearly always an attribute that is not known here; the rest of the answer is good.
        try:
            return decode(list(_readable(payload, version)))
        except DecodeError as exc:
            return ProtocolError(f"the answer to {operation_name(asked.operation)} cannot be read: {exc}")


def _readable(items: Sequence[Item], version: Version) -> Iterator[Item]:
    """Yield the items of a payload without the attributes that cannot be read."""
    for item in items:
        tag, item_type, value = item
        if item_type == STRUCTURE and tag in _ATTRIBUTE_LISTS:
            yield tag, item_type, [one for one in value if one[0] == Tag.NAME or _is_readable(one, version)]
        elif item_type != STRUCTURE or tag != Tag.ATTRIBUTE or _is_readable(item, version):
            yield item


def _is_readable(item: Item, version: Version) -> bool:
    try:
        decode_tagged(item, version)
    except DecodeError:
        return False
    return True


def _failure(item: AnswerItem, operation: int | None) -> OperationFailed:
    return failure(
        item.result_message, operation=operation, status=item.result_status, reason=item.result_reason
    )
