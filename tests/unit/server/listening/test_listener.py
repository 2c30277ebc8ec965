"""Connections from the moment they are accepted: each is counted until it ends, and none is forgotten."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from functools import partial

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
            partial(KmipProtocol, bench.service),
        )
        self.listener = Listener(
            [self.door],
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
            seat=Seat(SharedNumbers(1), 0),
            settings=ConnectionSettings(unfinished_per_address=AT_ONCE),
            timing=DeadlineSettings(),
            total=100,
        )

    def accept(self, host: str = "192.0.2.1") -> socket.socket:
        """Begin the handshake with a peer that says nothing, and return the peer."""
        peer, ours = socket.socketpair()
        self._stack.enter_context(peer)
        peer.setblocking(False)
        self.listener._begin(ours, (host, 4711), self.door)
        return peer


@pytest.fixture
async def site(authority: Authority) -> AsyncIterator[Site]:
    with contextlib.ExitStack() as stack:
        yield Site(Bench(authority), stack)


@pytest.mark.parametrize(
    ("hosts", "shed"),
    [
        (["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3"], {"2001:db8::/64": 1}),
        (["2001:db8::1", "2001:db8:0:1::2", "2001:db8:0:2::3"], {}),
        (["::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"], {"192.0.2.1": 1}),
        (["::ffff:192.0.2.1", "::ffff:192.0.2.2", "192.0.2.3"], {}),
        (["fe80::1%eth0", "fe80::2%eth1", "fe80::3"], {"fe80::/64": 1}),
    ],
)
async def test_a_network_that_one_peer_has_all_of_counts_as_one_address(
    site: Site, hosts: list[str], shed: dict[str, int]
) -> None:
    for host in hosts:
        site.accept(host)
    assert dict(site.listener._shed) == shed
    await turns_pass()


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
