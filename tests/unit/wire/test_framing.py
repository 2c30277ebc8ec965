"""Messages out of a stream."""

import tracemalloc

import pytest

from strongroom.registry import Tag
from strongroom.wire import binary
from strongroom.wire.errors import DecodeError, MessageTooLarge
from strongroom.wire.framing import Framer
from strongroom.wire.limits import Limits
from tests.unit.wire.build import GET_REQUEST, GET_RESPONSE

REQUEST = binary.encode(GET_REQUEST)


def take_all(framer: Framer) -> list[bytes]:
    return list(iter(framer.next_message, None))


def test_a_message_in_one_piece_is_handed_on_without_a_copy() -> None:
    framer = Framer()
    framer.feed(REQUEST)
    assert framer.next_message() is REQUEST
    assert framer.next_message() is None


def test_a_message_may_come_byte_by_byte() -> None:
    framer = Framer()
    for i in range(len(REQUEST) - 1):
        framer.feed(REQUEST[i : i + 1])
        assert framer.next_message() is None
        assert framer.pending == i + 1
    framer.feed(REQUEST[-1:])
    assert take_all(framer) == [REQUEST]
    assert framer.pending == 0


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 9, 150])
def test_pipelined_messages_come_out_in_order(cut: int) -> None:
    other = binary.encode((Tag.REQUEST_MESSAGE, 1, [(Tag.BATCH_COUNT, 2, 7)]))
    stream = REQUEST + other + REQUEST + REQUEST[:cut]
    framer = Framer()
    framer.feed(stream)
    assert take_all(framer) == [REQUEST, other, REQUEST]
    framer.feed(REQUEST[cut:])
    assert take_all(framer) == [REQUEST]
    assert framer.pending == 0


def test_the_declared_size_is_known_from_the_header_on() -> None:
    framer = Framer()
    framer.feed(REQUEST[:8])
    assert framer.next_message() is None
    assert framer.declared == len(REQUEST)


BAD_HEADERS = [
    (bytes.fromhex("42007B0100000008"), DecodeError, "expected the header of a RequestMessage (byte 0)"),
    (bytes.fromhex("4200780200000008"), DecodeError, "expected the header of a RequestMessage (byte 0)"),
    (b"GET / HT", DecodeError, "expected the header of a RequestMessage (byte 0)"),
    (
        bytes.fromhex("4200780100000009"),
        DecodeError,
        "RequestMessage: STRUCTURE length 9 is not a multiple of 8 (byte 0)",
    ),
    (
        bytes.fromhex("42007801FFFFFFF8"),
        MessageTooLarge,
        "4294967296 bytes are declared, the limit is 4194304 (byte 0)",
    ),
]


@pytest.mark.parametrize(("header", "error", "text"), BAD_HEADERS)
def test_a_wrong_header_is_refused_by_its_8_bytes(header: bytes, error: type[DecodeError], text: str) -> None:
    framer = Framer()
    framer.feed(header[:7])
    assert framer.next_message() is None
    framer.feed(header[7:])
    for _ in range(2):  # and stays refused
        with pytest.raises(error) as caught:
            framer.next_message()
        assert str(caught.value) == text


def test_a_large_declaration_takes_no_memory() -> None:
    tracemalloc.start()
    framer = Framer(Limits(message_size=1 << 30))
    framer.feed(bytes.fromhex("4200780130000000"))
    assert framer.next_message() is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000


def test_the_largest_message_is_accepted() -> None:
    framer = Framer(Limits(message_size=len(REQUEST)))
    framer.feed(REQUEST)
    assert framer.next_message() == REQUEST


def test_a_client_expects_responses() -> None:
    response = binary.encode(GET_RESPONSE)
    framer = Framer(expects=Tag.RESPONSE_MESSAGE)
    framer.feed(response)
    assert framer.next_message() == response
    framer.feed(REQUEST)
    with pytest.raises(DecodeError, match="expected the header of a ResponseMessage"):
        framer.next_message()
