"""TTLV by hand, right or wrong, and two messages as clients and servers send them."""

from typing import Final

from strongroom.registry import Tag
from strongroom.wire.item import (
    BYTE_STRING,
    DATE_TIME,
    ENUMERATION,
    INTEGER,
    STRUCTURE,
    TEXT_STRING,
    Item,
)


def ttlv(
    tag: int, kind: int, value: bytes, *, length: int | None = None, padding: bytes | None = None
) -> bytes:
    """Return one item; `length` and `padding` replace the right ones."""
    declared = len(value) if length is None else length
    rest = bytes(-len(value) % 8) if padding is None else padding
    return (tag << 8 | kind).to_bytes(4) + declared.to_bytes(4) + value + rest


def in_message(*items: bytes) -> bytes:
    """Return a Request Message with the items in a Request Header; the first item is at byte 16."""
    return ttlv(Tag.REQUEST_MESSAGE, STRUCTURE, ttlv(Tag.REQUEST_HEADER, STRUCTURE, b"".join(items)))


PROTOCOL_VERSION: Final[Item] = (
    Tag.PROTOCOL_VERSION,
    STRUCTURE,
    [(Tag.PROTOCOL_VERSION_MAJOR, INTEGER, 1), (Tag.PROTOCOL_VERSION_MINOR, INTEGER, 4)],
)

IDENTIFIER: Final[Item] = (Tag.UNIQUE_IDENTIFIER, TEXT_STRING, "2f8b0d2e-3c52-4d9b-9a65-1f2e8a0b1c2d")

GET_REQUEST: Final[Item] = (
    Tag.REQUEST_MESSAGE,
    STRUCTURE,
    [
        (Tag.REQUEST_HEADER, STRUCTURE, [PROTOCOL_VERSION, (Tag.BATCH_COUNT, INTEGER, 1)]),
        (
            Tag.BATCH_ITEM,
            STRUCTURE,
            [(Tag.OPERATION, ENUMERATION, 10), (Tag.REQUEST_PAYLOAD, STRUCTURE, [IDENTIFIER])],
        ),
    ],
)

KEY_BLOCK: Final[Item] = (
    Tag.KEY_BLOCK,
    STRUCTURE,
    [
        (Tag.KEY_FORMAT_TYPE, ENUMERATION, 1),
        (Tag.KEY_VALUE, STRUCTURE, [(Tag.KEY_MATERIAL, BYTE_STRING, bytes(range(32)))]),
        (Tag.CRYPTOGRAPHIC_ALGORITHM, ENUMERATION, 3),
        (Tag.CRYPTOGRAPHIC_LENGTH, INTEGER, 256),
    ],
)

GET_RESPONSE: Final[Item] = (
    Tag.RESPONSE_MESSAGE,
    STRUCTURE,
    [
        (
            Tag.RESPONSE_HEADER,
            STRUCTURE,
            [PROTOCOL_VERSION, (Tag.TIME_STAMP, DATE_TIME, 1_700_000_000), (Tag.BATCH_COUNT, INTEGER, 1)],
        ),
        (
            Tag.BATCH_ITEM,
            STRUCTURE,
            [
                (Tag.OPERATION, ENUMERATION, 10),
                (Tag.RESULT_STATUS, ENUMERATION, 0),
                (
                    Tag.RESPONSE_PAYLOAD,
                    STRUCTURE,
                    [
                        (Tag.OBJECT_TYPE, ENUMERATION, 2),
                        IDENTIFIER,
                        (Tag.SYMMETRIC_KEY, STRUCTURE, [KEY_BLOCK]),
                    ],
                ),
            ],
        ),
    ],
)


def nested(depth: int) -> Item:
    """Return that many structures inside each other."""
    item: Item = (Tag.VENDOR_EXTENSION, STRUCTURE, [])
    for _ in range(depth - 1):
        item = (Tag.VENDOR_EXTENSION, STRUCTURE, [item])
    return item


def wide(items: int) -> Item:
    """Return a structure that makes that many items together with what it holds."""
    return (Tag.VENDOR_EXTENSION, STRUCTURE, [(Tag.BATCH_COUNT, INTEGER, 1)] * (items - 1))
