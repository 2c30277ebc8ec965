"""Serving from PostgreSQL, on one node and on two."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom import Client, testing
from strongroom.conformance.connection import decode_answer
from strongroom.conformance.endpoint import Endpoint, polite
from strongroom.conformance.trees import find, operations
from strongroom.operations.create import CreateRequest
from strongroom.registry import (
    V1_4,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectType,
    Operation,
    Tag,
)
from strongroom.wire import binary
from strongroom.wire.item import Item
from tests.e2e.conftest import endpoint, eventually, last_answered
from tests.e2e.test_enrolment import PING, works, works_anew
from tests.e2e.test_re_provision import by_request, with_credential
from tests.e2e.test_told_clients import address, listening
from tests.interop.endpoint import RawConnection
from tests.kms import attribute, request_message, template
from tests.postgres import PostgresServer, postgres_server

__all__ = ["address", "postgres_server"]

pytestmark = pytest.mark.postgres


class Nodes(NamedTuple):
    """Two servers with the same root key and authority on one database."""

    one: testing.Server
    two: testing.Server


@pytest.fixture
def nodes(postgres_server: PostgresServer, tmp_path: Path, address: str) -> Iterator[Nodes]:
    """Start the nodes; the client `test` listens at `address`."""
    store = postgres_server.url(postgres_server.create_database())
    told = {"client.test": {"endpoint": address, "put": "on"}}
    with testing.server(tmp_path / "one", workers=2, store=store, settings=told) as one:
        two = testing.Server(tmp_path / "two")
        shutil.copytree(
            one.directory, two.directory, ignore=shutil.ignore_patterns("*.sock", "lock", "audit")
        )
        two.start()
        try:
            yield Nodes(one, two)
        finally:
            two.stop()


def test_a_second_node_is_no_second_installation(nodes: Nodes, tmp_path: Path) -> None:
    with Client.from_profile(nodes.one.profile) as client:
        assert client.create_symmetric_key()
    (store,) = (
        line.partition(" = ")[2].strip('"')
        for line in (nodes.one.directory / "strongroom.toml").read_text().splitlines()
        if line.startswith("store = ")
    )
    refused = nodes.one.try_run("init", str(tmp_path / "three"), "--store", store)
    assert refused.returncode == 1
    assert "belongs to another data directory" in refused.stderr
    assert not (tmp_path / "three").exists()


def test_a_client_that_one_node_revokes_is_shut_out_by_the_other(nodes: Nodes) -> None:
    """Within two seconds, live connections included."""
    profile = nodes.one.enrol("roaming")
    with connected(nodes.two, profile) as connection:
        nodes.one.run("client", "revoke", "roaming", "--data", str(nodes.one.directory))
        revoked = time.monotonic()
        assert last_answered(connection, PING) < revoked + 2


def test_a_credential_that_is_renewed_on_one_node_replaces_the_old_one_on_the_other(nodes: Nodes) -> None:
    """Re-Provision: neither a live connection nor a new one of the old credential is good for anything."""
    profile = nodes.one.enrol("renewed")
    with connected(nodes.two, profile) as elsewhere, connected(nodes.one, profile) as connection:
        key, certificate = by_request(nodes.one, connection)
        renewed = time.monotonic()
        assert last_answered(elsewhere, PING) < renewed + 2
    pem = x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)
    new = with_credential(profile, key, pem)

    def let_in(credential: Path) -> list[bool]:
        return [works_anew(node, credential) for node in nodes for _ in range(6)]  # whichever worker

    eventually(lambda: not any(let_in(profile)))
    eventually(lambda: all(let_in(new)))


def test_what_two_nodes_have_to_tell_a_client_is_told_once(nodes: Nodes, address: str) -> None:
    """Over TLS, whichever worker of whichever node does it."""
    profile = nodes.one.profile
    with (
        listening(profile, address, timeout=60.0) as listener,
        connected(nodes.one, profile) as first,
        connected(nodes.two, profile) as second,
    ):
        made = [new_key(connection) for _ in range(4) for connection in (first, second)]
        assert sorted(put(listener) for _ in made) == sorted(made)
        nothing_more_waits(listener, second)


def test_what_a_node_could_not_tell_is_told_once_by_the_other(nodes: Nodes, address: str) -> None:
    """Nobody listens while the objects are made on the node that is killed."""
    profile = nodes.one.profile
    with connected(nodes.one, profile) as connection:
        made = [new_key(connection) for _ in range(3)]
    nodes.one.wait_for_log("endpoint_unreachable")  # so it does not hold the lease any more
    nodes.one.kill()
    with (
        listening(profile, address, timeout=60.0) as listener,
        connected(nodes.two, profile) as connection,
    ):
        assert [put(listener) for _ in made] == made
        nothing_more_waits(listener, connection)


def nothing_more_waits(listener: Endpoint, connection: RawConnection) -> None:
    """Prove it with an object that is made now: what is told once more of another comes before it."""
    last = new_key(connection)
    assert put(listener) == last


def connected(server: testing.Server, profile: Path) -> RawConnection:
    """Return a connection once the server knows the client, which may have been enrolled elsewhere."""
    found: list[RawConnection] = []

    def known() -> bool:
        connection = endpoint(server, profile).connect()
        if works(connection):
            found.append(connection)
        else:
            connection.stream.close()
        return bool(found)

    eventually(known)
    return found[0]


def new_key(connection: RawConnection) -> str:
    given = template(
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
        attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),
        attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.ENCRYPT),
    )
    request = CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=given)
    answer = binary.decode(connection.exchange(binary.encode(request_message(request, version=V1_4))))
    return identifier(answer)


def identifier(message: Item) -> str:
    found = next(iter(find(message, Tag.UNIQUE_IDENTIFIER)))[2]
    assert isinstance(found, str)
    return found


def put(listener: Endpoint) -> str:
    """Return which object is put next, and answer."""
    message = listener.receive(lambda asked: operations(asked) == [Operation.PUT])
    listener.answer(polite(message))
    return identifier(decode_answer(message))


@pytest.mark.parametrize("hosts", [1, 2])
def test_where_a_failover_would_lose_changes_the_server_says_so_at_its_start(
    postgres_server: PostgresServer, tmp_path: Path, hosts: int
) -> None:
    """With several hosts, and no synchronous standby among them."""
    store = postgres_server.url(postgres_server.create_database())
    who, at, where = store.partition("@")
    host, slash, database = where.partition("/")
    store = f"{who}{at}{','.join([host] * hosts)}{slash}{database}"
    with testing.server(tmp_path, store=store) as server, Client.from_profile(server.profile) as client:
        assert client.create_symmetric_key()
        assert ("store_at_risk" in server.log_text()) is (hosts > 1)
        assert ("no synchronous standby" in server.log_text()) is (hosts > 1)
