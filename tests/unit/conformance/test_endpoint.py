"""The endpoint takes what a server sends, over mutual TLS, and answers it."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.client.address import Address
from strongroom.conformance.connection import ServerFault
from strongroom.conformance.endpoint import Endpoint
from strongroom.conformance.target import Target, load_target
from strongroom.conformance.trees import find, operations
from strongroom.registry import Operation, ResultStatus, Tag
from strongroom.wire import binary
from strongroom.wire.item import STRUCTURE
from tests.unit.conformance.conftest import write_profile

REQUEST = binary.encode((Tag.REQUEST_MESSAGE, STRUCTURE, []))
RESPONSE = binary.encode((Tag.RESPONSE_MESSAGE, STRUCTURE, []))


@pytest.fixture
def endpoint(certificates: Path, tmp_path: Path) -> Iterator[Endpoint]:
    profile = write_profile(tmp_path, certificates, 5696)
    profile.write_text(profile.read_text().replace("client.", "server."))
    opened = Endpoint(load_target(profile), Address("127.0.0.1", 0), timeout=30)
    yield opened
    opened.close()


def ask(certificates: Path, port: int, message: bytes, got: list[bytes]) -> None:
    """Connect as a server does that calls a client back: each end has a certificate for its part."""
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    context.load_cert_chain(certificates / "client.pem", certificates / "client.key")
    plain = socket.create_connection(("127.0.0.1", port), timeout=30)
    with contextlib.suppress(OSError), context.wrap_socket(plain, server_hostname="localhost") as connected:
        connected.sendall(message)
        got.append(connected.recv(65536))


def test_a_server_s_request_is_received_and_answered(endpoint: Endpoint, certificates: Path) -> None:
    got: list[bytes] = []
    server = threading.Thread(target=ask, args=(certificates, endpoint.port, REQUEST, got))
    endpoint.hold()
    server.start()
    assert endpoint.receive() == REQUEST
    endpoint.answer(RESPONSE)
    server.join()
    assert got == [RESPONSE]


def test_no_message_in_time_is_a_fault(certificates: Path, tmp_path: Path) -> None:
    target: Target = load_target(write_profile(tmp_path, certificates, 5696))
    endpoint = Endpoint(target, Address("127.0.0.1", 0), timeout=0.2)
    with pytest.raises(ServerFault, match="timed out"):
        endpoint.receive()
    endpoint.close()


def test_garbage_is_a_fault(endpoint: Endpoint, certificates: Path) -> None:
    server = threading.Thread(target=ask, args=(certificates, endpoint.port, b"garbage!", []))
    endpoint.hold()
    server.start()
    with pytest.raises(ServerFault, match="no request message"):
        endpoint.receive()
    server.join()


def question(operation: Operation) -> bytes:
    version = (Tag.PROTOCOL_VERSION, STRUCTURE, [(Tag.PROTOCOL_VERSION_MAJOR, 2, 1)])
    item = (Tag.BATCH_ITEM, STRUCTURE, [(Tag.OPERATION, 5, int(operation))])
    return binary.encode((Tag.REQUEST_MESSAGE, STRUCTURE, [(Tag.REQUEST_HEADER, STRUCTURE, [version]), item]))


def test_what_no_case_waits_for_is_answered_as_a_client_answers(
    endpoint: Endpoint, certificates: Path
) -> None:
    got: list[bytes] = []
    ask(certificates, endpoint.port, question(Operation.DISCOVER_VERSIONS), got)
    answer = binary.decode(got[0])
    assert answer[0] == Tag.RESPONSE_MESSAGE
    assert len(list(find(answer, Tag.PROTOCOL_VERSION))) > 2
    assert [status[2] for status in find(answer, Tag.RESULT_STATUS)] == [ResultStatus.SUCCESS]


def test_what_a_case_does_not_wait_for_does_not_stand_in_its_way(
    endpoint: Endpoint, certificates: Path
) -> None:
    endpoint.hold()
    got: list[bytes] = []
    wanted = question(Operation.PUT)
    for message in (question(Operation.QUERY), wanted):
        threading.Thread(target=ask, args=(certificates, endpoint.port, message, got)).start()
    assert endpoint.receive(lambda asked: operations(asked) == [Operation.PUT]) == wanted
    endpoint.release()  # the case failed before it answered: the server is not left waiting
    give_up = time.monotonic() + 60
    while len(got) < 2 and time.monotonic() < give_up:
        time.sleep(0.01)
    assert len(got) == 2
