"""How much a peer may send ahead: little, until it has begun a long message and there is room for it."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from strongroom.server.certificates.ca import Authority
from strongroom.server.listening.windows import LONG, MOST, NARROW, WIDE, Windows, keep_narrow, prepare
from tests.unit.server.bench import Bench, Transport, receive

HEAD = b"\x42\x00\x78\x01"


def message(size: int) -> tuple[bytes, bytes]:
    """Return the beginning of a message and the rest, which comes later."""
    return HEAD + (size - 8).to_bytes(4, "big") + bytes(4096), bytes(size - 8 - 4096)


@pytest.fixture
async def bench(authority: Authority) -> Bench:
    bench = Bench(authority)
    await bench.enrol()
    return bench


@pytest.fixture
def accepted() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A peer and what was accepted of it."""
    with socket.socket() as listening:
        prepare(listening)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with socket.create_connection(listening.getsockname(), 10) as peer, listening.accept()[0] as ours:
            keep_narrow(ours)
            yield peer, ours


def send_ahead(peer: socket.socket, ours: socket.socket) -> int:
    """Return how many bytes the kernel has for us of a peer that sends all it can."""
    peer.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            peer.send(bytes(1 << 20))
    time.sleep(0.05)
    return len(ours.recv(1 << 20, socket.MSG_PEEK))


def test_a_peer_may_send_little_ahead(accepted: tuple[socket.socket, socket.socket]) -> None:
    assert NARROW // 2 <= send_ahead(*accepted) <= 2 * NARROW


def test_it_stays_so_however_much_was_read(accepted: tuple[socket.socket, socket.socket]) -> None:
    peer, ours = accepted
    total = 4 << 20
    sending = threading.Thread(target=peer.sendall, args=(bytes(total),))
    sending.start()
    while total:
        total -= len(ours.recv(1 << 20))
    sending.join()
    assert send_ahead(peer, ours) <= 2 * NARROW


def test_a_narrow_window_can_be_widened(accepted: tuple[socket.socket, socket.socket]) -> None:
    peer, ours = accepted
    transport = asyncio.Transport({"socket": ours})
    assert Windows().widen(transport, 1)
    assert send_ahead(peer, ours) > WIDE // 2


async def test_a_long_message_widens_the_window_for_as_long_as_the_connection_lasts(bench: Bench) -> None:
    protocol, transport = bench.connect()
    for part in message(LONG):
        receive(protocol, part)
    assert transport.window is None
    for part in message(LONG + 8):
        receive(protocol, part)
    assert transport.window == WIDE
    transport.window = None
    for part in message(LONG + 8):
        receive(protocol, part)
    assert transport.window is None, "it is set once"


async def test_the_place_of_a_connection_that_ended_is_free(bench: Bench) -> None:
    bench.service.windows = Windows(4)
    for _ in range(5):
        protocol, transport = bench.connect()
        receive(protocol, message(LONG + 8)[0])
        assert transport.window == WIDE
        protocol.connection_lost(None)


def test_a_client_has_a_quarter_of_the_wide_windows() -> None:
    windows, transport = Windows(), Transport(b"")
    of_one = [windows.widen(transport, 1) for _ in range(MOST)]
    assert of_one.count(True) == MOST // 4
    assert windows.widen(transport, 2)
    windows.leave(1)
    assert windows.widen(transport, 1)
    assert not windows.widen(transport, 1)


async def test_a_long_message_arrives_through_a_narrow_window_too(bench: Bench) -> None:
    bench.service.windows = Windows(0)
    protocol, transport = bench.connect()
    for part in message(LONG * 4):
        receive(protocol, part)
    assert transport.window is None
    assert len(b"".join(transport.written)) == LONG * 4 - 8 + len(b"<>")
