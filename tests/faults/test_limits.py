"""Limits on a running server, over TLS and HTTPS: who is over one is told, and nobody else notices."""

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Final

import pytest

from strongroom import testing
from strongroom.operations.query import QueryRequest
from strongroom.registry import QueryFunction
from strongroom.server.listening.shares import BURST, MOST_DELAY
from tests.e2e.conftest import endpoint, https
from tests.faults.attack import answers_within
from tests.faults.noise import create, message
from tests.interop.endpoint import RawConnection

QUERY: Final = message(QueryRequest(query_function=(QueryFunction.QUERY_OPERATIONS,)))
TOO_MANY: Final = b"more requests a second"
HANDSHAKES: Final = 20
"""A second, of one address in one worker."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    settings = {
        "limits": {"requests_per_client": 40},
        "connections": {"per_client": 60, "new_per_address": HANDSHAKES},
    }
    with testing.server(tmp_path_factory.mktemp("server"), workers=2, settings=settings) as server:
        yield server


def test_a_client_that_is_too_fast_is_slowed_down(server: testing.Server) -> None:
    """Its requests wait, each in its connection, and all of them are done."""
    profile = server.enrol("fast")
    connections = [endpoint(server, profile).connect() for _ in range(4)]
    began = time.monotonic()
    for connection in connections:
        connection.stream.sendall(QUERY * 30)
    answers = [connection.exchange(b"") for connection in connections for _ in range(30)]
    # 120 requests at 40 a second, of which a quiet client may have 40 at once.
    assert time.monotonic() - began >= 1.5
    assert not any(TOO_MANY in answer for answer in answers)
    for connection in connections:
        connection.stream.close()


def test_requests_that_would_wait_for_long_are_refused(server: testing.Server) -> None:
    profile, request = server.enrol("flood"), QUERY
    connections = [endpoint(server, profile).connect() for _ in range(58)]
    began = time.monotonic()
    for connection in connections:
        connection.stream.sendall(request * 4)
    answers = [connection.exchange(b"") for connection in connections for _ in range(4)]
    took = time.monotonic() - began
    refused = [answer for answer in answers if TOO_MANY in answer]
    assert refused
    assert len(answers) - len(refused) <= 40 * (took + 2) + 10
    assert answers_within(server, QUERY, 5.0)
    with endpoint(server, profile).connect() as later:
        time.sleep(2.1)
        assert TOO_MANY not in later.exchange(request)
    for connection in connections:
        connection.stream.close()


def test_a_request_beyond_the_rate_is_answered_429_over_https(server: testing.Server) -> None:
    profile = server.enrol("web")
    statuses: list[int] = []
    connections = [https(server, profile) for _ in range(60)]
    for _ in range(4):
        for connection in connections:
            connection.stream.sendall(
                b"POST /kmip HTTP/1.1\r\nHost: kms\r\nContent-Type: application/octet-stream\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(QUERY), QUERY)
            )
    for connection in connections:
        connection.stream.settimeout(60)
        answer = b""
        while answer.count(b"HTTP/1.1") < 4:
            answer += connection.stream.recv(65536)
        statuses += [int(part[1:4]) for part in answer.split(b"HTTP/1.1")[1:]]
        connection.stream.close()
    assert set(statuses) == {200, 429}


def test_a_limit_that_is_laid_down_for_a_tenant_holds_at_once(server: testing.Server) -> None:
    """In every worker, for clients that are connected."""
    data = ("--data", str(server.directory))
    server.run("tenant", "create", "blue", *data)
    out = server.folder / "painter"
    server.run("client", "enrol", "painter", "--tenant", "blue", "--out", str(out), *data)
    connections = [endpoint(server, out / "profile.toml").connect() for _ in range(4)]
    try:
        for connection in connections:
            assert b"as many objects as it may have" not in connection.exchange(message(create()))
        server.run("tenant", "limit", "blue", "--set", "objects=4", *data)
        for connection in connections:
            assert b"the tenant has as many objects as it may have" in connection.exchange(message(create()))
        assert "objects" in server.run("tenant", "show", "blue", *data)
        server.run("tenant", "limit", "blue", "--set", "objects=configured", *data)
        for connection in connections:
            assert b"as many objects as it may have" not in connection.exchange(message(create()))
    finally:
        for connection in connections:
            connection.stream.close()


def test_a_client_over_its_connections_costs_another_nothing(server: testing.Server) -> None:
    profile = server.enrol("many")
    connections, refused = [], 0
    for _ in range(70):
        connection = endpoint(server, profile).connect()
        try:
            connection.exchange(QUERY)
        except (ConnectionError, OSError):
            refused += 1
        else:
            connections.append(connection)
    assert len(connections) == 60
    assert refused == 10
    assert answers_within(server, QUERY, 5.0)
    for connection in connections:
        connection.stream.close()


def test_an_address_that_makes_too_many_handshakes_costs_another_nothing(server: testing.Server) -> None:
    """What is no TLS at all counts as well: it has cost something."""
    began, before = time.monotonic(), server.log_text().count("handshake_failed")
    for _ in range(20):
        _speak_no_tls(server, connections=60)
        if _is_turned_away(server):
            break
    else:
        pytest.fail("1,200 handshakes, and the next one is carried out as well")
    elapsed = time.monotonic() - began
    where = endpoint(server)
    plain = socket.create_connection((server.host, server.port), 5, source_address=("127.0.0.2", 0))
    other = RawConnection(where.context().wrap_socket(plain, server_hostname=server.host))
    began = time.monotonic()
    assert TOO_MANY not in other.exchange(QUERY)
    assert time.monotonic() - began < 5.0
    other.stream.close()
    server.wait_for_log("handshakes_shed")
    # A worker carries out what the rate gives, a burst, what may wait, and a wave that came at once.
    carried_out = server.log_text().count("handshake_failed") - before
    assert carried_out <= 2 * (HANDSHAKES * (elapsed + BURST + MOST_DELAY) + 60)


def _speak_no_tls(server: testing.Server, *, connections: int) -> None:
    """Connect as often at once, say what is no handshake, and wait until each connection is over."""
    attack = [socket.create_connection((server.host, server.port), 60) for _ in range(connections)]
    for connection in attack:
        with contextlib.suppress(OSError):
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
    for connection in attack:
        with contextlib.suppress(OSError):
            while connection.recv(4096):
                pass
        connection.close()


def _is_turned_away(server: testing.Server) -> bool:
    """Tell whether a client whose certificate is good comes in from the address of the attack."""
    try:
        with endpoint(server).connect() as same:
            same.exchange(QUERY)
    except OSError:
        return True
    return False
