"""TTLV: what is accepted, and what each refusal says."""

import pytest

from strongroom.registry import Tag
from strongroom.wire import binary
from strongroom.wire.errors import DecodeError, EncodeError, MessageTooLarge
from strongroom.wire.item import (
    BIG_INTEGER,
    BOOLEAN,
    BYTE_STRING,
    DATE_TIME,
    DATE_TIME_EXTENDED,
    ENUMERATION,
    IDENTIFIER,
    INTEGER,
    INTERVAL,
    LONG_INTEGER,
    STRUCTURE,
    TEXT_STRING,
    Item,
)
from strongroom.wire.limits import Limits
from tests.unit.wire.build import GET_REQUEST, GET_RESPONSE, in_message, nested, ttlv, wide

# KMIP 1.0 §9.1.2, and what 2.1 and 3.0 added; (bytes, item)
EXAMPLES = [
    ("42002002 00000004 0000000800000000", (0x420020, INTEGER, 8)),
    ("42002003 00000008 01B69B4BA5749200", (0x420020, LONG_INTEGER, 123456789000000000)),
    (
        "42002004 00000010 0000000003FD35EB6BC2DF4618080000",
        (0x420020, BIG_INTEGER, 1234567890000000000000000000),
    ),
    ("42002004 00000008 8000000000000000", (0x420020, BIG_INTEGER, -(1 << 63))),
    ("42002005 00000004 000000FF00000000", (0x420020, ENUMERATION, 255)),
    ("42002006 00000008 0000000000000001", (0x420020, BOOLEAN, True)),
    ("42002007 0000000B 48656C6C6F20576F726C640000000000", (0x420020, TEXT_STRING, "Hello World")),
    ("42002008 00000003 0102030000000000", (0x420020, BYTE_STRING, b"\x01\x02\x03")),
    ("42002008 00000000", (0x420020, BYTE_STRING, b"")),
    ("42002009 00000008 0000000047DA67F8", (0x420020, DATE_TIME, 1205495800)),
    ("4200200A 00000004 000D2F0000000000", (0x420020, INTERVAL, 864000)),
    ("4200200A 00000004 FFFFFFFF00000000", (0x420020, INTERVAL, (1 << 32) - 1)),
    ("4200200B 00000008 000462D53C8E1F40", (0x420020, DATE_TIME_EXTENDED, 1234567890345792)),
    ("4200200C 00000001 6100000000000000", (0x420020, IDENTIFIER, "a")),
    (
        "42002001 00000020 42000405 00000004 000000FE00000000 42000502 00000004 000000FF00000000",
        (0x420020, STRUCTURE, [(0x420004, ENUMERATION, 254), (0x420005, INTEGER, 255)]),
    ),
]


@pytest.mark.parametrize(("text", "item"), EXAMPLES)
def test_the_examples_of_the_specification_decode_and_encode(text: str, item: Item) -> None:
    data = bytes.fromhex(text)
    assert binary.decode(data) == item
    assert binary.encode(item) == data


@pytest.mark.parametrize("message", [GET_REQUEST, GET_RESPONSE])
def test_whole_messages_survive_a_round_trip(message: Item) -> None:
    assert binary.decode(binary.encode(message)) == message


def test_a_boolean_decodes_to_a_bool_and_an_integer_does_not() -> None:
    assert binary.decode(binary.encode((0x420020, BOOLEAN, True)))[2] is True
    assert type(binary.decode(binary.encode((0x420020, INTEGER, 1)))[2]) is int


def test_unknown_tags_and_enumeration_values_survive() -> None:
    item: Item = (0x540001, STRUCTURE, [(0x54FFFF, ENUMERATION, 0x80000001), (0x42FFFF, TEXT_STRING, "x")])
    assert binary.decode(binary.encode(item)) == item


MALFORMED = [
    (ttlv(0x420020, 0, b""), "unknown item type 0x00"),
    (ttlv(0x420020, 15, b""), "unknown item type 0x0F"),
    (ttlv(0x430020, INTEGER, bytes(4)), "the tag begins with neither 42 nor 54"),
    (ttlv(0x550020, BYTE_STRING, b""), "the tag begins with neither 42 nor 54"),
    (ttlv(0x000020, STRUCTURE, b""), "the tag begins with neither 42 nor 54"),
    (ttlv(0x420020, INTEGER, b""), "INTEGER length is 0, not 4"),
    (ttlv(0x420020, INTEGER, bytes(8)), "INTEGER length is 8, not 4"),
    (ttlv(0x420020, INTEGER, bytes(3)), "INTEGER length is 3, not 4"),
    (ttlv(0x420020, INTEGER, bytes(4), padding=b"\0\0\0\1"), "padding is not zero"),
    (ttlv(0x420020, LONG_INTEGER, bytes(4)), "LONG_INTEGER length is 4, not 8"),
    (ttlv(0x420020, BIG_INTEGER, b""), "BIG_INTEGER length 0 is not a positive multiple of 8"),
    (ttlv(0x420020, BIG_INTEGER, bytes(12)), "BIG_INTEGER length 12 is not a positive multiple of 8"),
    (ttlv(0x420020, ENUMERATION, bytes(5)), "ENUMERATION length is 5, not 4"),
    (ttlv(0x420020, ENUMERATION, bytes(4), padding=b"\1\0\0\0"), "padding is not zero"),
    (ttlv(0x420020, BOOLEAN, bytes(3)), "BOOLEAN length is 3, not 8"),
    (ttlv(0x420020, BOOLEAN, (2).to_bytes(8)), "BOOLEAN is neither 0 nor 1"),
    (ttlv(0x420020, BOOLEAN, b"\1" + bytes(7)), "BOOLEAN is neither 0 nor 1"),
    (ttlv(0x420020, TEXT_STRING, b"a\xff"), "text is not UTF-8"),
    (ttlv(0x420020, TEXT_STRING, b"\xed\xa0\x80"), "text is not UTF-8"),
    (ttlv(0x420020, TEXT_STRING, b"a\0b"), "text contains NUL"),
    (ttlv(0x420020, TEXT_STRING, b"a\0"), "text contains NUL"),
    (ttlv(0x420020, TEXT_STRING, b"abc", padding=b"\0\0\0\0a"), "padding is not zero"),
    (ttlv(0x420020, BYTE_STRING, b"abc", padding=b"a\0\0\0\0"), "padding is not zero"),
    (ttlv(0x420020, BYTE_STRING, b"abcdefgh", length=17), "runs 16 bytes past the end of its structure"),
    (
        ttlv(0x420020, BYTE_STRING, b"", length=0xFFFFFFFF),
        "runs 4294967296 bytes past the end of its structure",
    ),
    (ttlv(0x420020, DATE_TIME, bytes(4)), "DATE_TIME length is 4, not 8"),
    (ttlv(0x420020, DATE_TIME, (253402300800).to_bytes(8)), "DATE_TIME is outside the years 1 to 9999"),
    (
        ttlv(0x420020, DATE_TIME, (-62135596801).to_bytes(8, signed=True)),
        "DATE_TIME is outside the years 1 to 9999",
    ),
    (ttlv(0x420020, INTERVAL, bytes(8)), "INTERVAL length is 8, not 4"),
    (ttlv(0x420020, DATE_TIME_EXTENDED, bytes(7)), "DATE_TIME_EXTENDED length is 7, not 8"),
    (
        ttlv(0x420020, DATE_TIME_EXTENDED, b"\x7f" + bytes(7)),
        "DATE_TIME_EXTENDED is outside the years 1 to 9999",
    ),
    (ttlv(0x420020, IDENTIFIER, b"\xff"), "text is not UTF-8"),
    (ttlv(0x420020, IDENTIFIER, b"a\0b"), "text contains NUL"),
    (ttlv(0x420020, IDENTIFIER, b"a", padding=b"\0\0\0\0\0\0\1"), "padding is not zero"),
    (ttlv(0x420020, STRUCTURE, b"", length=4), "STRUCTURE length 4 is not a multiple of 8"),
    (ttlv(0x420020, STRUCTURE, b"", length=8), "runs 8 bytes past the end of its structure"),
]


@pytest.mark.parametrize(
    ("kind", "last"), [(DATE_TIME, 253402300799), (DATE_TIME_EXTENDED, 253402300799_999999)]
)
def test_the_largest_value_of_a_date_is_read_as_the_last_date(kind: int, last: int) -> None:
    """KMIP 2.1 §6.1.28 gives it a meaning in Locate: no date at all."""
    assert binary.decode(ttlv(0x420020, kind, b"\x7f" + b"\xff" * 7))[2] == last


@pytest.mark.parametrize(("data", "reason"), MALFORMED, ids=[f"{i}-{m[1]}" for i, m in enumerate(MALFORMED)])
def test_a_malformed_item_is_refused_with_its_place(data: bytes, reason: str) -> None:
    """faults 5: whatever is malformed is refused in one way."""
    good = ttlv(Tag.BATCH_COUNT, INTEGER, bytes(4))
    with pytest.raises(DecodeError) as caught:
        binary.decode(in_message(good, data))
    assert (caught.value.message, caught.value.at) == (reason, 32)
    name = "CompromiseDate" if data.startswith(b"\x42") else "?"
    assert caught.value.path == (("RequestMessage", None), ("RequestHeader", None), (name, None))


@pytest.mark.parametrize("kind", [INTEGER, BOOLEAN, DATE_TIME, LONG_INTEGER])
def test_a_value_of_fixed_length_must_end_within_its_structure(kind: int) -> None:
    """The first 8 bytes are inside, the value would be the item that follows the structure."""
    item = ttlv(Tag.BATCH_COUNT, kind, bytes(4 if kind == INTEGER else 8))
    binary.decode(item)  # a block that was seen before is looked up, and must be measured all the same
    header = ttlv(Tag.REQUEST_HEADER, STRUCTURE, item[:8])
    with pytest.raises(DecodeError, match="runs 8 bytes past the end of its structure") as caught:
        binary.decode(ttlv(Tag.REQUEST_MESSAGE, STRUCTURE, header + item[8:]))
    assert caught.value.at == 16
    with pytest.raises(DecodeError, match="runs 8 bytes past the end of its structure"):
        binary.decode(ttlv(Tag.REQUEST_MESSAGE, STRUCTURE, header))


ENDS = [
    (b"", "0 bytes are less than one item", 0),
    (b"\x42\0\x78\1\0\0\0", "7 bytes are less than one item", 0),
    (binary.encode(GET_REQUEST)[:-8], "the message declares 152 bytes and has 144", 0),
    (binary.encode(GET_REQUEST) + bytes(8), "8 bytes follow the message", 152),
    (binary.encode(GET_REQUEST) + b"\0", "1 bytes follow the message", 152),
]


@pytest.mark.parametrize(("data", "reason", "at"), ENDS)
def test_a_message_is_exactly_as_long_as_it_says(data: bytes, reason: str, at: int) -> None:
    with pytest.raises(DecodeError) as caught:
        binary.decode(data)
    assert (caught.value.message, caught.value.at) == (reason, at)


def test_an_error_reads_as_place_reason_offset() -> None:
    message = in_message(ttlv(Tag.BATCH_COUNT, INTEGER, bytes(3)))
    with pytest.raises(DecodeError) as caught:
        binary.decode(message)
    assert (
        str(caught.value) == "RequestMessage.RequestHeader.BatchCount: INTEGER length is 3, not 4 (byte 16)"
    )


def test_the_path_counts_items_of_one_name() -> None:
    good, bad = ttlv(Tag.BATCH_ITEM, STRUCTURE, b""), ttlv(0x540001, BOOLEAN, (2).to_bytes(8))
    holds_bad = ttlv(Tag.BATCH_ITEM, STRUCTURE, bad)
    for items, step in (([holds_bad], None), ([holds_bad, good], 0), ([good, good, holds_bad], 2)):
        with pytest.raises(DecodeError) as caught:
            binary.decode(ttlv(Tag.REQUEST_MESSAGE, STRUCTURE, b"".join(items)))
        assert caught.value.path == (("RequestMessage", None), ("BatchItem", step), ("0x540001", None))


def test_an_error_shows_nothing_of_the_value() -> None:
    secret = b"correct horse battery staple"
    for data in (secret + b"\xff", secret + b"\0x"):
        with pytest.raises(DecodeError) as caught:
            binary.decode(in_message(ttlv(Tag.PASSWORD, TEXT_STRING, data)))
        assert "horse" not in f"{caught.value!r} {caught.value} {caught.value.__dict__}"


def test_depth_is_limited() -> None:
    assert binary.decode(binary.encode(nested(32))) == nested(32)
    with pytest.raises(DecodeError, match="nested too deep") as caught:
        binary.decode(binary.encode(nested(33)))
    assert (len(caught.value.path), caught.value.at) == (33, 32 * 8)


def test_the_number_of_items_is_limited() -> None:
    limits = Limits(items=100)
    assert binary.decode(binary.encode(wide(100)), limits) == wide(100)
    with pytest.raises(DecodeError, match="more than 100 items") as caught:
        binary.decode(binary.encode(wide(101)), limits)
    assert caught.value.path == (("VendorExtension", None), ("BatchCount", 99))


def test_few_but_long_items_are_not_too_many() -> None:
    long: Item = (Tag.DATA, BYTE_STRING, bytes(10_000))
    assert binary.decode(binary.encode(long), Limits(items=1)) == long


def test_the_size_is_limited() -> None:
    data = binary.encode((Tag.DATA, BYTE_STRING, bytes(1000)))
    assert binary.decode(data, Limits(message_size=1008))
    with pytest.raises(MessageTooLarge, match="1008 bytes, the limit is 1007"):
        binary.decode(data, Limits(message_size=1007))


def test_what_is_remembered_is_bounded() -> None:
    for number in range(10_000):
        item: Item = (0x540000 + number, INTEGER, number)
        assert binary.decode(binary.encode(item)) == item
    for memo in (binary._items, binary._blocks, binary._tags):
        assert 0 < len(memo) <= 4096


def test_what_is_remembered_has_no_text_and_no_bytes() -> None:
    binary.decode(binary.encode((0x420020, STRUCTURE, [(0x420094, 7, "abcd"), (0x4200C2, 8, b"abcd")])))
    assert {item[1] for item in binary._items.values()} <= {INTEGER, ENUMERATION, BOOLEAN, INTERVAL}
    assert {item[1] for item in binary._blocks} <= {INTEGER, ENUMERATION, BOOLEAN, INTERVAL}


UNWRITABLE = [
    (INTEGER, 1 << 31),
    (INTEGER, -(1 << 31) - 1),
    (LONG_INTEGER, 1 << 63),
    (ENUMERATION, -1),
    (ENUMERATION, 1 << 32),
    (INTERVAL, -1),
    (DATE_TIME, 253402300800),
    (DATE_TIME_EXTENDED, 253402300800 * 1_000_000),
    (TEXT_STRING, "a\0b"),
    (TEXT_STRING, "\ud800"),
    (IDENTIFIER, "a\0b"),
    (TEXT_STRING, b"bytes"),
    (BYTE_STRING, "text"),
    (BOOLEAN, None),
    (99, 1),
]


@pytest.mark.parametrize(("kind", "value"), UNWRITABLE)
def test_a_value_that_its_type_cannot_hold_is_not_written(kind: int, value: object) -> None:
    batch_item: Item = (Tag.BATCH_ITEM, STRUCTURE, [(Tag.COMMENT, kind, value)])
    good: Item = (Tag.BATCH_ITEM, STRUCTURE, [(Tag.COMMENT, TEXT_STRING, "x")])
    with pytest.raises(EncodeError) as caught:
        binary.encode((Tag.REQUEST_MESSAGE, STRUCTURE, [good, batch_item]))
    assert str(caught.value).startswith("RequestMessage.BatchItem[1].Comment: the value cannot be written")


def test_an_offset_is_found_by_its_path() -> None:
    data = binary.encode(GET_RESPONSE)
    payload = (("ResponseMessage", None), ("BatchItem", 0), ("ResponsePayload", None))
    assert binary.offset_of(data, payload[:1]) == 0
    assert binary.offset_of(data, payload) == 128
    assert binary.offset_of(data, (*payload, ("UniqueIdentifier", None))) == 152
    assert binary.offset_of(data, (*payload, ("UniqueIdentifier", None), ("BatchItem", None))) is None
    assert binary.offset_of(data, (("ResponseMessage", None), ("BatchItem", 1))) is None
    assert binary.offset_of(data, (("RequestMessage", None),)) is None


def test_a_first_child_that_is_known_is_not_decoded_again() -> None:
    header = (0x420077, 1, [(0x42000D, 2, 1)])
    rest = (0x42000F, 1, [(0x42005C, 5, 10)])
    data = binary.encode((0x420078, 1, [header, rest]))
    end = 8 + len(binary.encode(header))
    assert binary.decode(data, known_until=end) == (0x420078, 1, [(0x420077, 1, []), rest])
