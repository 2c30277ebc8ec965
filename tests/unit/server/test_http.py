"""KMIP over HTTPS: what is a request, how it is answered, and that limits and deadlines are those of the TLS
port. Time is moved by hand."""

import asyncio
import contextlib
from http.client import HTTPResponse
from io import BytesIO
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.domain.identity import Connection
from strongroom.registry import NEWEST, Tag
from strongroom.server.certificates.ca import Authority
from strongroom.server.http import LINGER, HttpHandler, HttpsProtocol
from strongroom.server.listening.http_framing import LONGEST_HEAD, HttpFramer, HttpRefusal
from strongroom.server.listening.shares import Buffers
from strongroom.server.ports import Application
from strongroom.server.ttlv import BURST, READ_AHEAD
from strongroom.wire.encodings import CODECS, Encoder, Encoding
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import STRUCTURE, TEXT_STRING, Item
from strongroom.wire.limits import DEFAULT_LIMITS
from tests.cycles import cycles
from tests.unit.server.bench import Bench, Transport, receive, turns_pass

MIB = 1 << 20
TTLV = "application/octet-stream"
LIMIT = DEFAULT_LIMITS.message_size


def post(body: bytes = b"hello", *fields: str, target: str = "/kmip", content_type: str = TTLV) -> bytes:
    lines = [f"POST {target} HTTP/1.1", "Host: kms", f"Content-Length: {len(body)}", *fields]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def text(value: str) -> Item:
    return (int(Tag.RESULT_MESSAGE), TEXT_STRING, value)


class EchoApplication:
    """Answers each message with itself; what a handler asks of `ports.Application`."""

    def __init__(self) -> None:
        self.gate: asyncio.Future[None] | None = None

    async def handle(self, message: bytes, connection: Connection) -> bytes:
        if self.gate is not None:
            await self.gate
        return b"<" + message + b">"

    async def answer(self, root: Item, connection: Connection, encode: Encoder) -> bytes:
        return encode(root, version=NEWEST)

    def refuse(self, error: DecodeError, connection: Connection, encode: Encoder) -> bytes:
        return encode(text(f"refused: {error.message}"), version=NEWEST)


class Response:
    """One response, taken apart by the standard library."""

    def __init__(self, data: bytes) -> None:
        stream = BytesIO(data)
        parsed = HTTPResponse(type("Socket", (), {"makefile": lambda *_: stream})(), method="POST")
        parsed.begin()
        self.status = parsed.status
        self.headers = {name.lower(): value for name, value in parsed.getheaders()}
        start = data.index(b"\r\n\r\n") + 4
        self.body = parsed.read()
        self.rest = data[start + len(self.body) :]


class HttpBench(Bench):
    """The surroundings of the TLS port, with the other binding put in."""

    def __init__(self, authority: Authority) -> None:
        super().__init__(authority)
        self.application = EchoApplication()
        handler = HttpHandler(
            cast(Application, self.application),
            limits=self.service.limits,
            buffers=self.service.buffers,
            deadlines=self.service.deadlines,
        )
        self.https = self.service.speaking(HttpFramer, handler.handle, handler.reject, handler.shed)

    def connect(self, peer: str = "192.0.2.1:4711") -> tuple[HttpsProtocol, Transport]:
        transport = Transport(self.der)
        protocol = HttpsProtocol(self.https, peer, self.closed.append)
        transport.protocol = protocol
        protocol.connection_made(transport)
        return protocol, transport

    def ask(self, data: bytes) -> Response:
        """Return the response to one request on a connection of its own."""
        protocol, transport = self.connect()
        receive(protocol, data)
        response = Response(b"".join(transport.written))
        protocol.connection_lost(None)
        return response


@pytest.fixture
async def bench(authority: Authority) -> HttpBench:
    bench = HttpBench(authority)
    await bench.enrol()
    return bench


# Requests and responses


async def test_a_message_is_answered_in_one_write_with_the_header_fields_of_the_profile(
    bench: HttpBench,
) -> None:
    """KMIP Additional Message Encodings 1.0 §2.5."""
    protocol, transport = bench.connect()
    receive(protocol, post())
    assert len(transport.written) == 1
    response = Response(transport.written[0])
    assert (response.status, response.body) == (200, b"<hello>")
    assert response.headers["content-type"] == TTLV
    assert response.headers["content-length"] == "7"
    assert response.headers["cache-control"] == "no-cache"
    assert "server" not in response.headers
    assert not transport.closed


@pytest.mark.parametrize("encoding", [Encoding.JSON, Encoding.XML])
async def test_the_answer_is_written_as_the_request_is(bench: HttpBench, encoding: Encoding) -> None:
    codec = CODECS[encoding]
    message = codec.encode((int(Tag.REQUEST_MESSAGE), STRUCTURE, [text("hello")]), version=NEWEST)
    response = bench.ask(post(message, content_type=codec.media_type))
    assert response.status == 200
    assert response.headers["content-type"] == codec.media_type
    assert response.body == message


@pytest.mark.parametrize("encoding", [Encoding.JSON, Encoding.XML])
@pytest.mark.parametrize("body", [b"", b"\x42\x00\x78\x01", b"<html>", b"{}", b"\xff\xfe"])
async def test_what_is_no_message_is_answered_in_its_encoding_by_the_engine(
    bench: HttpBench, encoding: Encoding, body: bytes
) -> None:
    codec = CODECS[encoding]
    response = bench.ask(post(body, content_type=codec.media_type))
    assert response.status == 200
    _, _, told = codec.decode(response.body, DEFAULT_LIMITS)
    assert told.startswith("refused: ")


@pytest.mark.parametrize(
    "content_type",
    ["text/xml; charset=utf-8", 'Text/XML;charset="UTF-8"', "application/xml", "text/xml;charset=us-ascii"],
)
async def test_a_content_type_may_have_parameters_and_capitals(bench: HttpBench, content_type: str) -> None:
    message = b'<ResultMessage type="TextString" value="x"/>'
    response = bench.ask(post(message, content_type=content_type))
    assert (response.status, response.body) == (200, message)
    assert response.headers["content-type"] == content_type.lower().partition(";")[0]


@pytest.mark.parametrize("target", ["/kmip", "/kmip?x=1", "https://kms.example.org/kmip"])
async def test_the_path_decides(bench: HttpBench, target: str) -> None:
    """RFC 9112 §3.2.2: a server accepts the absolute form."""
    assert bench.ask(post(target=target)).status == 200


@pytest.mark.parametrize(
    ("data", "status", "sentence"),
    [
        (post(target="/"), 404, "POST /kmip"),
        (post(target="/kmip/"), 404, "POST /kmip"),
        (post(target="/kmip/../kmip"), 404, "POST /kmip"),
        (post(target="http://[/kmip"), 404, "POST /kmip"),
        (b"GET /kmip HTTP/1.1\r\nHost: kms\r\n\r\n", 405, "POST"),
        (b"OPTIONS /kmip HTTP/1.1\r\nHost: kms\r\n\r\n", 405, "POST"),
        (b"PUT /kmip HTTP/1.1\r\nHost: kms\r\nContent-Length: 1\r\n\r\nx", 405, "POST"),
        (post(content_type=""), 415, "application/json"),
        (post(content_type="text/plain"), 415, "application/json"),
        (post(content_type="application/x-www-form-urlencoded"), 415, "application/json"),
        (post(content_type="text/xml; charset=utf-16"), 415, "UTF-8"),
        (post(b"hello", "Content-Encoding: gzip"), 415, "Content-Encoding"),
    ],
)
async def test_what_is_no_kmip_request_is_told_why_and_the_connection_stays(
    bench: HttpBench, data: bytes, status: int, sentence: str
) -> None:
    protocol, transport = bench.connect()
    receive(protocol, data)
    response = Response(b"".join(transport.written))
    assert response.status == status
    assert sentence in response.body.decode()
    assert (response.headers.get("allow") == "POST") is (status == 405)
    assert not transport.closed
    transport.written.clear()
    receive(protocol, post())
    assert Response(b"".join(transport.written)).body == b"<hello>"


@pytest.mark.parametrize(
    ("data", "status", "sentence"),
    [
        (b"hello\r\n\r\n", 400, "well-formed"),
        (b"\x16\x03\x01\x02\x00", 400, "well-formed"),
        (b"\x42\x00\x78\x01\x00\x00\x00\x08\r\n\r\n", 400, "well-formed"),
        (b"POST /kmip HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400, "well-formed"),
        (post(b"hello", "Content-Length: 7"), 400, "well-formed"),
        (post(b"hello", "Bad Name: x"), 400, "well-formed"),
        (b"POST /kmip HTTP/1.1\r\nHost: kms\r\nContent-Length: -1\r\n\r\n", 400, "well-formed"),
        (b"POST /kmip HTTP/1.1\r\nHost: kms\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400, "well"),
        (b"POST /kmip HTTP/2.0\r\nHost: kms\r\nContent-Length: 0\r\n\r\n", 505, "HTTP/1.1"),
        (b"POST /kmip HTTP/1.1\r\nHost: kms\r\n\r\n", 411, "Content-Length"),
        (b"POST /kmip HTTP/1.1\r\nHost: kms\r\nTransfer-Encoding: chunked\r\n\r\n", 411, "Content-Length"),
        (b"POST /kmip HTTP/1.1\r\nHost: kms\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "Content-Length"),
        (b"POST /kmip HTTP/1.1\r\nHost: kms\r\nX: " + b"x" * LONGEST_HEAD, 431, str(LONGEST_HEAD)),
        (
            f"POST /kmip HTTP/1.1\r\nHost: kms\r\nContent-Length: {LIMIT + 1}\r\n\r\n".encode(),
            413,
            str(LIMIT),
        ),
    ],
)
async def test_what_cannot_be_read_is_told_why_and_is_the_last_request(
    bench: HttpBench, data: bytes, status: int, sentence: str
) -> None:
    protocol, transport = bench.connect()
    receive(protocol, data)
    response = Response(b"".join(transport.written))
    assert response.status == status
    assert sentence in response.body.decode()
    assert response.headers["connection"] == "close"
    receive(protocol, post())
    assert len(transport.written) == 1


def test_what_cannot_be_read_is_not_kept_in_reference_cycles() -> None:
    with cycles() as found:
        framer = HttpFramer(DEFAULT_LIMITS)
        framer.feed(b"junk" * 100 + b"\r\n\r\n")
        with contextlib.suppress(HttpRefusal):
            framer.next_message()
        del framer
    assert found == []


async def test_a_refused_client_has_time_to_read_why_and_no_more(bench: HttpBench) -> None:
    """A connection closed with bytes on their way to us is reset, and the answer lost with it."""
    protocol, transport = bench.connect()
    receive(protocol, b"POST /kmip HTTP/1.1\r\nHost: kms\r\nContent-Length: 99999999\r\n\r\n")
    for _ in range(3):
        receive(protocol, b"x" * MIB)
        assert not transport.closed
    bench.pass_time(LINGER + 1)
    assert transport.closed


async def test_a_refusal_that_is_not_read_ends_the_connection_too(bench: HttpBench) -> None:
    protocol, transport = bench.connect()
    transport.full = True
    receive(protocol, b"hello\r\n\r\n")
    protocol.resume_writing()
    bench.pass_time(LINGER + 1)
    assert transport.closed


async def test_a_head_request_gets_no_body(bench: HttpBench) -> None:
    protocol, transport = bench.connect()
    receive(protocol, b"HEAD /kmip HTTP/1.1\r\nHost: kms\r\n\r\n")
    assert transport.written[0].startswith(b"HTTP/1.1 405 ")
    assert transport.written[0].endswith(b"\r\n\r\n")


# Connections


async def test_a_connection_carries_many_requests_also_pipelined_and_in_pieces(bench: HttpBench) -> None:
    protocol, transport = bench.connect()
    stream = b"".join(post(b"%d" % n) for n in range(10))
    for start in range(0, len(stream), 33):
        receive(protocol, stream[start : start + 33])
    rest = b"".join(transport.written)
    for n in range(10):
        response = Response(rest)
        assert response.body == b"<%d>" % n
        rest = response.rest
    assert rest == b""


async def test_a_long_pipeline_gives_other_connections_their_turn(bench: HttpBench) -> None:
    protocol, transport = bench.connect()
    receive(protocol, post() * (BURST + 1))
    assert len(transport.written) == BURST
    await turns_pass()
    assert len(transport.written) == BURST + 1


async def test_a_request_that_waits_holds_back_the_ones_behind_it(bench: HttpBench) -> None:
    gate = bench.application.gate = asyncio.get_running_loop().create_future()
    protocol, transport = bench.connect()
    receive(protocol, post(b"one") + post(b"two"))
    await asyncio.sleep(0)
    assert transport.written == []
    gate.set_result(None)
    await turns_pass()
    assert [Response(data).body for data in transport.written] == [b"<one>", b"<two>"]


async def test_reading_stops_while_too_much_is_waiting(bench: HttpBench) -> None:
    gate = bench.application.gate = asyncio.get_running_loop().create_future()
    protocol, transport = bench.connect()
    receive(protocol, post())
    receive(protocol, post(b"x" * READ_AHEAD))
    assert not transport.reading
    gate.set_result(None)
    await turns_pass()
    assert transport.reading
    assert b"".join(transport.written).count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize(
    "data",
    [post(b"hello", "Connection: close"), post().replace(b"HTTP/1.1", b"HTTP/1.0", 1)],
    ids=["asked for", "HTTP/1.0"],
)
async def test_a_client_that_wants_one_answer_gets_one_and_the_end(bench: HttpBench, data: bytes) -> None:
    protocol, transport = bench.connect()
    receive(protocol, data + post())
    assert len(transport.written) == 1
    response = Response(transport.written[0])
    assert (response.status, response.headers["connection"]) == (200, "close")
    assert transport.closed


async def test_a_client_that_asks_first_is_told_to_go_ahead(bench: HttpBench) -> None:
    head, body = post(b"hello", "Expect: 100-continue")[:-5], b"hello"
    protocol, transport = bench.connect()
    receive(protocol, head)
    assert transport.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    receive(protocol, body)
    assert Response(transport.written[1]).body == b"<hello>"


async def test_a_client_that_asks_first_is_not_told_to_send_too_much(bench: HttpBench) -> None:
    head = f"POST /kmip HTTP/1.1\r\nHost: k\r\nContent-Length: {LIMIT + 1}\r\nExpect: 100-continue\r\n\r\n"
    assert bench.ask(head.encode()).status == 413


async def test_an_offer_to_speak_another_protocol_is_not_taken_up(bench: HttpBench) -> None:
    response = bench.ask(post(b"hello", "Connection: Upgrade", "Upgrade: websocket"))
    assert (response.status, response.body) == (200, b"<hello>")


async def test_draining_announces_the_end_with_the_answer_in_flight(bench: HttpBench) -> None:
    gate = bench.application.gate = asyncio.get_running_loop().create_future()
    protocol, transport = bench.connect()
    receive(protocol, post())
    protocol.drain()
    assert not transport.closed
    gate.set_result(None)
    await turns_pass()
    response = Response(transport.written[0])
    assert (response.body, response.headers["connection"]) == (b"<hello>", "close")
    assert transport.closed


async def test_draining_closes_an_idle_connection_at_once(bench: HttpBench) -> None:
    protocol, transport = bench.connect()
    receive(protocol, post())
    protocol.drain()
    assert transport.closed


# Deadlines, limits, admission


async def test_a_head_that_trickles_is_closed_at_the_header_deadline(bench: HttpBench) -> None:
    protocol, transport = bench.connect()
    for letter in b"POST /kmip":
        assert not transport.closed
        receive(protocol, bytes([letter]))
        bench.pass_time(1)
    bench.pass_time(1)
    assert transport.closed


async def test_a_body_that_trickles_is_closed_at_the_body_deadline(bench: HttpBench) -> None:
    protocol, transport = bench.connect()
    receive(protocol, post(b"x" * 8192)[:-8192])
    for _ in range(20):
        assert not transport.closed
        receive(protocol, b"x")
        bench.pass_time(1)
    bench.pass_time(2)
    assert transport.closed


async def test_an_idle_connection_is_closed_at_the_idle_deadline(bench: HttpBench) -> None:
    protocol, transport = bench.connect()
    receive(protocol, post())
    bench.pass_time(899)
    assert not transport.closed
    bench.pass_time(2)
    assert transport.closed


async def test_unfinished_long_bodies_are_bounded_over_all_connections(bench: HttpBench) -> None:
    head = f"POST /kmip HTTP/1.1\r\nHost: kms\r\nContent-Length: {4 * MIB}\r\n\r\n".encode()
    transports = []
    for _ in range(3):
        bench.shares.per_client = 3
        protocol, transport = bench.connect()
        receive(protocol, head)
        transports.append(transport)
    assert [transport.closed for transport in transports] == [False, False, True]


async def test_a_long_text_is_read_beside_the_event_loop(bench: HttpBench) -> None:
    """Others are answered meanwhile."""
    message = b'<ResultMessage type="TextString" value="%s"/>' % (b"x" * MIB)
    protocol, transport = bench.connect()
    receive(protocol, post(message, content_type="text/xml"))
    assert transport.written == []
    assert bench.ask(post()).body == b"<hello>"
    handling = protocol._task
    assert handling is not None
    await handling
    assert Response(b"".join(transport.written)).body == message


async def test_long_texts_that_wait_to_be_read_are_bounded(bench: HttpBench) -> None:
    handler = HttpHandler(
        cast(Application, bench.application),
        limits=DEFAULT_LIMITS,
        buffers=Buffers(MIB),
        deadlines=bench.service.deadlines,
    )
    bench.https = bench.service.speaking(HttpFramer, handler.handle, handler.reject, handler.shed)
    response = bench.ask(post(b" " * (2 * MIB), content_type="text/xml"))
    assert (response.status, response.body) == (503, b"too many long messages are being read; try again\n")


async def test_an_unknown_client_is_not_heard(bench: HttpBench, logs: list[Any]) -> None:
    bench.clients.records.clear()
    await bench.directory.refresh()
    protocol, transport = bench.connect()
    receive(protocol, post())
    assert transport.closed
    assert transport.written == []
    assert logs[-1]["event"] == "client_refused"


async def test_revocation_closes_a_live_connection(bench: HttpBench) -> None:
    protocol, transport = bench.connect()
    receive(protocol, post())
    await bench.enrol(revoked_at=bench.date)
    protocol.recheck()
    assert transport.closed


async def test_connections_of_both_ports_count_together(bench: HttpBench) -> None:
    Bench.connect(bench)
    bench.connect()
    _, transport = bench.connect()
    assert transport.closed


@given(data=st.binary(max_size=400), cut=st.integers(1, 50), head=st.booleans())
def test_any_bytes_are_requests_or_refused(data: bytes, cut: int, head: bool) -> None:
    framer = HttpFramer(DEFAULT_LIMITS)
    stream = post(b"x") * head + data
    with contextlib.suppress(HttpRefusal):
        for start in range(0, len(stream), cut):
            framer.feed(stream[start : start + cut])
            framer.next_message()
