"""Clients that the server tells, over TLS: the server as its users run it, and an endpoint played by us."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from strongroom import Client, testing
from strongroom.cli.exit import ExitCode
from strongroom.client.address import parse_address
from strongroom.conformance.connection import decode_answer
from strongroom.conformance.endpoint import Endpoint
from strongroom.conformance.target import load_target
from strongroom.conformance.trees import find, operations
from strongroom.registry import Operation, Tag
from strongroom.wire.item import Item
from tests.e2e.conftest import eventually


@pytest.fixture
def address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def server(tmp_path: Path, address: str) -> Iterator[testing.Server]:
    settings = {"client.test": {"endpoint": address, "put": "on", "notify": "on"}}
    with testing.server(tmp_path, workers=2, settings=settings) as server:
        yield server


@contextmanager
def listening(profile: Path, address: str, *, timeout: float = 60.0) -> Iterator[Endpoint]:
    endpoint = Endpoint(load_target(profile), parse_address(address), timeout=timeout)
    endpoint.hold()
    try:
        yield endpoint
    finally:
        endpoint.close()


def about(operation: Operation, identifier: str) -> Callable[[Item], bool]:
    def fits(asked: Item) -> bool:
        named = [found[2] for found in find(asked, Tag.UNIQUE_IDENTIFIER)][:1]
        return operations(asked) == [operation] and named == [identifier]

    return fits


def test_an_object_is_put_and_its_end_notified_over_tls(server: testing.Server, address: str) -> None:
    with listening(server.profile, address) as endpoint, Client.from_profile(server.profile) as client:
        key = client.create_symmetric_key()
        put = decode_answer(endpoint.receive(about(Operation.PUT, key)))
        assert [found[2] for found in find(put, Tag.KEY_MATERIAL)] == [client.get_material(key).reveal()]
        endpoint.release()
        endpoint.hold()
        client.destroy(key)
        notify = decode_answer(endpoint.receive(about(Operation.NOTIFY, key)))
        assert list(find(notify, Tag.KEY_MATERIAL)) == []


def test_what_was_committed_is_told_after_the_server_was_killed(server: testing.Server, address: str) -> None:
    """Nobody listens while the object is made; neither that nor SIGKILL loses the message."""
    with Client.from_profile(server.profile) as client:
        key = client.create_symmetric_key()
    server.wait_for_log("endpoint_unreachable")
    server.kill()
    server.start()
    with listening(server.profile, address) as endpoint:
        assert endpoint.receive(about(Operation.PUT, key))


def test_an_endpoint_with_another_key_is_told_nothing(server: testing.Server, address: str) -> None:
    """A certificate of the same authority is not enough: it has to be the client's own key."""
    stranger = server.enrol("stranger")
    with listening(stranger, address, timeout=3.0) as endpoint, Client.from_profile(server.profile) as client:
        client.create_symmetric_key()
        server.wait_for_log("another key than the client's")
        assert endpoint._arrived.empty()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\n", None], ids=["garbage", "silence"])
def test_an_endpoint_that_does_not_answer_does_not_hold_up_requests(
    server: testing.Server, address: str, answer: bytes | None
) -> None:
    target = load_target(server.profile)
    host, port = address.split(":")
    done = threading.Event()

    def misbehave() -> None:
        with socket.create_server((host, int(port))) as plain:
            plain.settimeout(60)
            connection, _ = plain.accept()
            with target.server_context().wrap_socket(connection, server_side=True) as peer:
                peer.recv(1)
                if answer is None:
                    done.wait(60)
                else:
                    peer.sendall(answer)

    thread = threading.Thread(target=misbehave, daemon=True)
    thread.start()
    with Client.from_profile(server.profile) as client:
        keys = [client.create_symmetric_key() for _ in range(5)]
        server.wait_for_log("endpoint_unreachable")
        done.set()
        thread.join(60)
        keys.append(client.create_symmetric_key())
    with listening(server.profile, address) as endpoint:
        for key in keys:
            assert endpoint.receive(about(Operation.PUT, key))
            endpoint.release()
            endpoint.hold()


def test_an_administrator_can_ask_what_a_client_speaks(server: testing.Server, address: str) -> None:
    with listening(server.profile, address) as endpoint:
        endpoint.release()
        server.run("client", "ask", "test", "--data", str(server.directory), "--version", "1.3")
        server.wait_for_log("client_described")
        eventually(lambda: "'2.1'" in server.log_text() or '"2.1"' in server.log_text())
    refused = server.try_run(
        "client", "ask", "test", "--data", str(server.directory), "--function", "Nonsense"
    )
    assert refused.returncode == ExitCode.USAGE
    assert "Nonsense" in refused.stderr
