"""Whatever a server does, it is a ServerFault with what arrived."""

import socket
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from strongroom.client.address import Address
from strongroom.conformance.connection import ServerFault, TlsChannel, decode_answer
from strongroom.conformance.target import Target
from strongroom.registry import Tag
from strongroom.wire import binary
from strongroom.wire.item import STRUCTURE
from tests.unit.conformance.conftest import Behaviour

Start = Callable[[Behaviour], Target]
REQUEST = binary.encode((Tag.REQUEST_MESSAGE, STRUCTURE, []))
RESPONSE = binary.encode((Tag.RESPONSE_MESSAGE, STRUCTURE, []))


def says(data: bytes) -> Behaviour:
    def behaviour(peer: ssl.SSLSocket) -> None:
        while peer.recv(4096):
            peer.sendall(data)

    return behaviour


def closes(peer: ssl.SSLSocket) -> None:
    peer.recv(4096)


def stays_silent(peer: ssl.SSLSocket) -> None:
    peer.recv(4096)
    peer.recv(4096)


def drips(peer: ssl.SSLSocket) -> None:
    peer.recv(4096)
    for byte in RESPONSE:
        peer.sendall(bytes([byte]))
        time.sleep(0.15)


def resets(peer: ssl.SSLSocket) -> None:
    peer.recv(4096)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_an_answer_comes_back_whole(scripted: Start) -> None:
    channel = TlsChannel(scripted(says(RESPONSE)), timeout=5)
    assert channel.exchange(REQUEST) == RESPONSE
    assert channel.exchange(REQUEST) == RESPONSE


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "not a response message"),
        (says(REQUEST), "not a response message"),
        (says(b"\x42\x00\x7b\x01\xff\xff\xff\xf8"), "limit"),
        (says(RESPONSE + b"more"), "bytes follow"),
        (closes, "closed the connection"),
        (resets, "reset|closed|TLS"),
        (stays_silent, "timed out"),
        (drips, "timed out"),
    ],
    ids=["http", "request", "huge", "trailing", "close", "reset", "silence", "dripping"],
)
def test_anything_else_is_a_fault(scripted: Start, behaviour: Behaviour, reason: str) -> None:
    channel = TlsChannel(scripted(behaviour), timeout=1)
    with pytest.raises(ServerFault, match=reason):
        channel.exchange(REQUEST)


def test_a_fault_keeps_what_arrived(scripted: Start) -> None:
    with pytest.raises(ServerFault) as caught:
        TlsChannel(scripted(says(b"garbage!")), timeout=2).exchange(REQUEST)
    assert caught.value.received == b"garbage!"


def test_after_a_fault_the_next_request_connects_again(scripted: Start) -> None:
    answers = [b"garbage!", RESPONSE]

    def behaviour(peer: ssl.SSLSocket) -> None:
        peer.recv(4096)
        peer.sendall(answers.pop(0))

    channel = TlsChannel(scripted(behaviour), timeout=2)
    with pytest.raises(ServerFault):
        channel.exchange(REQUEST)
    assert channel.exchange(REQUEST) == RESPONSE


def test_an_undecodable_message_is_a_fault() -> None:
    broken = b"\x42\x00\x7b\x01\x00\x00\x00\x08\x42\x00\x7a\x01\x00\x00\x00\xf0"
    with pytest.raises(ServerFault, match="cannot be decoded"):
        decode_answer(broken)


def test_the_second_address_is_tried_when_the_first_refuses(scripted: Start) -> None:
    target = scripted(says(RESPONSE))
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    both = replace(target, servers=(Address("127.0.0.1", port), *target.servers))
    assert TlsChannel(both, timeout=5).exchange(REQUEST) == RESPONSE


def test_nobody_listening_is_a_fault_that_names_the_address(scripted: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    target = replace(scripted(closes), servers=(Address("127.0.0.1", port),))
    with pytest.raises(ServerFault, match=str(port)):
        TlsChannel(target, timeout=2).connect()


def test_a_server_of_another_name_is_refused(scripted: Start) -> None:
    target = scripted(says(RESPONSE))
    elsewhere = replace(target, servers=(Address("127.0.0.2", target.servers[0].port),))
    with pytest.raises(ServerFault):
        TlsChannel(elsewhere, timeout=2).connect()
