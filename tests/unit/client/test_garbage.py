"""Whatever a server sends becomes a result or a KMIPError."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.client.address import Address
from strongroom.client.answers import outcomes, parse
from strongroom.client.compose import Asked
from strongroom.client.conversation import Conversation
from strongroom.client.errors import KMIPError
from strongroom.client.failover import BrokenLink
from strongroom.client.transport import make_binding
from strongroom.operations.catalogue import all_operations
from strongroom.registry import V1_4, V2_1, V3_0, VERSIONS, ItemType, Operation, Tag, Version
from strongroom.wire import binary
from strongroom.wire.encodings import CODECS, Encoding
from strongroom.wire.item import Item
from tests.unit.client.messages import header, message, success
from tests.unit.client.talk import result_of

# Every tag of the registry, so that real structures come about, and a few that nobody knows.
TAGS = st.one_of(st.sampled_from([int(tag) for tag in Tag]), st.sampled_from([0x420FFF, 0x540001]))
VALUES: dict[ItemType, st.SearchStrategy[Any]] = {
    ItemType.INTEGER: st.integers(-(2**31), 2**31 - 1),
    ItemType.LONG_INTEGER: st.integers(-(2**63), 2**63 - 1),
    ItemType.BIG_INTEGER: st.integers(-(2**70), 2**70),
    ItemType.ENUMERATION: st.integers(0, 64) | st.integers(0, 2**32 - 1),
    ItemType.BOOLEAN: st.booleans(),
    ItemType.TEXT_STRING: st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8
    ),
    ItemType.BYTE_STRING: st.binary(max_size=8),
    ItemType.DATE_TIME: st.integers(-62135596800, 253402300799),
    ItemType.INTERVAL: st.integers(0, 2**32 - 1),
    ItemType.DATE_TIME_EXTENDED: st.integers(0, 2**50),
    ItemType.IDENTIFIER: st.just("i"),
    ItemType.REFERENCE: st.just("r"),
    ItemType.NAME_REFERENCE: st.just("n"),
}
LEAVES = st.one_of(*(st.tuples(TAGS, st.just(int(kind)), values) for kind, values in VALUES.items()))
ITEMS: st.SearchStrategy[Item] = st.recursive(
    LEAVES,
    lambda inner: st.tuples(TAGS, st.just(int(ItemType.STRUCTURE)), st.lists(inner, max_size=5)),
    max_leaves=12,
)


def ask(operation: Operation, answer: bytes, version: Version) -> None:
    """Read `answer` as one to this operation."""
    spec = all_operations()[operation]
    with contextlib.suppress(KMIPError):
        outcomes(parse(answer, CODECS[Encoding.TTLV]), [Asked(operation, None, spec.response)], version)


@given(data=st.binary(max_size=300), cut=st.integers(1, 40), start=st.sampled_from([b"", b"HTTP/1.1 200 OK"]))
def test_any_bytes_over_https(data: bytes, cut: int, start: bytes) -> None:
    framing = make_binding("https").framing(Address("kms", 1))
    framing.wrap(b"request")
    stream = start + data
    with contextlib.suppress(KMIPError, BrokenLink):
        for at in range(0, len(stream), cut):
            if framing.receive(stream[at : at + cut]) is not None:
                return
        framing.receive(b"")


@given(data=st.binary(max_size=300), version=st.sampled_from(VERSIONS))
def test_any_bytes(data: bytes, version: Version) -> None:
    ask(Operation.GET, data, version)


@given(data=st.binary(max_size=300))
def test_any_bytes_as_an_answer_to_discover_versions(data: bytes) -> None:
    with contextlib.suppress(KMIPError):
        result_of(Conversation().negotiate(), data)


@given(items=st.lists(ITEMS, max_size=6), version=st.sampled_from([V1_4, V2_1, V3_0]))
def test_any_items_in_a_response_message(items: list[Item], version: Version) -> None:
    ask(Operation.GET, message(*items), version)
    ask(Operation.GET, binary.encode((Tag.RESPONSE_MESSAGE, 1, items)), version)


@settings(max_examples=300)
@given(
    payload=st.lists(ITEMS, max_size=6),
    operation=st.sampled_from(sorted(all_operations())),
    version=st.sampled_from([V1_4, V2_1, V3_0]),
)
def test_any_items_in_a_payload(payload: list[Item], operation: Operation, version: Version) -> None:
    ask(operation, message(success(operation, *payload)), version)


@settings(max_examples=300)
@given(
    attributes=st.lists(ITEMS, max_size=6),
    wrapper=st.sampled_from([Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE, Tag.ATTRIBUTE, Tag.ATTRIBUTE_REFERENCE]),
    operation=st.sampled_from([Operation.GET_ATTRIBUTES, Operation.GET_ATTRIBUTE_LIST, Operation.CREATE]),
    version=st.sampled_from([V1_4, V2_1, V3_0]),
)
def test_any_items_as_attributes(
    attributes: list[Item], wrapper: Tag, operation: Operation, version: Version
) -> None:
    payload: list[Item] = [
        (Tag.UNIQUE_IDENTIFIER, 7, "7d0b"),
        (Tag.OBJECT_TYPE, 5, 2),
        (wrapper, 1, attributes),
    ]
    ask(operation, message(success(operation, *payload)), version)


@settings(max_examples=300)
@given(data=st.data())
def test_a_good_answer_with_some_bytes_changed(data: st.DataObject) -> None:
    good = bytearray(message(success(Operation.GET, *_key())))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    ask(Operation.GET, bytes(good), data.draw(st.sampled_from(VERSIONS)))


def _key() -> list[Item]:
    value: list[Item] = [
        (Tag.KEY_MATERIAL, 8, bytes(16)),
        (Tag.ATTRIBUTE, 1, [(Tag.ATTRIBUTE_NAME, 7, "Name")]),
    ]
    block: list[Item] = [(Tag.KEY_FORMAT_TYPE, 5, 1), (Tag.KEY_VALUE, 1, value)]
    return [
        (Tag.OBJECT_TYPE, 5, 2),
        (Tag.UNIQUE_IDENTIFIER, 7, "7d0b"),
        (Tag.SYMMETRIC_KEY, 1, [(Tag.KEY_BLOCK, 1, block)]),
    ]


@pytest.mark.parametrize("version", [V1_4, V2_1])
def test_a_header_without_a_version_is_read(version: Version) -> None:
    bare: Item = (header()[0], 1, [])
    ask(Operation.PING, binary.encode((Tag.RESPONSE_MESSAGE, 1, [bare, success(Operation.PING)])), version)
