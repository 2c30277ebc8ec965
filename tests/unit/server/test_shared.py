"""Shared numbers: connections spread evenly, client caps hold over all workers."""

import contextlib
import os
import resource
import socket
from collections.abc import Iterator

import pytest

from strongroom.server.shared import Seat, SharedNumbers, counts_of


@pytest.fixture
def numbers() -> Iterator[SharedNumbers]:
    made = SharedNumbers(4)
    yield made
    for pair in made.inboxes:
        for end in pair:
            end.close()


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    yield theirs
    ours.close()


def seats(numbers: SharedNumbers, *live: int) -> list[Seat]:
    made = [Seat(numbers, row) for row in range(len(live))]
    for seat, count in zip(made, live, strict=True):
        seat.accept(True)
        seat.live = count
    return made


def test_a_connection_stays_with_the_worker_that_has_no_more_than_others(numbers: SharedNumbers) -> None:
    first, second = seats(numbers, 3, 3)
    assert first.lightest() is None
    assert second.lightest() is None


def test_a_connection_goes_to_the_worker_with_fewest(numbers: SharedNumbers) -> None:
    first, *_ = seats(numbers, 5, 4, 2)
    assert first.lightest() == 2


def test_a_worker_that_does_not_accept_gets_nothing(numbers: SharedNumbers) -> None:
    first, second = seats(numbers, 5, 0)
    second.accept(False)
    assert first.lightest() is None


def test_what_is_on_the_way_counts_as_arrived(numbers: SharedNumbers) -> None:
    """A burst is spread although the other worker has not looked into its inbox yet."""
    first, second = seats(numbers, 0, 0)
    kept = handed = 0
    for _ in range(10):
        target = first.lightest()
        if target is None:
            kept += 1
            first.live += 1
        else:
            handed += 1
            ours, theirs = socket.socketpair()
            assert first.hand_on(theirs, target, 0)
            ours.close()
    assert (kept, handed) == (5, 5)
    taken = []
    while (arrived := second.take()) is not None:
        taken.append(arrived)
        second.live += 1
    assert len(taken) == 5
    assert first.lightest() is None
    for connection, _ in taken:
        connection.close()


def test_a_connection_that_was_handed_on_works_and_says_where_it_came_in(numbers: SharedNumbers) -> None:
    first, second = seats(numbers, 1, 0)
    ours, theirs = socket.socketpair()
    assert first.hand_on(theirs, 1, 3)
    taken = second.take()
    assert taken is not None
    arrived, door = taken
    assert door == 3
    with ours, arrived:
        arrived.send(b"hello")
        assert ours.recv(5) == b"hello"


def test_a_full_inbox_leaves_the_connection_where_it_is(
    numbers: SharedNumbers, connection: socket.socket
) -> None:
    first, *_ = seats(numbers, 1, 0)
    while first.hand_on(connection.dup(), 1, 0):
        continue
    assert connection.fileno() >= 0
    numbers.clear(1)


def test_the_row_of_a_dead_worker_is_empty_and_its_inbox_too(
    numbers: SharedNumbers, connection: socket.socket
) -> None:
    first, second = seats(numbers, 3, 1)
    counts = counts_of(numbers, 1)
    assert all(count.enter(7, 1) for count in counts)
    assert first.hand_on(connection, 1, 0)
    numbers.clear(1)
    assert second.take() is None
    assert all(count.enter(7, 1) for count in counts_of(numbers, 0))
    assert first.lightest() is None
    second.accept(True)
    assert first.lightest() == 1


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["client", "tenant", "address"])
def test_a_cap_holds_over_all_workers(numbers: SharedNumbers, kind: int) -> None:
    counts = [counts_of(numbers, row)[kind] for row in range(3)]
    assert [counts[n % 3].enter(1, 4) for n in range(6)] == [True] * 4 + [False] * 2
    assert counts[0].enter(2, 4)
    counts[0].leave(1)
    assert counts[2].enter(1, 4)


def test_counts_of_clients_tenants_and_addresses_do_not_touch(numbers: SharedNumbers) -> None:
    clients, tenants, addresses = counts_of(numbers, 3)
    last = 2**32 - 1
    assert clients.enter(last, 1)
    assert tenants.enter(last, 1)
    assert addresses.enter(last, 1)
    assert not clients.enter(last, 1)


def test_a_worker_has_the_share_of_a_limit_that_its_connections_are(numbers: SharedNumbers) -> None:
    first, second = (counts_of(numbers, row)[0] for row in range(2))
    assert first.share(7) == 1.0
    for _ in range(3):
        assert first.enter(7, None)
    assert second.enter(7, None)
    assert (first.share(7), second.share(7)) == (0.75, 0.25)


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Let this process open nothing more."""
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_connection_without_a_descriptor_is_lost_alone(
    numbers: SharedNumbers, connection: socket.socket
) -> None:
    """What is counted as on its way for ever would keep all others from that worker."""
    sender, receiver = seats(numbers, 1, 0)
    other, kept = socket.socketpair()
    assert sender.hand_on(connection, 1, 0)
    assert sender.hand_on(other, 1, 0)
    with no_descriptors():
        assert receiver.take() is None
    assert sender.lightest() == 1
    assert sender.hand_on(kept, 1, 0)
    taken = receiver.take()
    assert taken is not None
    taken[0].close()


def test_the_row_of_a_dead_worker_is_emptied_without_a_descriptor_too(
    numbers: SharedNumbers, connection: socket.socket
) -> None:
    sender, receiver = seats(numbers, 1, 0)
    assert sender.hand_on(connection, 1, 0)
    with no_descriptors():
        numbers.clear(1)
    assert receiver.take() is None
