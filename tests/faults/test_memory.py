"""The memory of a server under attack is bounded, and others get their answers meanwhile.

Rule: one server, one attack after the other, as it is in life; what an attack left behind is part of the next
one's cost. The numbers of the long forms are those of the cases.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from strongroom import testing
from strongroom.model.objects import OpaqueObject
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.get import GetRequest
from strongroom.operations.hash import HashRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.query import QueryRequest
from strongroom.operations.register import RegisterRequest
from strongroom.registry import V2_1, HashingAlgorithm, ObjectType, QueryFunction
from strongroom.server.listening.listener import BATCH
from tests.e2e.conftest import endpoint, eventually, status
from tests.faults.attack import MIB, Growth, answers_within, crowd, settle, silent
from tests.faults.noise import batch, create, message
from tests.interop.endpoint import RawConnection
from tests.over_tls import OverTls

pytestmark = pytest.mark.usefixtures("new_processes")

HEAD: Final = b"\x42\x00\x78\x01"
QUERY: Final = message(QueryRequest(query_function=(QueryFunction.QUERY_OPERATIONS,)))
EACH: Final = 64 * 1024
"""Bytes that a connection may cost a worker, which has half of them: TLS, and what had come before it was
told to go."""

ON_THEIR_WAY_OUT: Final = 2 * 2 * BATCH
"""Handshakes of a worker that gave way and are counted until they are closed, two turns of its loop later. In
each turn there come as many as are accepted in one go, and as many from another worker."""

PROMPT: Final = 5.0
"""Seconds in which a good client is served on a machine that has other work to do, too."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    deadlines = {"handshake": 4, "body": 4, "answer": 4}
    settings = {"deadlines": deadlines, "limits": {"buffered": 64 * MIB}}
    with testing.server(tmp_path_factory.mktemp("server"), workers=2, settings=settings) as server:
        settle(server)
        yield server


@pytest.fixture(scope="module")
def attacker(server: testing.Server) -> Path:
    return server.enrol("attacker")


def many(short: int, long: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("count", [short, pytest.param(long, marks=pytest.mark.long)])


def test_a_header_that_announces_4_gib_costs_nothing(server: testing.Server, attacker: Path) -> None:
    """faults 1: refused from its first eight bytes, with Invalid Message."""
    with Growth(server) as growth, crowd(server, attacker, 50) as attack:
        for number, stream in enumerate(attack.connections):
            length, refusal = ((0xFFFFFFFF, b"multiple of 8"), (0xFFFFFFF8, b"limit"))[number % 2]
            stream.sendall(HEAD + length.to_bytes(4, "big"))
            assert refusal in stream.recv(4096)
            assert stream.recv(1) == b""
        growth.look()
    assert growth.most < 16 * MIB  # 50 connections; a GiB is not even tried


@many(1200, 5000)
def test_handshakes_that_never_end_are_shed(server: testing.Server, count: int) -> None:
    """faults 2: by the cap of the address and the deadline; a good client is served meanwhile."""
    assert answers_within(server, QUERY, PROMPT)
    with Growth(server) as growth:
        attack = silent(server, count)
        growth.look()
        assert answers_within(server, QUERY, PROMPT)
        connections = sum(worker["connections"] for worker in status(server)["workers"])
        assert connections <= 2 * (256 + ON_THEIR_WAY_OUT) + 16
    assert growth.most < 48 * MIB
    eventually(lambda: sum(w["connections"] for w in status(server)["workers"]) == 0, within=20)
    for connection in attack:
        connection.close()


@many(300, 2000)
def test_bodies_that_never_end_are_bounded(server: testing.Server, attacker: Path, count: int) -> None:
    """faults 3: two thousand times 4 MiB are announced, and a quarter of the budget is what they get."""
    announced = HEAD + ((4 << 20) - 8).to_bytes(4, "big")
    with Growth(server) as growth, crowd(server, attacker, count) as attack:
        attack.send(announced + bytes(100_000))
        attack.send(bytes(100_000))
        growth.look()
        assert answers_within(server, QUERY, PROMPT)
        with endpoint(server).connect() as good:
            assert len(good.exchange(message(register(3 * MIB)))) < 1000
        growth.look()
    assert growth.most < 64 * MIB + count * EACH


@many(150, 2000)
def test_short_bodies_that_never_end_are_bounded(server: testing.Server, attacker: Path, count: int) -> None:
    """faults 3: those that need no share of the budget, since each is short."""
    announced = HEAD + (60_000).to_bytes(4, "big") + bytes(50_000)
    with Growth(server) as growth, crowd(server, attacker, count) as attack:
        attack.send(announced)
        growth.look()
        assert answers_within(server, QUERY, PROMPT)
    assert growth.most < 64 * MIB + count * EACH


@many(150, 1000)
def test_connections_do_not_keep_what_a_long_message_took(
    server: testing.Server, attacker: Path, count: int
) -> None:
    """Each sends a whole message of 1 MiB, reads the answer, and stays."""
    parameters = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)
    ask = message(HashRequest(cryptographic_parameters=parameters, data=SecretBytes(bytes(1 * MIB))))
    with Growth(server) as growth, crowd(server, attacker, count) as attack:
        for stream in attack.connections:
            assert len(RawConnection(stream).exchange(ask)) < 1000
        growth.look()
        assert answers_within(server, QUERY, PROMPT)
    assert growth.most < 64 * MIB + count * EACH


@many(40, 400)
def test_readers_that_never_read_are_bounded_and_cut_off(
    server: testing.Server, attacker: Path, count: int
) -> None:
    """Each asks for a large object over and over, and never looks at the answers."""
    client = OverTls(attacker)
    large = client.call(register(1 * MIB), version=V2_1).unique_identifier
    client.close()
    ask = message(GetRequest(unique_identifier=large)) * 20
    with Growth(server) as growth, crowd(server, attacker, count) as attack:
        attack.send(ask)
        for _ in range(10):
            growth.look()
            time.sleep(0.1)
        assert answers_within(server, QUERY, PROMPT)
        growth.look()
    # An answer and what it is made of, for each: not twenty answers.
    assert growth.most < 64 * MIB + count * 4 * MIB


def test_abandoned_streams_are_bounded(server: testing.Server, attacker: Path) -> None:
    """faults 26: a client has a hundred in each worker."""
    parameters = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)
    begin = message(
        HashRequest(cryptographic_parameters=parameters, data=SecretBytes(bytes(10_000)), init_indicator=True)
    )
    with Growth(server) as growth, endpoint(server, attacker).connect() as connection:
        answers = [connection.exchange(begin) for _ in range(130)]
        refused = [answer for answer in answers if b"streams under way" in answer]
        assert len(refused) == 30
    assert growth.most < 32 * MIB


def test_structures_nested_ten_thousand_deep_are_refused(server: testing.Server, attacker: Path) -> None:
    """faults 4: Invalid Message, and neither the stack nor the memory grows."""
    nested = b""
    for _ in range(10_000):
        nested = HEAD + len(nested).to_bytes(4, "big") + nested
    with Growth(server) as growth:
        for _ in range(20):
            with endpoint(server, attacker).connect() as connection:
                assert b"structures are n" in connection.exchange(nested)
    assert growth.most < 16 * MIB


def test_a_batch_of_a_hundred_thousand_items_is_refused(server: testing.Server, attacker: Path) -> None:
    """faults 7: by the limit of items, however often it is tried."""
    refused = batch(create(), 20_000)
    assert len(refused) < 4 * MIB
    with Growth(server) as growth:
        for _ in range(20):
            with endpoint(server, attacker).connect() as connection:
                assert b"items" in connection.exchange(refused)
    assert growth.most < 64 * MIB


def test_a_batch_of_large_answers_is_bounded(server: testing.Server, attacker: Path) -> None:
    """A small request cannot have the server hold the same large object a thousand times."""
    client = OverTls(attacker)
    large = client.call(register(2 * MIB), version=V2_1).unique_identifier
    client.close()
    with Growth(server) as growth, endpoint(server, attacker).connect() as connection:
        answer = connection.exchange(batch(GetRequest(unique_identifier=large), 1000))
        assert len(answer) < 20 * MIB
    assert growth.most < 128 * MIB


def test_memory_comes_back_after_all_that(server: testing.Server) -> None:
    """What is left is what a server of that age has anyway."""
    with Growth(server) as growth, endpoint(server).connect() as connection:
        for _ in range(200):
            connection.exchange(message(LocateRequest()))
    assert growth.most < 16 * MIB


def register(size: int) -> RegisterRequest:
    value = OpaqueObject(
        opaque_data_type=0x80000001,  # type: ignore[arg-type]  # a vendor's
        opaque_data_value=SecretBytes(bytes(size)),
    )
    return RegisterRequest(object_type=ObjectType.OPAQUE_OBJECT, managed_object=value)
