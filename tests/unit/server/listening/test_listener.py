"""Connections from the moment they are accepted: each is counted until it ends, and none is forgotten."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator

import pytest

from strongroom.server.certificates.ca import Authority
from strongroom.server.config import ConnectionSettings, DeadlineSettings
from strongroom.server.listening.listener import BATCH, Door, Listener
from strongroom.server.shared import Seat, SharedNumbers
from strongroom.server.ttlv import KmipProtocol
from tests.unit.server.bench import Bench, Transport, turns_pass

AT_ONCE = 2
"""Unfinished handshakes that an address may have."""


class Site:
    """A listener whose connections are accepted by hand."""

    def __init__(self, bench: Bench, stack: contextlib.ExitStack) -> None:
        self.bench = bench
        self._stack = stack
        self.door = Door(
            stack.enter_context(socket.socket()),
            lambda peer, ended: KmipProtocol(bench.service, peer, ended),
        )
        self.listener = Listener(
            [self.door],
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
            seat=Seat(SharedNumbers(1), 0),
            settings=ConnectionSettings(unfinished_per_address=AT_ONCE),
            timing=DeadlineSettings(),
            total=100,
        )

    def accept(self) -> socket.socket:
        """Begin the handshake with a peer that says nothing, and return the peer."""
        peer, ours = socket.socketpair()
        self._stack.enter_context(peer)
        peer.setblocking(False)
        self.listener._begin(ours, ("192.0.2.1", 4711), self.door)
        return peer


@pytest.fixture
async def site(authority: Authority) -> Iterator[Site]:  # type: ignore[misc]
    with contextlib.ExitStack() as stack:
        yield Site(Bench(authority), stack)


async def test_a_worker_is_not_empty_while_a_handshake_is_about_to_begin(site: Site) -> None:
    site.accept()
    await asyncio.sleep(0)
    (first,) = site.listener._connections
    site.accept()
    site.listener._ended(first)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await site.listener.empty()
    site.listener.drain()
    await site.listener.empty()
    assert site.listener.live == 0


async def test_handshakes_that_give_way_before_they_began_are_counted_out_and_closed(site: Site) -> None:
    peers = [site.accept() for _ in range(AT_ONCE + 3)]
    await turns_pass()
    assert site.listener.live == AT_ONCE
    for peer in peers[:3]:
        assert peer.recv(1) == b""
    for peer in peers[3:]:
        with pytest.raises(BlockingIOError):
            peer.recv(1)
    site.listener.drain()
    await site.listener.empty()
    assert site.listener.live == 0


async def test_a_handshake_that_gives_way_at_the_moment_it_is_done_leaves_no_connection(site: Site) -> None:
    await site.bench.enrol()
    site.accept()
    await asyncio.sleep(0)
    (protocol,) = site.listener._connections
    transport = Transport(site.bench.der)
    protocol.connection_made(transport)
    for _ in range(AT_ONCE):
        site.accept()
    await turns_pass()
    assert transport.aborted
    assert protocol not in site.listener._connections
    site.listener.drain()
    await site.listener.empty()


async def test_no_more_handshakes_are_on_their_way_out_than_come_in_two_turns(site: Site) -> None:
    """However many come, and however long it takes: what gives way is closed before there are more."""
    most = 0
    for _ in range(50):
        for _ in range(BATCH):
            site.accept()
        most = max(most, site.listener.live)
        assert sum(map(len, site.listener._unfinished.values())) == AT_ONCE
        await asyncio.sleep(0)
    assert most <= AT_ONCE + 2 * BATCH
    site.listener.drain()
    await site.listener.empty()
