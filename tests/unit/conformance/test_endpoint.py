"""The endpoint takes what a server sends, over mutual TLS, and answers it."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.client.address import Address
from strongroom.conformance.connection import ServerFault
from strongroom.conformance.endpoint import Endpoint
from strongroom.conformance.target import Target, load_target
from strongroom.registry import Tag
from strongroom.wire import binary
from strongroom.wire.item import STRUCTURE
from tests.unit.conformance.conftest import write_profile

REQUEST = binary.encode((Tag.REQUEST_MESSAGE, STRUCTURE, []))
RESPONSE = binary.encode((Tag.RESPONSE_MESSAGE, STRUCTURE, []))


@pytest.fixture
def endpoint(certificates: Path, tmp_path: Path) -> Iterator[Endpoint]:
    profile = write_profile(tmp_path, certificates, 5696)
    profile.write_text(profile.read_text().replace("client.", "server."))
    opened = Endpoint(load_target(profile), Address("127.0.0.1", 0), timeout=2)
    yield opened
    opened.close()


def ask(certificates: Path, port: int, message: bytes, got: list[bytes]) -> None:
    """Connect as a server does that calls a client back: each end has a certificate for its part."""
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    context.load_cert_chain(certificates / "client.pem", certificates / "client.key")
    plain = socket.create_connection(("127.0.0.1", port), timeout=2)
    with contextlib.suppress(OSError), context.wrap_socket(plain, server_hostname="localhost") as connected:
        connected.sendall(message)
        got.append(connected.recv(65536))


def test_a_server_s_request_is_received_and_answered(endpoint: Endpoint, certificates: Path) -> None:
    got: list[bytes] = []
    server = threading.Thread(target=ask, args=(certificates, endpoint.port, REQUEST, got))
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
    server.start()
    with pytest.raises(ServerFault, match="no request message"):
        endpoint.receive()
    server.join()
