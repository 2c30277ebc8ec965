"""Response messages.

Rule: an answer is written in the version of the request and holds only what that version defines.
"""

from datetime import datetime
from functools import cache
from typing import Final, TypeAlias

from strongroom.domain.errors import KmipError
from strongroom.domain.turn import Pace
from strongroom.engine.correlation import Correlation
from strongroom.engine.slices import encode_in_slices
from strongroom.model.forms import form_of
from strongroom.model.secret import SecretBytes
from strongroom.registry import V1_0, V3_0, Operation, ResultStatus, Tag, Version
from strongroom.wire import binary
from strongroom.wire.encodings import Encoder
from strongroom.wire.item import Item
from strongroom.wire.place import LONG

Answer: TypeAlias = bytes | list[bytes]
"""A response message as TTLV: whole, or one with a LONG value in pieces, to be sent one after the other."""

_RESPONSE_MESSAGE: Final = int(Tag.RESPONSE_MESSAGE)
_RESPONSE_HEADER: Final = int(Tag.RESPONSE_HEADER)
_BATCH_ITEM: Final = int(Tag.BATCH_ITEM)
_BATCH_COUNT: Final = int(Tag.BATCH_COUNT)
_TIME_STAMP: Final = int(Tag.TIME_STAMP)
_OPERATION: Final = int(Tag.OPERATION)
_UNIQUE_BATCH_ITEM_ID: Final = int(Tag.UNIQUE_BATCH_ITEM_ID)
_SERVER_HASHED_PASSWORD: Final = int(Tag.SERVER_HASHED_PASSWORD)
_UNIQUE_IDENTIFIER: Final = int(Tag.UNIQUE_IDENTIFIER)
_RESULT_STATUS: Final = int(Tag.RESULT_STATUS)
_RESULT_REASON: Final = int(Tag.RESULT_REASON)
_RESULT_MESSAGE: Final = int(Tag.RESULT_MESSAGE)
_RESPONSE_PAYLOAD: Final = int(Tag.RESPONSE_PAYLOAD)
_ASYNCHRONOUS_CORRELATION_VALUE: Final = int(Tag.ASYNCHRONOUS_CORRELATION_VALUE)
_CLIENT_CORRELATION_VALUE: Final = int(Tag.CLIENT_CORRELATION_VALUE)
_SERVER_CORRELATION_VALUE: Final = int(Tag.SERVER_CORRELATION_VALUE)

_SUCCESS: Final[Item] = (_RESULT_STATUS, 5, int(ResultStatus.SUCCESS))
_FAILED: Final[Item] = (_RESULT_STATUS, 5, int(ResultStatus.OPERATION_FAILED))
_PENDING: Final[Item] = (_RESULT_STATUS, 5, int(ResultStatus.OPERATION_PENDING))
_UNDONE: Final[Item] = (_RESULT_STATUS, 5, int(ResultStatus.OPERATION_UNDONE))

_MESSAGE_LENGTH: Final = 512
"""Characters of a Result Message; an old client reads little more."""


@cache
def _protocol_version(version: Version) -> Item:
    fields: list[Item] = [
        (int(Tag.PROTOCOL_VERSION_MAJOR), 2, version.major),
        (int(Tag.PROTOCOL_VERSION_MINOR), 2, version.minor),
    ]
    return (int(Tag.PROTOCOL_VERSION), 1, fields)


_MESSAGE_HEAD: Final = _RESPONSE_MESSAGE.to_bytes(3) + b"\x01"
_REMEMBERED: Final = 256
_headers: Final[dict[tuple[Version, datetime, int], bytes]] = {}

_SECONDS: Final = form_of(datetime).encoder(V1_0)


class Answers:
    """Builds the answer to one request.

    `correlation` are the names of the request, None where the client gave it none; `proof` is the Server
    Hashed Password, for a client that logged in with a hashed password (2.0).
    """

    __slots__ = ("_correlation", "_now", "_proof", "version")

    def __init__(
        self,
        version: Version,
        now: datetime,
        correlation: Correlation | None = None,
        proof: SecretBytes | None = None,
    ) -> None:
        self._proof = proof
        self.version = version
        self._now = now
        self._correlation = correlation

    def message(self, items: list[Item]) -> Item:
        """Return the response message with these batch items."""
        return (_RESPONSE_MESSAGE, 1, [self._header(len(items)), *items])

    def encode(self, items: list[Item]) -> bytes:
        """Return `message(items)` as TTLV."""
        return joined(self.answer(items))

    def answer(self, items: list[Item]) -> Answer:
        """Return the same in pieces, if it is long."""
        return self._around(*binary.parts(items), len(items))

    async def long_answer(self, items: list[Item]) -> Answer:
        """Return `answer(items)`, giving way to other clients meanwhile, and empty `items`."""
        parts, count = list[bytes](), len(items)
        return self._around(parts, await encode_in_slices(items, parts, Pace(), used_up=True), count)

    def around(self, parts: list[bytes], size: int) -> Answer:
        """Return the message that holds one encoded batch item: `size` bytes in parts."""
        return self._around(parts, size, 1)

    def _around(self, parts: list[bytes], size: int, count: int) -> Answer:
        head = self._head(size, count)
        return b"".join((*head, *parts)) if size < LONG else _pieces([*head, *parts])

    def write(self, items: list[Item], encode: Encoder) -> bytes:
        """Return `message(items)` in another encoding; raises EncodeError for what that cannot say."""
        return encode(self.message(items), version=self.version)

    def frame(self, item: bytes) -> bytes:
        """Return the message that holds one encoded batch item."""
        return b"".join((*self._head(len(item), 1), item))

    def _head(self, size: int, count: int) -> tuple[bytes, bytes, bytes]:
        """Return what comes before `count` batch items of `size` bytes.

        Headers that differ in nothing are encoded once a second.
        """
        key = (self.version, self._now, count)
        own = self._correlation is not None or self._proof is not None
        header = None if own else _headers.get(key)
        if header is None:
            header = binary.encode(self._header(count))
            if not own:
                if len(_headers) > _REMEMBERED:
                    _headers.clear()
                _headers[key] = header
        return _MESSAGE_HEAD, (len(header) + size).to_bytes(4), header

    def _header(self, count: int) -> Item:
        fields: list[Item] = [_protocol_version(self.version), (_TIME_STAMP, *_SECONDS(self._now))]
        if self._proof is not None:
            fields.append((_SERVER_HASHED_PASSWORD, 8, self._proof.reveal()))
        if self._correlation is not None:
            fields.append((_CLIENT_CORRELATION_VALUE, 7, self._correlation.client))
            fields.append((_SERVER_CORRELATION_VALUE, 7, self._correlation.server))
        if self.version < V3_0:
            fields.append((_BATCH_COUNT, 2, count))
        return (_RESPONSE_HEADER, 1, fields)

    def success(self, operation: int, identifier: bytes | None, payload: list[Item]) -> Item:
        """Return the batch item of an operation that was done."""
        fields: list[Item] = [(_OPERATION, 5, operation)]
        if identifier is not None:
            fields.append((_UNIQUE_BATCH_ITEM_ID, 8, identifier))
        fields.append(_SUCCESS)
        fields.append((_RESPONSE_PAYLOAD, 1, payload))
        return (_BATCH_ITEM, 1, fields)

    def pending(self, operation: int | None, identifier: bytes | None, value: bytes) -> Item:
        """Return the batch item of an operation that is not done yet; `value` is what to Poll with."""
        fields: list[Item] = [] if operation is None else [(_OPERATION, 5, operation)]
        if identifier is not None:
            fields.append((_UNIQUE_BATCH_ITEM_ID, 8, identifier))
        return (_BATCH_ITEM, 1, [*fields, _PENDING, (_ASYNCHRONOUS_CORRELATION_VALUE, 8, value)])

    def failure(self, operation: int | None, identifier: bytes | None, error: KmipError) -> Item:
        """Return the batch item of an operation that failed; `operation` None: the request as a whole did."""
        known = Operation(operation) if operation in _OPERATIONS else None
        fields: list[Item] = []
        if operation is not None:
            fields.append((_OPERATION, 5, operation))
        if identifier is not None:
            fields.append((_UNIQUE_BATCH_ITEM_ID, 8, identifier))
        fields.append(_FAILED)
        fields.append((_RESULT_REASON, 5, int(error.reason_for(self.version, known))))
        fields.append((_RESULT_MESSAGE, 7, error.message[:_MESSAGE_LENGTH]))
        return (_BATCH_ITEM, 1, fields)

    def instead(self, result: Item, error: KmipError) -> Item:
        """Return a failure in the place of a batch item that cannot be answered as it is."""
        said = {tag: value for tag, _, value in result[2]}
        return self.failure(said.get(_OPERATION), said.get(_UNIQUE_BATCH_ITEM_ID), error)

    def undone(self, result: Item) -> Item:
        """Return the batch item of an operation that was done and that a later failure undid.

        What it gave is withheld: a use that was counted against Usage Limits is not counted any more. Bare
        identifiers stay, as the published cases have them. A failure, and what is pending, stay as they are.
        """
        kept = [_UNDONE if field == _SUCCESS else field for field in result[2]]
        tag, _, payload = kept[-1]
        if tag == _RESPONSE_PAYLOAD and any(one[0] != _UNIQUE_IDENTIFIER for one in payload):
            del kept[-1]
        return (_BATCH_ITEM, 1, kept)


_OPERATIONS: Final = frozenset(map(int, Operation))


def joined(answer: Answer) -> bytes:
    """Return an answer in one piece."""
    return answer if isinstance(answer, bytes) else b"".join(answer)


def _pieces(parts: list[bytes]) -> list[bytes]:
    """Return the same bytes in as few pieces as can be had without copying long values."""
    pieces, short = list[bytes](), list[bytes]()
    for part in parts:
        if len(part) < LONG:
            short.append(part)
        else:
            pieces += b"".join(short), part
            short.clear()
    return [*pieces, b"".join(short)]
