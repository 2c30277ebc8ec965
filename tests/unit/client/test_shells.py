"""Both clients against servers that behave, and servers that do not."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable

import pytest

from strongroom import AsyncClient, Client
from strongroom.client.errors import (
    ObjectNotFound,
    OutcomeUnknown,
    ProtocolError,
    ServerUnreachable,
)
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.registry import V1_2, V1_4, Operation, ResultReason, Tag
from strongroom.wire.item import Item
from tests.unit.client.conftest import Connect
from tests.unit.client.fake_server import FakeServer, Identity, hang_up, say, say_slowly, stay_silent
from tests.unit.client.messages import activated, identifier, message, refusal, success, versions

Serve = Callable[..., FakeServer]

STATE: Item = (
    Tag.ATTRIBUTE,
    1,
    [(Tag.ATTRIBUTE_NAME, 7, "State"), (Tag.ATTRIBUTE_VALUE, 5, 2)],
)
ATTRIBUTES = message(success(Operation.GET_ATTRIBUTES, identifier(), STATE))
ACTIVATE = ActivateRequest(unique_identifier=UniqueIdentifier("7d0b"))
READ = GetAttributesRequest(unique_identifier=UniqueIdentifier("7d0b"))


@pytest.fixture
def nobody() -> str:
    """Return an address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_requests_share_a_connection(serve: Serve, connect: Connect) -> None:
    server = serve(say(activated()))
    client = connect(server)
    for _ in range(3):
        assert client.call(ACTIVATE).unique_identifier == "7d0b"
    assert server.connections == 1


def test_an_answer_may_come_in_pieces(serve: Serve, connect: Connect) -> None:
    assert connect(serve(say_slowly(activated()))).call(ACTIVATE).unique_identifier == "7d0b"


def test_the_version_is_agreed_on_once(serve: Serve, connect: Connect) -> None:
    server = serve(say(versions(V1_4, V1_2)), say(activated()))
    client = connect(server, version=None)
    client.call(ACTIVATE)
    client.call(ACTIVATE)
    assert len(server.requests) == 3


def test_a_refusal_keeps_the_connection(serve: Serve, connect: Connect) -> None:
    server = serve(say(message(refusal(Operation.ACTIVATE, ResultReason.ITEM_NOT_FOUND))), say(activated()))
    client = connect(server)
    with pytest.raises(ObjectNotFound):
        client.call(ACTIVATE)
    client.call(ACTIVATE)
    assert server.connections == 1


def test_the_next_server_is_asked_when_the_first_does_not_listen(
    serve: Serve, connect: Connect, nobody: str
) -> None:
    client = connect(nobody, serve(say(activated())))
    assert client.call(ACTIVATE).unique_identifier == "7d0b"


def test_the_server_that_answered_is_asked_first_the_next_time(serve: Serve, connect: Connect) -> None:
    first, second = serve(hang_up), serve(say(ATTRIBUTES))
    client = connect(first, second)
    client.call(READ)
    client.call(READ)
    assert len(first.requests) == 1
    assert len(second.requests) == 2


def test_every_server_is_named_when_none_can_be_asked(connect: Connect, nobody: str) -> None:
    with pytest.raises(ServerUnreachable) as caught:
        connect(nobody, "localhost:1").call(ACTIVATE)
    assert f"{nobody}: Connection refused" in str(caught.value)
    assert "localhost:1" in str(caught.value)


def test_an_unknown_host_is_named(connect: Connect) -> None:
    with pytest.raises(ServerUnreachable, match=r"kms\.invalid:5696: its name is not known"):
        connect("kms.invalid").call(ACTIVATE)


def test_a_lost_answer_to_a_read_is_asked_for_again(serve: Serve, connect: Connect) -> None:
    first, second = serve(hang_up), serve(say(ATTRIBUTES))
    assert connect(first, second).call(READ).unique_identifier == "7d0b"


def test_a_lost_answer_to_a_change_is_never_asked_for_again(serve: Serve, connect: Connect) -> None:
    first, second = serve(hang_up), serve(say(activated()))
    with pytest.raises(OutcomeUnknown, match="may have been carried out"):
        connect(first, second).call(ACTIVATE)
    assert len(first.requests) == 1
    assert second.requests == []


def test_a_batch_with_one_change_is_never_sent_again(serve: Serve, connect: Connect) -> None:
    first, second = serve(hang_up), serve(say(activated()))
    with pytest.raises(OutcomeUnknown):
        connect(first, second).batch([READ, ACTIVATE])
    assert second.requests == []


def test_a_connection_that_ended_while_idle_is_replaced_even_for_a_change(
    serve: Serve, connect: Connect
) -> None:
    server = serve(say(activated()))
    client = connect(server)
    client.call(ACTIVATE)
    server.hang_up()
    _let_the_end_arrive(client)
    assert client.call(ACTIVATE).unique_identifier == "7d0b"
    assert server.connections == 2


def test_what_nobody_asked_for_answers_no_later_request(serve: Serve, connect: Connect) -> None:
    answered, sent = threading.Event(), threading.Event()

    def twice(peer: ssl.SSLSocket, _: bytes) -> None:
        peer.sendall(activated("first"))
        answered.wait()
        peer.sendall(activated("first"))
        sent.set()

    server = serve(twice, say(activated("second")))
    client = connect(server)
    assert client.call(ACTIVATE).unique_identifier == "first"
    answered.set()
    sent.wait()
    assert client.call(ACTIVATE).unique_identifier == "second"
    assert server.connections == 2


def test_an_asynchronous_client_may_be_used_by_one_loop_after_the_other(
    serve: Serve, identity: Identity
) -> None:
    server = serve(say(activated()))
    client = AsyncClient(server.address, **identity.files, version="1.4", timeout=5.0)
    for number in range(1, 3):
        assert asyncio.run(client.call(ACTIVATE)).unique_identifier == "7d0b"
        assert len(server.requests) == number
    asyncio.run(client.close())


def _let_the_end_arrive(client: object) -> None:
    """Give an event loop the chance to see the end of the connection; a blocking client looks by itself."""
    runner = getattr(client, "_runner", None)
    if runner is not None:
        runner.run(asyncio.sleep(0.2))


def test_a_silent_server_is_not_waited_for_longer_than_the_timeout(serve: Serve, connect: Connect) -> None:
    server = serve(stay_silent)
    client = connect(server, timeout=1.5)
    with pytest.raises(OutcomeUnknown, match=r"timed out after 1\.5 s"):
        client.call(ACTIVATE)
    with pytest.raises(ServerUnreachable, match=r"timed out after 1\.5 s"):
        client.call(READ)


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="HTTP"),
        pytest.param(b"\x42\x00\x7b\x01\xff\xff\xff\xf8", id="a message of 4 GiB"),
        pytest.param(b"\x42\x00\x7b\x01\x00\x00\x00\x00", id="an empty message"),
        pytest.param(b"\x42\x00\x7b\x01\x00\x00\x00\x08" + bytes(8), id="an item of zeros"),
        pytest.param(activated() + b"\x42", id="a byte too many"),
        pytest.param(message(success(Operation.DESTROY, identifier())), id="another answer"),
    ],
)
def test_garbage_is_a_protocol_error_and_ends_the_connection(
    serve: Serve, connect: Connect, garbage: bytes
) -> None:
    server = serve(say(garbage), say(activated()))
    client = connect(server)
    with pytest.raises(ProtocolError):
        client.call(ACTIVATE)
    assert client.call(ACTIVATE).unique_identifier == "7d0b"
    assert server.connections == 2


def test_a_server_of_another_ca_is_not_talked_to(serve: Serve, connect: Connect, stranger: Identity) -> None:
    server = serve(say(activated()), identity=stranger)
    with pytest.raises(ServerUnreachable, match="certificate is not trusted"):
        connect(server).call(ACTIVATE)
    assert server.requests == []


def test_a_server_of_another_name_is_not_talked_to(serve: Serve, connect: Connect) -> None:
    server = serve(say(activated()))
    port = server.address.rpartition(":")[2]
    with pytest.raises(ServerUnreachable, match="not valid for 'localhost'"):
        connect(f"localhost:{port}").call(ACTIVATE)
    assert server.requests == []


def test_a_server_that_refuses_the_certificate_was_not_asked(
    serve: Serve, connect: Connect, identity: Identity, stranger: Identity
) -> None:
    """TLS 1.3 tells a client only after it believes to be connected."""
    files = stranger.files | {"ca": identity.files["ca"]}
    with pytest.raises(ServerUnreachable):
        connect(serve(say(activated())), **files).call(READ)
    with pytest.raises((ServerUnreachable, OutcomeUnknown)):
        connect(serve(say(activated())), **files).call(ACTIVATE)


def test_blocking_client_distrusts_what_arrived_unasked(serve: Serve, identity: Identity) -> None:
    server = serve(say(activated()))
    with Client(server.address, **identity.files, version="1.4") as client:
        client.call(ACTIVATE)
        server._peers[0].sendall(activated("forged"))
        assert client.call(ACTIVATE).unique_identifier == "7d0b"
    assert server.connections == 2


async def test_a_cancelled_request_does_not_leave_its_answer_to_the_next(
    serve: Serve, identity: Identity
) -> None:
    server = serve(stay_silent, say(activated("second")))
    async with AsyncClient(server.address, **identity.files, version="1.4") as client:
        first = asyncio.create_task(client.call(ACTIVATE))
        await asyncio.to_thread(server.arrived.wait)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await client.call(ACTIVATE)).unique_identifier == "second"
    assert server.connections == 2


async def test_tasks_that_share_a_client_get_their_own_answers(serve: Serve, identity: Identity) -> None:
    server = serve(*(say(activated(str(n))) for n in range(5)))
    async with AsyncClient(server.address, **identity.files, version="1.4") as client:
        answers = await asyncio.gather(*(client.call(ACTIVATE) for _ in range(5)))
    assert sorted(a.unique_identifier for a in answers) == ["0", "1", "2", "3", "4"]
