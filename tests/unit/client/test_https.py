"""Both clients over HTTPS: what they send, and what they make of answers that are none."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from strongroom.client.address import Address
from strongroom.client.errors import (
    InvalidRequest,
    InvalidSettings,
    ObjectNotFound,
    OutcomeUnknown,
    ProtocolError,
    ServerUnreachable,
)
from strongroom.client.transport import make_binding
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.registry import V1_2, V1_4, Operation, ResultReason
from strongroom.wire import binary
from strongroom.wire.encodings import CODECS, Encoding
from strongroom.wire.limits import DEFAULT_LIMITS
from tests.unit.client.conftest import Connect
from tests.unit.client.fake_server import (
    CLOSE_AFTER_ANSWER,
    Answer,
    FakeServer,
    hang_up,
    http,
    read_http,
    say,
    say_slowly,
)
from tests.unit.client.messages import activated, identifier, message, refusal, success, versions

ACTIVATE = ActivateRequest(unique_identifier=UniqueIdentifier("7d0b"))
READ = GetAttributesRequest(unique_identifier=UniqueIdentifier("7d0b"))
FOUND = message(success(Operation.GET_ATTRIBUTES, identifier()))

Serve = Callable[..., FakeServer]
EVERY = pytest.mark.parametrize("encoding", list(Encoding))


def answer(ttlv: bytes, encoding: Encoding = Encoding.TTLV, *fields: str) -> bytes:
    codec = CODECS[encoding]
    body = codec.encode(binary.decode(ttlv), version=V1_4)
    return http(body, *fields, content_type=codec.media_type)


def page(status: str, text: str = "<h1>no</h1>", content_type: str = "text/html", *fields: str) -> Answer:
    return say(http(text.encode(), *fields, status=status, content_type=content_type))


@pytest.fixture
def serve_http(serve: Serve) -> Serve:
    def make(*answers: Answer) -> FakeServer:
        return serve(*answers, read=read_http)

    return make


@pytest.fixture
def connect_https(connect: Connect) -> Connect:
    def make(*servers: FakeServer | str, **settings: Any) -> Any:
        return connect(*servers, transport="https", **settings)

    return make


@EVERY
def test_a_request_has_the_header_fields_of_the_profile(
    serve_http: Serve, connect_https: Connect, encoding: Encoding
) -> None:
    """KMIP Additional Message Encodings 1.0 §2.4."""
    server = serve_http(say(answer(activated(), encoding)))
    assert connect_https(server, encoding=encoding).call(ACTIVATE).unique_identifier == "7d0b"
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    line, *fields = head.decode().lower().split("\r\n")
    assert line == "post /kmip http/1.1"
    assert f"content-type: {CODECS[encoding].media_type}" in fields
    assert f"content-length: {len(body)}" in fields
    assert "cache-control: no-cache" in fields
    assert f"host: {server.address}" in fields
    CODECS[encoding].decode(body, DEFAULT_LIMITS)


def test_the_path_can_be_set(serve_http: Serve, connect_https: Connect) -> None:
    server = serve_http(say(answer(activated())))
    connect_https(server, path="/keys/kmip").call(ACTIVATE)
    assert server.requests[0].startswith(b"POST /keys/kmip HTTP/1.1\r\n")


@EVERY
def test_requests_share_a_connection_and_the_version_is_agreed_on_once(
    serve_http: Serve, connect_https: Connect, encoding: Encoding
) -> None:
    server = serve_http(say(answer(versions(V1_4, V1_2), encoding)), say(answer(activated(), encoding)))
    client = connect_https(server, version=None, encoding=encoding)
    client.call(ACTIVATE)
    client.call(ACTIVATE)
    assert (server.connections, len(server.requests)) == (1, 3)


def test_an_answer_may_come_in_pieces_and_after_interim_ones(
    serve_http: Serve, connect_https: Connect
) -> None:
    interim = b"HTTP/1.1 102 Processing\r\n\r\n"
    server = serve_http(say_slowly(interim + answer(activated())))
    assert connect_https(server).call(ACTIVATE).unique_identifier == "7d0b"


def test_an_answer_may_be_chunked(serve_http: Serve, connect_https: Connect) -> None:
    body = activated()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    server = serve_http(say(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)))
    client = connect_https(server)
    client.call(ACTIVATE)
    client.call(ACTIVATE)
    assert server.connections == 1


def test_an_answer_may_end_with_its_connection(serve_http: Serve, connect_https: Connect) -> None:
    def last(peer: Any, _: bytes) -> str:
        peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n" + activated())
        peer.unwrap()
        return CLOSE_AFTER_ANSWER

    server = serve_http(last)
    client = connect_https(server)
    client.call(ACTIVATE)
    client.call(ACTIVATE)
    assert server.connections == 2


def test_a_server_that_ends_the_connection_is_asked_on_a_new_one(
    serve_http: Serve, connect_https: Connect
) -> None:
    """Also for a change: it was told beforehand, so no request is lost."""
    server = serve_http(say(answer(activated(), Encoding.TTLV, "Connection: close")))
    client = connect_https(server)
    for _ in range(3):
        client.call(ACTIVATE)
    assert server.connections == 3


def test_a_refusal_is_that_of_kmip(serve_http: Serve, connect_https: Connect) -> None:
    no = message(refusal(Operation.ACTIVATE, ResultReason.ITEM_NOT_FOUND))
    server = serve_http(say(answer(no)), say(answer(activated())))
    client = connect_https(server)
    with pytest.raises(ObjectNotFound):
        client.call(ACTIVATE)
    client.call(ACTIVATE)
    assert server.connections == 1


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        (
            page("404 Not Found", "KMIP is at POST /kmip\n", "text/plain"),
            "HTTP 404 Not Found: KMIP is at POST",
        ),
        (page("403 Forbidden"), r"HTTP 403 Forbidden$"),
        (page("302 Found", "", "text/html", "Location: https://elsewhere/"), "HTTP 302"),
        (page("200 OK"), "text/html, not application/octet-stream"),
        (page("500 \x1b[31mOops", "\x1b]0;x\x07 bad", "text/plain"), r"HTTP 500 \[31mOops: \]0;x  bad$"),
        (say(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "does not speak HTTP"),
        (say(activated()), "does not speak HTTP"),
        (say(answer(activated()) + b"HTTP/1.1 200 OK\r\n\r\n"), "bytes follow the answer"),
        (say(http(b"no message")), "cannot be read"),
        (say(http(b"")), "cannot be read"),
    ],
)
def test_what_is_no_answer_is_an_error_that_says_so_and_ends_the_connection(
    serve_http: Serve, connect_https: Connect, what: Answer, complaint: str
) -> None:
    server = serve_http(what, say(answer(activated())))
    client = connect_https(server)
    with pytest.raises(ProtocolError, match=complaint):
        client.call(ACTIVATE)
    client.call(ACTIVATE)
    assert server.connections == 2


def test_an_endless_answer_is_not_kept(
    serve_http: Serve, connect_https: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = CODECS[Encoding.TTLV]
    limits = replace(codec.answer_limits, message_size=1000)
    monkeypatch.setitem(CODECS, Encoding.TTLV, codec._replace(answer_limits=limits))
    with pytest.raises(ProtocolError, match="more than 1000 bytes"):
        connect_https(serve_http(say(http(b"x" * 2000)))).call(ACTIVATE)


@EVERY
def test_an_answer_may_be_as_long_as_over_tls(encoding: Encoding) -> None:
    """What is decrypted in a mode with a tag comes all at once; in text a byte takes two characters."""
    framing = make_binding("https", encoding).framing(Address("kms.example.org", 5697))
    framing.wrap(b"")
    body = bytes(2 * (10 << 20))
    received = framing.receive(http(body, content_type=CODECS[encoding].media_type))
    assert received == body


def test_a_server_that_is_not_available_gives_way_to_the_next_even_for_a_change(
    serve_http: Serve, connect_https: Connect
) -> None:
    first, second = serve_http(page("503 Service Unavailable")), serve_http(say(answer(activated())))
    client = connect_https(first, second)
    client.call(ACTIVATE)
    client.call(ACTIVATE)
    assert (len(first.requests), len(second.requests)) == (1, 2)


@pytest.mark.parametrize("status", ["502 Bad Gateway", "504 Gateway Timeout"])
def test_a_gateway_that_lost_the_answer_leaves_the_outcome_of_a_change_open(
    serve_http: Serve, connect_https: Connect, status: str
) -> None:
    first, second = serve_http(page(status)), serve_http(say(answer(FOUND)))
    with pytest.raises(OutcomeUnknown):
        connect_https(first, second).call(ACTIVATE)
    assert second.requests == []
    assert connect_https(first, second).call(READ).unique_identifier == "7d0b"


def test_a_lost_answer_to_a_read_is_asked_for_again(serve_http: Serve, connect_https: Connect) -> None:
    first, second = serve_http(hang_up), serve_http(say(answer(FOUND)))
    assert connect_https(first, second).call(READ).unique_identifier == "7d0b"


def test_half_an_answer_is_a_lost_one(serve_http: Serve, connect_https: Connect) -> None:
    def half(peer: Any, _: bytes) -> str:
        peer.sendall(answer(activated())[:-8])
        return CLOSE_AFTER_ANSWER

    with pytest.raises(OutcomeUnknown):
        connect_https(serve_http(half)).call(ACTIVATE)


def test_every_server_is_named_when_none_is_available(serve_http: Serve, connect_https: Connect) -> None:
    server = serve_http(page("503 Service Unavailable", "too many long messages", "text/plain"))
    with pytest.raises(ServerUnreachable, match="HTTP 503 Service Unavailable: too many long messages"):
        connect_https(server).call(ACTIVATE)


def test_a_text_that_xml_cannot_hold_is_refused_before_it_is_sent(
    serve_http: Serve, connect_https: Connect
) -> None:
    server = serve_http(say(answer(activated())))
    with pytest.raises(InvalidRequest, match="XML cannot hold"):
        connect_https(server, encoding="xml").call(
            ActivateRequest(unique_identifier=UniqueIdentifier("\x07"))
        )
    assert server.requests == []


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"transport": "tls", "encoding": "json"}, "only spoken over HTTPS"),
        ({"transport": "http"}, "none of tls, https"),
        ({"transport": "https", "encoding": "cbor"}, "none of ttlv, json, xml"),
        ({"transport": "https", "path": "kmip"}, "no path of a URL"),
        ({"transport": "https", "path": "/kmip\r\nX: y"}, "no path of a URL"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, str], complaint: str) -> None:
    with pytest.raises(InvalidSettings, match=complaint):
        make_binding(**settings)


def test_https_has_a_port_of_its_own() -> None:
    assert str(make_binding("https").servers("kms")[0]) == "kms:5697"
