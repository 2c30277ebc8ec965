"""Set Endpoint Role over TLS: the client becomes the server of its own connection, and gets its role back."""

from collections.abc import Iterator

import pytest

from strongroom import Client, testing
from strongroom.conformance.endpoint import polite
from strongroom.conformance.trees import child, find, operations
from strongroom.operations.ping import PingRequest
from strongroom.operations.set_endpoint_role import SetEndpointRoleRequest
from strongroom.registry import V2_1, EndpointRole, Operation, ResultReason, ResultStatus, Tag
from strongroom.wire import binary
from strongroom.wire.item import ENUMERATION, STRUCTURE, Item
from tests.e2e.conftest import endpoint, https
from tests.interop.endpoint import TTLV, RawConnection
from tests.kms import request_message

TURN = binary.encode(request_message(SetEndpointRoleRequest(endpoint_role=EndpointRole.CLIENT), version=V2_1))
PING = binary.encode(request_message(PingRequest(), version=V2_1))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    settings: dict[str, dict[str, object]] = {"client.test": {"put": "on"}, "deadlines": {"roles": 6.0}}
    with testing.server(tmp_path_factory.mktemp("roles"), workers=2, settings=settings) as server:
        yield server


def receive(connection: RawConnection) -> tuple[bytes, Item]:
    header = connection._read(8)
    message = header + connection._read(int.from_bytes(header[4:], "big"))
    return message, binary.decode(message)


def taken_back(message: bytes) -> bytes:
    """Return the answer of a client that takes its role back."""
    root = binary.decode(polite(message))
    item = root[2][1]
    role: Item = (Tag.ENDPOINT_ROLE, ENUMERATION, int(EndpointRole.CLIENT))
    fields = [(*f[:2], [role]) if f[0] == Tag.RESPONSE_PAYLOAD else f for f in item[2]]
    return binary.encode((root[0], STRUCTURE, [root[2][0], (item[0], STRUCTURE, fields)]))


def status(message: bytes) -> int:
    found = child(binary.decode(message)[2][1], Tag.RESULT_STATUS)
    assert found is not None
    return int(found[2])


def test_a_client_is_told_over_its_own_connection_and_gets_its_role_back(server: testing.Server) -> None:
    """What waits is sent first, then what comes; the same connection serves requests again afterwards."""
    with Client.from_profile(server.profile) as client, endpoint(server).connect() as connection:
        waiting = client.create_symmetric_key()
        assert status(connection.exchange(TURN)) == ResultStatus.SUCCESS
        told: list[str] = []
        later = ""
        while True:
            message, asked = receive(connection)
            if operations(asked) == [Operation.SET_ENDPOINT_ROLE]:
                connection.stream.sendall(taken_back(message))
                break
            connection.stream.sendall(polite(message))
            if operations(asked) == [Operation.PUT]:
                told += [found[2] for found in find(asked, Tag.UNIQUE_IDENTIFIER)][:1]
                later = later or client.create_symmetric_key()
        assert told == [waiting, later]
        assert status(connection.exchange(PING)) == ResultStatus.SUCCESS


def test_https_has_no_roles_to_turn(server: testing.Server) -> None:
    with https(server) as connection:
        answer = binary.decode(connection.post(TURN, TTLV).body)
    assert [found[2] for found in find(answer, Tag.RESULT_REASON)] == [ResultReason.FEATURE_NOT_SUPPORTED]
