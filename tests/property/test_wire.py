"""Codecs: whatever is written is read back, and any bytes decode or raise DecodeError."""

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.registry import VERSIONS, Tag, Version
from strongroom.registry.names import TAGS
from strongroom.wire import binary, json, xml
from strongroom.wire.dump import dump
from strongroom.wire.errors import DecodeError
from strongroom.wire.framing import Framer
from strongroom.wire.item import (
    BIG_INTEGER,
    BOOLEAN,
    BYTE_STRING,
    ENUMERATION,
    IDENTIFIER,
    INTEGER,
    NAME_REFERENCE,
    REFERENCE,
    STRUCTURE,
    TEXT_STRING,
    Item,
)
from strongroom.wire.limits import Limits
from strongroom.wire.text import BOUNDS
from tests.unit.wire.build import GET_REQUEST, GET_RESPONSE, nested

SMALL = Limits(message_size=4096, depth=6, items=60)

TAG = st.one_of(
    st.sampled_from(sorted(TAGS)), st.integers(0x540000, 0x54FFFF), st.integers(0x420000, 0x42FFFF)
)
VERSION = st.sampled_from(VERSIONS)

# What XML can hold, which is nearly all; JSON takes the rest in a test of its own.
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=[*map(chr, range(32)), "\ufffe", "\uffff"])
    | st.sampled_from("\t\n\r"),
    max_size=40,
)
VALUES: dict[int, st.SearchStrategy[Any]] = {
    BIG_INTEGER: st.integers(-(1 << 200), 1 << 200) | st.integers(-300, 300),
    BYTE_STRING: st.binary(max_size=40),
    **{kind: st.integers(*bounds) for kind, bounds in BOUNDS.items() if kind != BOOLEAN},
    BOOLEAN: st.booleans(),
    **dict.fromkeys((TEXT_STRING, IDENTIFIER, REFERENCE, NAME_REFERENCE), TEXT),
}
# Enumerations and attribute names that mean something lead the codecs into their tables.
NAMED = st.sampled_from(
    [
        (Tag.ATTRIBUTE_NAME, TEXT_STRING, "Cryptographic Usage Mask"),
        (Tag.ATTRIBUTE_NAME, TEXT_STRING, "State"),
        (Tag.ATTRIBUTE_VALUE, INTEGER, 12),
        (Tag.ATTRIBUTE_VALUE, ENUMERATION, 2),
        (Tag.VENDOR_IDENTIFICATION, TEXT_STRING, "acme"),
        (Tag.CRYPTOGRAPHIC_USAGE_MASK, INTEGER, -1),
        (Tag.ATTRIBUTE_REFERENCE, ENUMERATION, int(Tag.STATE)),
        (Tag.OPERATION, ENUMERATION, 10),
        (Tag.UNIQUE_IDENTIFIER, ENUMERATION, 1),
    ]
)
LEAF = (
    st.sampled_from(sorted(VALUES)).flatmap(lambda kind: st.tuples(TAG, st.just(kind), VALUES[kind])) | NAMED
)
ITEM = st.recursive(
    LEAF,
    lambda inner: st.tuples(TAG, st.just(STRUCTURE), st.lists(inner, max_size=5)),
    max_leaves=12,
)

MESSAGES = [GET_REQUEST, GET_RESPONSE]


@st.composite
def damaged(draw: st.DrawFn, messages: list[bytes]) -> bytes:
    """A good message with a few bytes changed, taken out or put in."""
    data = bytearray(draw(st.sampled_from(messages)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        piece = draw(
            st.binary(min_size=1, max_size=4) | st.sampled_from([b"\0" * 8, b"<", b"[", b'"', b"&", b"}"])
        )
        match draw(st.sampled_from(["replace", "insert", "delete"])):
            case "replace":
                data[at : at + len(piece)] = piece
            case "insert":
                data[at:at] = piece
            case _:
                del data[at : at + len(piece)]
    return bytes(data)


BINARY = [binary.encode(m) for m in MESSAGES]
XML = [xml.encode(m, version=VERSIONS[-1]) for m in MESSAGES]
JSON = [json.encode(m, version=VERSIONS[-1]) for m in MESSAGES]


@given(item=ITEM)
def test_an_item_survives_ttlv(item: Item) -> None:
    assert binary.decode(binary.encode(item)) == item


@given(item=ITEM, version=VERSION)
def test_an_item_survives_xml(item: Item, version: Version) -> None:
    assert xml.decode(xml.encode(item, version=version)) == item


@given(item=ITEM, version=VERSION)
def test_an_item_survives_json(item: Item, version: Version) -> None:
    assert json.decode(json.encode(item, version=version)) == item


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_survives_json_and_ttlv(text: str) -> None:
    item: Item = (Tag.COMMENT, TEXT_STRING, text)
    assert json.decode(json.encode(item, version=VERSIONS[-1])) == item
    assert binary.decode(binary.encode(item)) == item


@given(item=ITEM)
def test_anything_can_be_dumped(item: Item) -> None:
    assert dump(item)


@settings(max_examples=500)
@given(data=st.binary(max_size=512) | damaged(BINARY))
def test_any_bytes_decode_from_ttlv_or_raise_decode_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        item = binary.decode(data, SMALL)
        assert binary.decode(binary.encode(item)) == item


@given(data=damaged([binary.encode(nested(SMALL.depth + 1))]))
def test_every_refusal_of_ttlv_names_an_offset_inside(data: bytes) -> None:
    refusal = None
    try:
        binary.decode(data, SMALL)
    except DecodeError as error:
        refusal = error
    assert refusal is None or (refusal.at is not None and 0 <= refusal.at <= len(data))


@settings(max_examples=300)
@given(data=st.binary(max_size=200) | damaged(XML))
def test_any_bytes_decode_from_xml_or_raise_decode_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        binary.encode(xml.decode(data, SMALL))


@settings(max_examples=300)
@given(data=st.binary(max_size=200) | damaged(JSON))
def test_any_bytes_decode_from_json_or_raise_decode_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        binary.encode(json.decode(data, SMALL))


def frames(pieces: list[bytes]) -> tuple[list[bytes], str | None]:
    """Return the messages that a framer finds, and the error that ends it."""
    framer, found = Framer(SMALL), list[bytes]()
    try:
        for piece in pieces:
            framer.feed(piece)
            found += iter(framer.next_message, None)
    except DecodeError as error:
        return found, str(error)
    return found, None


@settings(max_examples=300)
@given(data=st.lists(st.sampled_from(BINARY[:1]), max_size=3).map(b"".join), tail=st.binary(max_size=40))
def test_a_stream_gives_the_same_messages_whole_and_byte_by_byte(data: bytes, tail: bytes) -> None:
    stream = data + tail
    whole = frames([stream])
    assert frames([stream[i : i + 1] for i in range(len(stream))]) == whole
    assert whole[0][: len(data) // len(BINARY[0])] == [BINARY[0]] * (len(data) // len(BINARY[0]))


def frames_in_place(stream: bytes, size: int) -> tuple[list[bytes], str | None]:
    """Return the same as `frames`, with whatever has room read to its place."""
    framer, found = Framer(SMALL), list[bytes]()
    try:
        while stream:
            room = framer.room()
            if room is None:
                count = min(size, len(stream))
                framer.feed(stream[:count])
            else:
                count = min(size, len(stream), len(room))
                room[:count] = stream[:count]
                framer.fill(count)
            stream = stream[count:]
            found += iter(framer.next_message, None)
    except DecodeError as error:
        return found, str(error)
    return found, None


@settings(max_examples=300)
@given(
    count=st.integers(0, 3), tail=st.binary(max_size=40), size=st.integers(1, 60), mixed=st.integers(0, 60)
)
def test_a_stream_gives_the_same_messages_read_to_their_place(
    count: int, tail: bytes, size: int, mixed: int
) -> None:
    stream = BINARY[0] * count + tail
    assert frames_in_place(stream, size) == frames([stream])
    framer = Framer(SMALL)
    framer.feed(BINARY[0][:16])
    assert framer.next_message() is None
    assert framer.room() is not None
    framer.feed(BINARY[0][16 : 16 + mixed])  # after all not to its place
    framer.feed(BINARY[0][16 + mixed :] + tail)
    assert framer.next_message() == BINARY[0]
    assert framer.pending == len(tail)


@given(depth=st.integers(1, 60), limit=st.integers(1, 40))
def test_depth_is_bounded_in_every_encoding(depth: int, limit: int) -> None:
    item, limits = nested(depth), Limits(depth=limit)
    for data, decode in (
        (binary.encode(item), binary.decode),
        (xml.encode(item, version=VERSIONS[0]), xml.decode),
        (json.encode(item, version=VERSIONS[0]), json.decode),
    ):
        with contextlib.suppress(DecodeError) if depth > limit else contextlib.nullcontext():
            assert decode(data, limits) == item
            assert depth <= limit
