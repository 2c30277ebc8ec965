"""Whatever a server does, it is a ServerFault with what arrived."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from strongroom.client.address import Address
from strongroom.conformance.connection import HttpsChannel, ServerFault, TlsChannel, decode_answer
from strongroom.conformance.target import Target, load_target
from strongroom.registry import NEWEST, Tag
from strongroom.wire import binary
from strongroom.wire.encodings import CODECS, Encoding
from strongroom.wire.item import INTEGER, STRUCTURE, Item
from tests.unit.conformance.conftest import Behaviour, write_profile

Start = Callable[[Behaviour], Target]
REQUEST = binary.encode((Tag.REQUEST_MESSAGE, STRUCTURE, []))
RESPONSE = binary.encode((Tag.RESPONSE_MESSAGE, STRUCTURE, []))


def with_servers(target: Target, *servers: str) -> Target:
    return Target(replace(target.profile, servers=servers))


def says(data: bytes) -> Behaviour:
    def behaviour(peer: ssl.SSLSocket) -> None:
        while peer.recv(4096):
            peer.sendall(data)

    return behaviour


def closes(peer: ssl.SSLSocket) -> None:
    peer.recv(4096)


def stays_silent(peer: ssl.SSLSocket) -> None:
    peer.recv(4096)
    peer.recv(4096)


def drips(peer: ssl.SSLSocket) -> None:
    peer.recv(4096)
    for byte in RESPONSE:
        peer.sendall(bytes([byte]))
        time.sleep(0.15)


def resets(peer: ssl.SSLSocket) -> None:
    peer.recv(4096)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_an_answer_comes_back_whole(scripted: Start) -> None:
    channel = TlsChannel(scripted(says(RESPONSE)), timeout=30)
    assert channel.exchange(REQUEST) == RESPONSE
    assert channel.exchange(REQUEST) == RESPONSE


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "not a response message"),
        (says(REQUEST), "not a response message"),
        (says(b"\x42\x00\x7b\x01\xff\xff\xff\xf8"), "limit"),
        (says(RESPONSE + b"more"), "bytes follow"),
        (closes, "closed the connection"),
        (resets, "reset|closed|TLS"),
        (stays_silent, "timed out"),
        (drips, "timed out"),
    ],
    ids=["http", "request", "huge", "trailing", "close", "reset", "silence", "dripping"],
)
def test_anything_else_is_a_fault(scripted: Start, behaviour: Behaviour, reason: str) -> None:
    channel = TlsChannel(scripted(behaviour), timeout=1 if reason == "timed out" else 30)
    with pytest.raises(ServerFault, match=reason):
        channel.exchange(REQUEST)


def test_a_fault_keeps_what_arrived(scripted: Start) -> None:
    with pytest.raises(ServerFault) as caught:
        TlsChannel(scripted(says(b"garbage!")), timeout=30).exchange(REQUEST)
    assert caught.value.received == b"garbage!"


def test_after_a_fault_the_next_request_connects_again(scripted: Start) -> None:
    answers = [b"garbage!", RESPONSE]

    def behaviour(peer: ssl.SSLSocket) -> None:
        peer.recv(4096)
        peer.sendall(answers.pop(0))

    channel = TlsChannel(scripted(behaviour), timeout=30)
    with pytest.raises(ServerFault):
        channel.exchange(REQUEST)
    assert channel.exchange(REQUEST) == RESPONSE


def test_an_undecodable_message_is_a_fault() -> None:
    broken = b"\x42\x00\x7b\x01\x00\x00\x00\x08\x42\x00\x7a\x01\x00\x00\x00\xf0"
    with pytest.raises(ServerFault, match="cannot be decoded"):
        decode_answer(broken)


@pytest.mark.parametrize(
    ("item", "misfit"),
    [
        ((Tag.BATCH_ITEM, INTEGER, 7), "BatchItem is a INTEGER, not a STRUCTURE"),
        (
            (Tag.BATCH_ITEM, STRUCTURE, [(Tag.OPERATION, STRUCTURE, [])]),
            "BatchItem.Operation is a STRUCTURE, not a ENUMERATION",
        ),
    ],
)
def test_a_message_with_items_of_wrong_types_is_a_fault(item: Item, misfit: str) -> None:
    data = binary.encode((Tag.RESPONSE_MESSAGE, STRUCTURE, [item]))
    with pytest.raises(ServerFault, match=f"no message: ResponseMessage.{misfit}") as caught:
        decode_answer(data)
    assert caught.value.received == data


def test_the_second_address_is_tried_when_the_first_refuses(scripted: Start) -> None:
    target = scripted(says(RESPONSE))
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    both = with_servers(target, f"127.0.0.1:{port}", *target.profile.servers)
    assert TlsChannel(both, timeout=30).exchange(REQUEST) == RESPONSE


def test_nobody_listening_is_a_fault_that_names_the_address(scripted: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    target = with_servers(scripted(closes), f"127.0.0.1:{port}")
    with pytest.raises(ServerFault, match=str(port)):
        TlsChannel(target, timeout=30).connect()


def test_a_server_of_another_name_is_refused(scripted: Start) -> None:
    target = scripted(says(RESPONSE))
    elsewhere = with_servers(target, f"127.0.0.2:{target.servers[0].port}")
    with pytest.raises(ServerFault):
        TlsChannel(elsewhere, timeout=30).connect()


class Handler(BaseHTTPRequestHandler):
    """Answers POST /kmip with one message, and another path as HTTP does."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        known = self.path == "/kmip" and self.headers["Cache-Control"] == "no-cache"
        kind = self.headers["Content-Type"]
        codec = next(codec for codec in CODECS.values() if codec.media_type == kind)
        body = codec.encode(binary.decode(RESPONSE), version=NEWEST)
        self.send_response(self.server_status if known else 404)
        self.send_header("Content-Type", self.server_type or kind)
        if self.dribbles:
            self.dribble()
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def dribble(self) -> None:
        """Send a header that does not end, until nobody listens."""
        self.flush_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"X")
                time.sleep(0.01)

    dribbles = False
    server_status = 200
    server_type = ""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def https(certificates: Path) -> Iterator[HTTPServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def https_channel(
    https: HTTPServer,
    certificates: Path,
    folder: Path,
    encoding: Encoding = Encoding.TTLV,
    timeout: float = 30,
) -> HttpsChannel:
    target = load_target(write_profile(folder, certificates, 1))
    where = Address("127.0.0.1", https.server_port)
    return HttpsChannel(target, where, timeout=timeout, encoding=encoding)


@pytest.mark.parametrize("encoding", list(Encoding))
def test_https_posts_the_message_and_returns_the_body(
    https: HTTPServer, certificates: Path, tmp_path: Path, encoding: Encoding
) -> None:
    """Whatever the encoding, TTLV goes in and comes out."""
    channel = https_channel(https, certificates, tmp_path, encoding)
    assert channel.exchange(REQUEST) == RESPONSE
    assert channel.exchange(REQUEST) == RESPONSE
    channel.close()


def test_another_http_status_is_a_fault(
    https: HTTPServer, certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "server_status", 503)
    with pytest.raises(ServerFault, match="503"):
        https_channel(https, certificates, tmp_path).exchange(REQUEST)


def test_an_answer_of_another_kind_is_a_fault(
    https: HTTPServer, certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KMIP Additional Message Encodings 1.0 §2.5: the server SHALL specify the media type."""
    monkeypatch.setattr(Handler, "server_type", "text/html")
    with pytest.raises(ServerFault, match="text/html, not application/json"):
        https_channel(https, certificates, tmp_path, Encoding.JSON).exchange(REQUEST)


def test_an_answer_that_comes_by_the_byte_is_waited_for_no_longer_than_any(
    https: HTTPServer, certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "dribbles", True)
    with pytest.raises(ServerFault, match="timed out"):
        https_channel(https, certificates, tmp_path, timeout=0.5).exchange(REQUEST)
