"""Answers of a server, made of Items."""

from strongroom.registry import V1_1, V1_4, Operation, ResultReason, ResultStatus, Tag, Version
from strongroom.wire import binary
from strongroom.wire.item import BYTE_STRING, DATE_TIME, ENUMERATION, INTEGER, STRUCTURE, TEXT_STRING, Item


def header(version: Version = V1_4) -> Item:
    numbers: list[Item] = [
        (Tag.PROTOCOL_VERSION_MAJOR, INTEGER, version.major),
        (Tag.PROTOCOL_VERSION_MINOR, INTEGER, version.minor),
    ]
    fields: list[Item] = [
        (Tag.PROTOCOL_VERSION, STRUCTURE, numbers),
        (Tag.TIME_STAMP, DATE_TIME, 1_700_000_000),
        (Tag.BATCH_COUNT, INTEGER, 1),
    ]
    return (Tag.RESPONSE_HEADER, STRUCTURE, fields)


def success(
    operation: int | None, *payload: Item, batch_item: bytes | None = None, more: tuple[Item, ...] = ()
) -> Item:
    fields: list[Item] = [] if operation is None else [(Tag.OPERATION, ENUMERATION, int(operation))]
    if batch_item is not None:
        fields.append((Tag.UNIQUE_BATCH_ITEM_ID, BYTE_STRING, batch_item))
    fields.append((Tag.RESULT_STATUS, ENUMERATION, int(ResultStatus.SUCCESS)))
    fields.append((Tag.RESPONSE_PAYLOAD, STRUCTURE, list(payload)))
    return (Tag.BATCH_ITEM, STRUCTURE, [*fields, *more])


def refusal(
    operation: int | None,
    reason: int | None = ResultReason.GENERAL_FAILURE,
    message: str | None = "no",
    *,
    batch_item: bytes | None = None,
    status: int = ResultStatus.OPERATION_FAILED,
) -> Item:
    fields: list[Item] = [] if operation is None else [(Tag.OPERATION, ENUMERATION, int(operation))]
    if batch_item is not None:
        fields.append((Tag.UNIQUE_BATCH_ITEM_ID, BYTE_STRING, batch_item))
    fields.append((Tag.RESULT_STATUS, ENUMERATION, int(status)))
    if reason is not None:
        fields.append((Tag.RESULT_REASON, ENUMERATION, int(reason)))
    if message is not None:
        fields.append((Tag.RESULT_MESSAGE, TEXT_STRING, message))
    return (Tag.BATCH_ITEM, STRUCTURE, fields)


def message(*items: Item, version: Version = V1_4) -> bytes:
    return binary.encode((Tag.RESPONSE_MESSAGE, STRUCTURE, [header(version), *items]))


def identifier(text: str = "7d0b") -> Item:
    return (Tag.UNIQUE_IDENTIFIER, TEXT_STRING, text)


def activated(text: str = "7d0b") -> bytes:
    return message(success(Operation.ACTIVATE, identifier(text)))


def versions(*offered: Version, answered_in: Version = V1_1) -> bytes:
    payload: list[Item] = [
        (
            Tag.PROTOCOL_VERSION,
            STRUCTURE,
            [
                (Tag.PROTOCOL_VERSION_MAJOR, INTEGER, version.major),
                (Tag.PROTOCOL_VERSION_MINOR, INTEGER, version.minor),
            ],
        )
        for version in offered
    ]
    return message(success(Operation.DISCOVER_VERSIONS, *payload), version=answered_in)
