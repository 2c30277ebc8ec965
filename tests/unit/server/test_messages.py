"""Messages between our processes, however the stream is cut."""

import pytest

from strongroom.server.messages import BrokenMessage, Message, MessageReader, decode, encode


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_messages_are_found_however_the_stream_is_cut(size: int) -> None:
    sent: list[Message] = [{"a": 1}, {"b": "x\ny"}, {"c": None}]
    stream = b"".join(encode(message) for message in sent)
    reader = MessageReader()
    received: list[Message] = []
    for start in range(0, len(stream), size):
        received += reader.feed(stream[start : start + size])
    assert received == sent


@pytest.mark.parametrize("line", [b"", b"x", b"[1]", b"\xff", b'{"a":'])
def test_a_line_that_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(BrokenMessage):
        decode(line)
