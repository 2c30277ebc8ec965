"""KMIP over HTTPS on a server as its users run it, with the standard library's client and curl."""

import contextlib
import http.client
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom import AsyncClient, Client, testing
from strongroom.client.errors import ProtocolError
from strongroom.client.profile import load_profile
from strongroom.operations.query import QueryRequest
from strongroom.registry import V1_4, V2_1, Operation, QueryFunction, ResultReason, ResultStatus, Tag, Version
from strongroom.wire.encodings import CODECS, Encoding
from strongroom.wire.item import ENUMERATION, INTEGER, STRUCTURE, TEXT_STRING, Item
from strongroom.wire.limits import DEFAULT_LIMITS
from tests.e2e.conftest import endpoint, eventually, frame, https, status

EVERY = pytest.mark.parametrize("encoding", list(Encoding))


def message(operation: Operation, *payload: Item, version: Version = V1_4) -> Item:
    numbers = [
        (int(Tag.PROTOCOL_VERSION_MAJOR), INTEGER, version.major),
        (int(Tag.PROTOCOL_VERSION_MINOR), INTEGER, version.minor),
    ]
    header = [(int(Tag.PROTOCOL_VERSION), STRUCTURE, numbers), (int(Tag.BATCH_COUNT), INTEGER, 1)]
    item = [
        (int(Tag.OPERATION), ENUMERATION, int(operation)),
        (int(Tag.REQUEST_PAYLOAD), STRUCTURE, list(payload)),
    ]
    parts = [(int(Tag.REQUEST_HEADER), STRUCTURE, header), (int(Tag.BATCH_ITEM), STRUCTURE, item)]
    return (int(Tag.REQUEST_MESSAGE), STRUCTURE, parts)


def written(item: Item, encoding: Encoding) -> bytes:
    return CODECS[encoding].encode(item, version=V1_4)


def read(body: bytes, encoding: Encoding) -> dict[int, object]:
    """Return what the batch item of a response says, by tag."""
    _, _, parts = CODECS[encoding].decode(body, DEFAULT_LIMITS)
    tag, _, item = parts[1]
    assert tag == Tag.BATCH_ITEM
    return {tag: value for tag, _, value in item}


def query() -> Item:
    return message(Operation.QUERY, (int(Tag.QUERY_FUNCTION), ENUMERATION, 3))


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    """Give a server with short deadlines and small limits."""
    settings: dict[str, dict[str, object]] = {
        "deadlines": {"header": 3, "body": 3},
        "limits": {"message_size": 1 << 20},
        "connections": {"per_client": 3},
    }
    with testing.server(tmp_path_factory.mktemp("hasty"), settings=settings) as server:
        yield server


@EVERY
def test_a_request_is_answered_in_its_encoding(server: testing.Server, encoding: Encoding) -> None:
    """KMIP Additional Message Encodings 1.0 §2.5."""
    with https(server) as connection:
        media_type = CODECS[encoding].media_type
        for _ in range(3):
            reply = connection.post(written(query(), encoding), media_type)
            assert reply.status == 200
            assert reply.headers["content-type"] == media_type
            assert reply.headers["cache-control"] == "no-cache"
            assert int(reply.headers["content-length"]) == len(reply.body)
            assert read(reply.body, encoding)[Tag.RESULT_STATUS] == ResultStatus.SUCCESS


@EVERY
def test_both_ports_serve_the_same_objects_to_the_same_client(
    server: testing.Server, encoding: Encoding
) -> None:
    with Client.from_profile(server.profile) as client:
        key = client.create_symmetric_key()
    wanted = (int(Tag.UNIQUE_IDENTIFIER), TEXT_STRING, str(key))
    with https(server) as connection:
        reply = connection.post(
            written(message(Operation.GET, wanted), encoding), CODECS[encoding].media_type
        )
        assert read(reply.body, encoding)[Tag.RESULT_STATUS] == ResultStatus.SUCCESS
    with https(server, server.enrol(f"stranger-{encoding}")) as connection:
        reply = connection.post(
            written(message(Operation.GET, wanted), encoding), CODECS[encoding].media_type
        )
        assert read(reply.body, encoding)[Tag.RESULT_REASON] == ResultReason.ITEM_NOT_FOUND


@EVERY
@pytest.mark.parametrize(
    "body", [b"", b"{", b"<a><b/></a>", b"\x42\x00\x78\x01\x00\x00\x00\x10", b"\xff" * 64]
)
def test_what_is_no_message_is_invalid_in_its_own_encoding(
    server: testing.Server, encoding: Encoding, body: bytes
) -> None:
    with https(server) as connection:
        reply = connection.post(body, CODECS[encoding].media_type)
    assert reply.status == 200
    assert read(reply.body, encoding)[Tag.RESULT_REASON] == ResultReason.INVALID_MESSAGE


@EVERY
def test_a_response_is_no_request(server: testing.Server, encoding: Encoding) -> None:
    _, kind, parts = query()
    with https(server) as connection:
        reply = connection.post(
            written((int(Tag.RESPONSE_MESSAGE), kind, parts), encoding), CODECS[encoding].media_type
        )
    assert read(reply.body, encoding)[Tag.RESULT_REASON] == ResultReason.INVALID_MESSAGE


def test_text_that_xml_cannot_hold_is_a_failure_and_other_encodings_have_it(server: testing.Server) -> None:
    with Client.from_profile(server.profile) as client:
        key = client.create_symmetric_key(name="bell \x07")
    wanted = message(Operation.GET_ATTRIBUTES, (int(Tag.UNIQUE_IDENTIFIER), TEXT_STRING, str(key)))
    with https(server) as connection:
        as_xml = connection.post(written(wanted, Encoding.XML), "text/xml")
        told = read(as_xml.body, Encoding.XML)
        assert told[Tag.RESULT_REASON] == ResultReason.GENERAL_FAILURE
        assert "TTLV" in str(told[Tag.RESULT_MESSAGE])
        as_json = connection.post(written(wanted, Encoding.JSON), "application/json")
        assert read(as_json.body, Encoding.JSON)[Tag.RESULT_STATUS] == ResultStatus.SUCCESS


def test_requests_may_be_pipelined(server: testing.Server) -> None:
    body = written(query(), Encoding.JSON)
    fields = f"Host: kms\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    request = f"POST /kmip HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body
    with https(server) as connection:
        connection.stream.sendall(request * 5)
        received = b""
        while received.count(b"HTTP/1.1 200 OK") < 5 or not received.endswith(b"}"):
            received += connection.stream.recv(1 << 16)
        assert received.count(b'"ResponseMessage"') == 5


@pytest.mark.parametrize(
    ("method", "target", "content_type", "expected"),
    [
        ("POST", "/", "text/xml", 404),
        ("GET", "/kmip", "text/xml", 405),
        ("POST", "/kmip", "text/html", 415),
    ],
)
def test_what_is_no_kmip_request_gets_a_sentence(
    server: testing.Server, method: str, target: str, content_type: str, expected: int
) -> None:
    with https(server) as connection:
        for _ in range(2):
            reply = connection.request(method, target, b"x", {"Content-Type": content_type})
            assert reply.status == expected
            assert reply.headers["content-type"].startswith("text/plain")
            assert len(reply.body) > 20


def test_a_message_without_its_length_is_refused(server: testing.Server) -> None:
    with https(server) as connection:
        reply = connection.request("POST", "/kmip", headers={"Transfer-Encoding": "chunked"})
        assert reply.status == 411
        assert reply.headers["connection"] == "close"


def test_a_body_over_the_limit_is_refused_and_the_client_reads_why(hasty: testing.Server) -> None:
    """The whole body is sent before the client looks for the answer."""
    with https(hasty) as connection:
        reply = connection.post(b"x" * (3 << 20))
        assert reply.status == 413
        assert b"1048576" in reply.body


def test_a_body_up_to_the_limit_is_read(hasty: testing.Server) -> None:
    with https(hasty) as connection:
        body = written(query(), Encoding.XML).replace(b"<RequestHeader>", b" " * 900_000 + b"<RequestHeader>")
        reply = connection.post(body, "text/xml")
        assert read(reply.body, Encoding.XML)[Tag.RESULT_STATUS] == ResultStatus.SUCCESS


@pytest.mark.parametrize(
    "start",
    [b"POST /kmip HT", b"POST /kmip HTTP/1.1\r\nHost: kms\r\nContent-Length: 100\r\n\r\nx"],
    ids=["head", "body"],
)
def test_a_request_that_does_not_go_on_is_closed_at_its_deadline(hasty: testing.Server, start: bytes) -> None:
    with https(hasty) as connection:
        connection.stream.sendall(start)
        connection.stream.settimeout(60)
        assert connection.stream.recv(1) == b""


def test_a_client_has_a_limited_number_of_connections_over_both_ports(hasty: testing.Server) -> None:
    eventually(lambda: all(worker["connections"] == 0 for worker in status(hasty)["workers"]))
    with endpoint(hasty).connect() as first, endpoint(hasty).connect() as second, https(hasty) as third:
        for connection in (first, second):
            connection.exchange(written(query(), Encoding.TTLV))
        assert third.post(written(query(), Encoding.TTLV)).status == 200
        with https(hasty) as fourth, pytest.raises((OSError, http.client.HTTPException)):
            fourth.post(written(query(), Encoding.TTLV))


def test_no_certificate_no_connection(server: testing.Server) -> None:
    host, _, port = server.https_address.rpartition(":")
    context = ssl.create_default_context(cafile=str(server.profile.parent / "ca.pem"))
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=60)
    with contextlib.suppress(OSError):  # in TLS 1.3 the refusal comes after the client's first bytes
        connection.request("POST", "/kmip", b"")
    with pytest.raises((OSError, http.client.HTTPException)):
        connection.getresponse()


def test_revocation_ends_live_connections(server: testing.Server) -> None:
    profile = server.enrol("fired")
    connections = [https(server, profile) for _ in range(4)]
    for connection in connections:
        assert connection.post(written(query(), Encoding.TTLV)).status == 200
    server.run("client", "revoke", "fired", "--data", str(server.directory))
    for connection in connections:
        with pytest.raises((OSError, http.client.HTTPException)):
            connection.post(written(query(), Encoding.TTLV))
    with https(server, profile) as connection, pytest.raises((OSError, http.client.HTTPException)):
        connection.post(written(query(), Encoding.TTLV))


def test_a_session_resumes_with_the_client_certificate(server: testing.Server) -> None:
    context = endpoint(server).context()
    host, _, port = server.https_address.rpartition(":")
    reused = []
    session: ssl.SSLSession | None = None
    for _ in range(3):
        with socket.create_connection((host, int(port)), 60) as plain:
            stream = context.wrap_socket(plain, server_hostname=host, session=session)
            stream.sendall(b"GET / HTTP/1.1\r\nHost: kms\r\n\r\n")
            assert stream.recv(1 << 16).startswith(b"HTTP/1.1 404 ")
            reused.append(stream.session_reused)
            session = stream.session
            stream.close()
    assert reused == [False, True, True]


@EVERY
def test_curl_is_served(server: testing.Server, encoding: Encoding, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    body = tmp_path / "request"
    body.write_bytes(written(query(), encoding))
    client = endpoint(server)
    command = [curl, "--silent", "--show-error", "--fail", "--cacert", client.ca, "--cert", client.cert]
    command += ["--key", client.key, "--data-binary", f"@{body}"]
    command += ["--header", f"Content-Type: {CODECS[encoding].media_type}"]
    for version in ("--http1.1", "--http1.0", "--http2"):
        done = subprocess.run(
            [*command, version, f"https://{server.https_address}/kmip"], capture_output=True, timeout=30
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert read(done.stdout, encoding)[Tag.RESULT_STATUS] == ResultStatus.SUCCESS


def test_query_tells_where_https_is_if_it_claims_the_profile(server: testing.Server) -> None:
    """KMIP 1.4 §2.1.19: Server URI and Server Port are those of the profile's transport."""
    asked = QueryRequest(query_function=(QueryFunction.QUERY_PROFILES,))
    with Client.from_profile(server.profile, encoding="json") as client:
        profiles = client.call(asked).profile_information
    assert profiles
    told = {(profile.server_uri, profile.server_port) for profile in profiles}
    port = int(server.https_address.rpartition(":")[2])
    assert told <= {(None, None), (f"https://{server.https_address}/kmip", port)}


# Starting and stopping


def test_sigterm_finishes_the_request_in_flight(own_echo: testing.Server) -> None:
    with https(own_echo) as busy, https(own_echo) as idle:
        idle.post(frame(b"hello"))
        host_fields = "POST /kmip HTTP/1.1\r\nHost: kms\r\nContent-Type: application/octet-stream\r\n"
        body = frame(b"wait")
        busy.stream.sendall(f"{host_fields}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        time.sleep(0.05)
        assert own_echo.stop() == 0
        received = b""
        while data := busy.stream.recv(1 << 16):
            received += data
        assert received.startswith(b"HTTP/1.1 200 OK\r\n")
        assert received.endswith(body[4:])
        assert idle.stream.recv(1) == b""


def test_a_reload_leaves_live_connections_alone(own_echo: testing.Server) -> None:
    with https(own_echo) as connection:
        connection.post(frame(b"before"))
        generation = status(own_echo)["generation"]
        own_echo.process.send_signal(signal.SIGHUP)
        eventually(lambda: status(own_echo)["generation"] > generation)
        assert connection.post(frame(b"after")).status == 200
        with https(own_echo) as other:
            assert other.post(frame(b"new")).status == 200


def test_one_of_the_two_listeners_may_be_off(own_echo: testing.Server) -> None:
    own_echo.stop()
    own_echo._options = ("--https", "off")
    own_echo.start()
    assert own_echo.https_address == ""
    with endpoint(own_echo).connect() as connection:
        assert connection.exchange(frame(b"hello"))[8:13] == b"hello"
    assert 'https = "off"' in own_echo.enrol("tls-only").read_text()


def test_both_listeners_off_is_an_error(own_echo: testing.Server) -> None:
    own_echo.stop()
    done = own_echo.try_run("serve", str(own_echo.directory), "--listen", "off", "--https", "off")
    assert done.returncode == 1
    assert "nothing to listen on" in done.stderr
    own_echo.start()


def test_a_busy_https_port_is_named_with_its_option(echo: testing.Server, tmp_path: Path) -> None:
    other = testing.Server(tmp_path)
    other.run("init", str(other.directory))
    done = other.try_run(
        "serve", str(other.directory), "--listen", "127.0.0.1:0", "--https", echo.https_address
    )
    assert done.returncode == 1
    assert f"{echo.https_address} is in use by another program" in done.stderr
    assert "--https" in done.stderr


# Our own client


@EVERY
async def test_the_asynchronous_client_speaks_every_encoding(
    server: testing.Server, encoding: Encoding
) -> None:
    async with AsyncClient.from_profile(server.profile, transport="https", encoding=encoding) as client:
        key = await client.create_symmetric_key()
        assert len(await client.get_material(key)) == 32


def test_a_client_of_https_goes_to_the_next_server(server: testing.Server) -> None:
    client = endpoint(server)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nobody = f"127.0.0.1:{unused.getsockname()[1]}"
    with Client(
        [nobody, server.https_address],
        cert=client.cert,
        key=client.key,
        ca=client.ca,
        transport="https",
        encoding="json",
    ) as connected:
        assert connected.negotiate() == V2_1


def test_a_wrong_path_is_told_with_the_right_one(server: testing.Server) -> None:
    profile = load_profile(server.profile).at(f"https://{server.https_address}/keys")
    with Client.with_profile(profile) as client, pytest.raises(ProtocolError, match="KMIP is at POST /kmip"):
        client.negotiate()


def test_commands_reach_https_by_its_address_or_by_the_profile(server: testing.Server) -> None:
    there = ["--profile", str(server.profile), "--server", f"https://{server.https_address}"]
    key = server.run("key", "create", *there, "-o", "id").strip()
    xml = server.profile.with_name("xml.toml")
    xml.write_text(f'{server.profile.read_text()}encoding = "xml"\n')
    assert key in server.run("object", "list", "--profile", str(xml), "-o", "id")


def test_a_server_of_https_alone_enrols_clients_that_reach_it(own_echo: testing.Server) -> None:
    own_echo.stop()
    own_echo._options = ("--listen", "off")
    own_echo.start()
    assert own_echo.address == ""
    profile = load_profile(own_echo.enrol("web-only"))
    assert profile.servers == ()
    assert profile.client_arguments()["servers"] == (own_echo.https_address,)
    with https(own_echo) as connection:
        assert connection.post(frame(b"hello")).status == 200
