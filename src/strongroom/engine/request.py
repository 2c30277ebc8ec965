"""What a request message says, before any operation looks at it.

Rule: the header rules of every version are applied here, to the message as a whole. A batch item is taken
apart only so far that its failure can be answered in its place.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from strongroom.domain.context import Context
from strongroom.domain.errors import (
    InvalidField,
    InvalidMessage,
    KmipError,
    ServerLimitExceeded,
    UnknownMessageExtension,
    UnsupportedProtocolVersion,
)
from strongroom.domain.turn import Pace
from strongroom.engine.memory import HeaderMemory
from strongroom.engine.slices import AT_A_TIME, GONE
from strongroom.model.convert import decoder, tag_name, under
from strongroom.model.messages import EPHEMERAL, MessageExtension, RequestHeader
from strongroom.registry import (
    V1_0,
    V3_0,
    VERSIONS,
    BatchErrorContinuationOption,
    Ephemeral,
    Tag,
    Version,
)
from strongroom.wire import binary
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import Item
from strongroom.wire.limits import DEFAULT_LIMITS, Limits

_REQUEST_MESSAGE: Final = int(Tag.REQUEST_MESSAGE)
_REQUEST_HEADER: Final = int(Tag.REQUEST_HEADER)
_BATCH_ITEM: Final = int(Tag.BATCH_ITEM)
_OPERATION: Final = int(Tag.OPERATION)
_UNIQUE_BATCH_ITEM_ID: Final = int(Tag.UNIQUE_BATCH_ITEM_ID)
_REQUEST_PAYLOAD: Final = int(Tag.REQUEST_PAYLOAD)
_MESSAGE_EXTENSION: Final = int(Tag.MESSAGE_EXTENSION)
_EPHEMERAL: Final = int(Tag.EPHEMERAL)

_SUPPORTED: Final = {(v.major, v.minor): v for v in VERSIONS}


class BadHeader(Exception):
    """The message is refused as a whole; `version` is the one to answer in.

    `item` is the batch item that is to blame, None when none is.
    """

    def __init__(self, version: Version, error: KmipError, item: "BatchItem | None" = None) -> None:
        super().__init__(error.message)
        self.version = version
        self.error = error
        self.item = item


@dataclass(slots=True)
class BatchItem:
    """One operation of a request; `operation` is the number as sent, `error` what kept us from reading it."""

    operation: int | None = None
    unique_batch_item_id: bytes | None = None
    payload: list[Item] | None = None
    ephemeral: Ephemeral | None = None
    """What of the answer is to be withheld."""
    error: DecodeError | None = None
    another: Callable[[Context], Awaitable[Any]] | None = None
    """What does it in the place of its payload and the handler: it is like one that was done."""
    refusal: KmipError | None = None
    """What keeps the whole message from being done."""


@dataclass(slots=True)
class RequestMessage:
    """A request whose header was accepted."""

    version: Version
    header: RequestHeader
    items: list[BatchItem]

    @property
    def undo(self) -> bool:
        """Tell whether a failure undoes the batch; a batch of one needs no undoing."""
        option = self.header.batch_error_continuation_option
        return option is BatchErrorContinuationOption.UNDO and len(self.items) > 1

    @property
    def goes_on(self) -> bool:
        """Tell whether the items after a failed one are still done."""
        return self.header.batch_error_continuation_option is BatchErrorContinuationOption.CONTINUE


def answer_version(major: int, minor: int) -> Version:
    """Return the version that an answer to a request of an unknown version is written in."""
    older = [v for v in VERSIONS if v <= (major, minor)]
    return older[-1] if older else V1_0


def version_of(message: bytes) -> Version:
    """Return the version to answer a TTLV request in of which nothing but that is wanted; cheap."""
    end = 16 + int.from_bytes(message[12:16])
    try:
        _, _, header = binary.decode(message[8:end], _SHORT)
        return _version(header)
    except BadHeader as refusal:
        return refusal.version
    except (DecodeError, TypeError):
        return V1_0


_SHORT: Final = Limits(message_size=4096, items=100)


async def read_request(
    root: Item,
    message: bytes | None = None,
    memory: HeaderMemory | None = None,
    *,
    most_items: int = DEFAULT_LIMITS.batch_items,
) -> RequestMessage:
    """Return the request; raises BadHeader, or DecodeError where not even the version can be read.

    `message` are the bytes of `root`, where it came as TTLV.
    """
    tag, item_type, children = root
    if tag != _REQUEST_MESSAGE or item_type != 1:
        raise DecodeError("is not a Request Message", path=((tag_name(tag), None),))
    if not children or children[0][0] != _REQUEST_HEADER or children[0][1] != 1:
        raise DecodeError("the first item is not a Request Header", path=(("RequestMessage", None),))
    known = None if message is None or memory is None else memory.find(message)
    version = _version(children[0][2]) if known is None else known[0]
    try:
        header = decoder(RequestHeader, version)(children[0][2]) if known is None else known[1]
        if len(children) - 1 > most_items:
            raise ServerLimitExceeded(
                f"the message holds {len(children) - 1} batch items, the limit is {most_items}; send them in"
                " several messages"
            )
        items, pace = list[BatchItem](), Pace() if len(children) > AT_A_TIME else None
        for position in range(len(children) - 1):
            items.append(_batch_item(children[position + 1], position))
            if pace is not None:
                await pace()
                if message is not None:
                    children[position + 1] = GONE  # all of them at once would take longer than a slice
        _check(header, version, items)
    except DecodeError as error:
        if not error.path or error.path[0][0] != "RequestMessage":
            inside = () if error.path and error.path[0][0] == "BatchItem" else (("RequestHeader", None),)
            error.path = (("RequestMessage", None), *inside, *error.path)
        raise BadHeader(version, InvalidMessage(str(error))) from None
    except KmipError as error:
        raise BadHeader(version, error) from None
    for item in items:
        if item.refusal is not None:
            raise BadHeader(version, item.refusal, item)
    if known is None and message is not None and memory is not None:
        memory.keep(message, version, header)
    return RequestMessage(version, header, items)


def _version(header: list[Item]) -> Version:
    """Return the version of a header, read before anything else; raises BadHeader or DecodeError."""
    path = (("RequestMessage", None), ("RequestHeader", None), ("ProtocolVersion", None))
    for tag, item_type, value in header:
        if tag == Tag.PROTOCOL_VERSION:
            if item_type != 1 or [(i[0], i[1]) for i in value] != _VERSION_FIELDS:
                break
            major, minor = value[0][2], value[1][2]
            version = _SUPPORTED.get((major, minor))
            if version is None:
                ours = ", ".join(map(str, VERSIONS))
                raise BadHeader(
                    answer_version(major, minor),
                    UnsupportedProtocolVersion(
                        f"KMIP {major}.{minor} is not spoken here; Discover Versions lists {ours}"
                    ),
                )
            return version
    raise DecodeError("is missing or malformed", path=path)


_VERSION_FIELDS: Final = [(int(Tag.PROTOCOL_VERSION_MAJOR), 2), (int(Tag.PROTOCOL_VERSION_MINOR), 2)]


def _batch_item(item: Item, position: int) -> BatchItem:
    """Return a batch item; what is wrong inside it is kept in `error`, to be answered in its place."""
    tag, item_type, children = item
    if tag != _BATCH_ITEM or item_type != 1:
        raise DecodeError("is not a Batch Item", path=(("RequestMessage", None), (tag_name(tag), None)))
    made = BatchItem()
    seen = 0
    for tag, item_type, value in children:
        place = _PLACES.get(tag)
        if place is None:
            made.error = DecodeError("is not a field of a Batch Item", path=((tag_name(tag), None),))
            continue
        bit, wanted = place
        if item_type not in wanted:
            made.error = DecodeError("has the wrong item type", path=((tag_name(tag), None),))
        elif seen & bit and tag != _MESSAGE_EXTENSION:
            made.error = DecodeError("stands more than once", path=((tag_name(tag), None),))
        elif tag == _OPERATION:
            made.operation = value
        elif tag == _UNIQUE_BATCH_ITEM_ID:
            made.unique_batch_item_id = value
        elif tag == _REQUEST_PAYLOAD:
            made.payload = value
        elif tag == _EPHEMERAL:
            try:
                made.ephemeral = EPHEMERAL.read(item_type, value)
            except DecodeError as error:
                made.error = under(error, "Ephemeral", None)
        elif tag == _MESSAGE_EXTENSION:
            refusal = _check_extension(value, position)
            made.refusal = made.refusal or refusal
        seen |= bit
    if made.error is None and made.operation is None:
        made.error = DecodeError("Operation is missing")
    if made.error is None and made.payload is None:
        made.error = DecodeError("Request Payload is missing")
    if made.error is not None:
        made.error.path = (("RequestMessage", None), ("BatchItem", position), *made.error.path)
    return made


_PLACES: Final[dict[int, tuple[int, tuple[int, ...]]]] = {
    _OPERATION: (1, (5,)),
    _UNIQUE_BATCH_ITEM_ID: (2, (8,)),
    _REQUEST_PAYLOAD: (4, (1,)),
    _MESSAGE_EXTENSION: (8, (1,)),
    _EPHEMERAL: (16, (5, 6)),
}


def _check(header: RequestHeader, version: Version, items: list[BatchItem]) -> None:
    """Apply the rules that concern the header and the batch together; raises KmipError."""
    count = header.batch_count
    if count is None and version < V3_0:
        raise InvalidMessage("the Request Header has no Batch Count")
    if count is not None and count != len(items):
        raise InvalidMessage(f"Batch Count is {count}, the message holds {len(items)} batch items")
    if not items:
        raise InvalidMessage("the message holds no batch item")
    if header.maximum_response_size is not None and header.maximum_response_size < 0:
        raise InvalidField("Maximum Response Size is negative")
    if len(items) > 1:
        identifiers = [i.unique_batch_item_id for i in items]
        given = [i for i in identifiers if i is not None]
        # SPEC(KMIP 1.4 §6.4): with more than one item each needs its own identifier; clients that send none
        # are known, and nothing is ambiguous as long as answers come in order, so none at all is accepted.
        if given and len(set(identifiers)) != len(items):
            raise InvalidMessage("the Unique Batch Item IDs of the batch are not unique")


def check_time_stamp(header: RequestHeader, now: datetime, window: timedelta | None) -> None:
    """Return if a request was written within `window` of now; None: it does not matter. Raises KmipError."""
    if window is None:
        return
    if header.time_stamp is None:
        raise InvalidMessage("the Request Header has no Time Stamp, which policy.time_stamp_window demands")
    if abs(header.time_stamp - now) > window:
        seconds = int(window.total_seconds())
        raise InvalidField(
            f"the Time Stamp is more than {seconds} s away from the server's time; set the clock, and do not"
            " send an old request again"
        )


def _check_extension(items: list[Item], position: int) -> KmipError | None:
    """Return what a critical Message Extension is answered with; others are ignored (KMIP 1.4 §7.1).

    Raises DecodeError: what cannot be read may be critical. `position` is that of the batch item.
    """
    try:
        extension = decoder(MessageExtension, None)(items)
    except DecodeError as error:
        raise under(under(error, "MessageExtension", None), "BatchItem", position) from None
    if not extension.criticality_indicator:
        return None
    return UnknownMessageExtension("a critical Message Extension is not understood; nothing was done")
