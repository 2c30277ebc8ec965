"""TLS as clients meet it: versions, resumption, who is let in, and what a failure costs in the log."""

import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from strongroom import testing
from tests.e2e.conftest import endpoint, eventually, frame, status
from tests.interop.endpoint import RawConnection


@pytest.fixture
def logged(echo: testing.Server) -> Callable[[int], list[dict[str, Any]]]:
    """Give a function that returns the log entries since the test began, once there are `count`."""
    # The test before may have connections whose last line is still to come.
    eventually(lambda: all(worker["connections"] == 0 for worker in status(echo)["workers"]))
    start = len(echo.log_text())

    def entries(count: int) -> list[dict[str, Any]]:
        give_up = time.monotonic() + 60
        while True:
            found = [json.loads(line) for line in echo.log_text()[start:].splitlines()]
            if len(found) >= count or time.monotonic() > give_up:
                # A line too many would come right behind.
                time.sleep(0.3)
                return [json.loads(line) for line in echo.log_text()[start:].splitlines()]
            time.sleep(0.02)

    return entries


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_tls_versions_work(echo: testing.Server, version: ssl.TLSVersion) -> None:
    context = endpoint(echo).context()
    context.minimum_version = context.maximum_version = version
    with socket.create_connection((echo.host, echo.port), 60) as plain:
        connection = RawConnection(context.wrap_socket(plain, server_hostname="localhost"))
        assert connection.exchange(frame(b"hello"))[8:13] == b"hello"


def test_tls_1_1_is_refused(echo: testing.Server) -> None:
    done = _s_client(echo, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    assert done.returncode != 0


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_verifies_the_server_strictly(echo: testing.Server, version: str) -> None:
    done = _s_client(echo, version, "-x509_strict", "-verify_return_error", "-verify_hostname", "localhost")
    assert "Verify return code: 0 (ok)" in done.stdout


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_resumes_with_the_client_certificate_in_whatever_worker(
    echo: testing.Server, version: ssl.TLSVersion
) -> None:
    context = endpoint(echo).context()
    context.minimum_version = context.maximum_version = version
    session: ssl.SSLSession | None = None
    reused = []
    for _ in range(8):
        with socket.create_connection((echo.host, echo.port), 60) as plain:
            stream = context.wrap_socket(plain, server_hostname="localhost", session=session)
            assert RawConnection(stream).exchange(frame(b"hello"))[8:13] == b"hello"
            reused.append(stream.session_reused)
            session = stream.session
            stream.close()
    assert reused == [False] + [True] * 7


def test_openssl_reconnects_with_its_session(echo: testing.Server) -> None:
    done = _s_client(echo, "-tls1_2", "-reconnect")
    assert done.stdout.count("Reused, TLSv1.2") == 5


def test_a_close_notify_is_answered(echo: testing.Server) -> None:
    with endpoint(echo).connect() as connection:
        connection.exchange(frame(b"hello"))
        connection.stream.settimeout(60)
        connection.stream.unwrap()


def test_an_answer_is_one_tls_record(echo: testing.Server) -> None:
    """Strict old clients read an answer with one call."""
    with endpoint(echo).connect() as connection:
        connection.stream.sendall(frame(b"x" * 16_000))
        assert len(connection.stream.recv(20_000)) == 16_008


def test_a_client_without_a_certificate_is_refused(echo: testing.Server, logged: Any) -> None:
    context = ssl.create_default_context(cafile=endpoint(echo).ca)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _exchange(context, echo)
    (entry,) = logged(1)
    assert entry["event"] == "handshake_failed"
    assert "did not return a certificate" in entry["reason"]


def test_a_certificate_of_a_foreign_authority_is_refused(
    echo: testing.Server, logged: Any, tmp_path: Path
) -> None:
    context = ssl.create_default_context(cafile=endpoint(echo).ca)
    context.load_cert_chain(*_self_signed(tmp_path))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _exchange(context, echo)
    (entry,) = logged(1)
    assert entry["event"] == "handshake_failed"
    assert entry["reason"].startswith("certificate refused")


def test_a_client_that_connects_and_leaves_costs_one_log_line(echo: testing.Server, logged: Any) -> None:
    socket.create_connection((echo.host, echo.port), 60).close()
    (entry,) = logged(1)
    assert entry["event"] == "handshake_failed"
    assert entry["reason"] == "the peer left"


def test_a_web_browser_costs_one_log_line(echo: testing.Server, logged: Any) -> None:
    with socket.create_connection((echo.host, echo.port), 60) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        plain.recv(100)
    (entry,) = logged(1)
    assert entry["event"] == "handshake_failed"
    assert entry["reason"] == "http request"


def test_a_handshake_that_breaks_off_costs_one_log_line(echo: testing.Server, logged: Any) -> None:
    with socket.create_connection((echo.host, echo.port), 60) as plain:
        plain.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        time.sleep(0.1)
    (entry,) = logged(1)
    assert entry["event"] == "handshake_failed"


def test_a_good_connection_costs_one_log_line_that_names_the_client(
    echo: testing.Server, logged: Any
) -> None:
    with endpoint(echo).connect() as connection:
        connection.exchange(frame(b"one"))
        connection.exchange(frame(b"two"))
    (entry,) = logged(1)
    assert entry["event"] == "connection_closed"
    assert entry["client"] == testing.CLIENT
    assert entry["requests"] == 2


def test_bytes_that_are_no_message_are_answered_and_the_connection_closed(echo: testing.Server) -> None:
    """The whole header is refused before anything is buffered; the answer still arrives."""
    with endpoint(echo).connect() as connection:
        answer = connection.exchange(b"\x42\x00\x78\x01\xff\xff\xff\xf8")
        assert b"limit" in answer
        connection.stream.settimeout(60)
        assert connection.stream.recv(1) == b""


def test_two_requests_in_one_record_and_one_over_fifty_records_are_answered(echo: testing.Server) -> None:
    """faults 8: in order."""
    with endpoint(echo).connect() as connection:
        first = connection.exchange(frame(b"one") + frame(b"two"))
        assert first[8:11] == b"one"
        assert connection.stream.recv(16)[8:11] == b"two"
        whole = frame(b"x" * 392)
        for start in range(0, 400, 8):
            connection.stream.sendall(whole[start : start + 8])
        assert len(connection.stream.recv(1000)) == 400


def _exchange(context: ssl.SSLContext, server: testing.Server) -> bytes:
    with socket.create_connection((server.host, server.port), 60) as plain:
        return RawConnection(context.wrap_socket(plain, server_hostname="localhost")).exchange(frame(b"x"))


def _s_client(server: testing.Server, *options: str) -> "subprocess.CompletedProcess[str]":
    where = endpoint(server)
    return subprocess.run(
        [
            "openssl",
            "s_client",
            "-connect",
            server.address,
            "-CAfile",
            where.ca,
            "-cert",
            where.cert,
            "-key",
            where.key,
            *options,
        ],
        input="",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def _self_signed(folder: Path) -> tuple[str, str]:
    certificate, key = str(folder / "cert.pem"), str(folder / "key.pem")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=test",
            "-days",
            "1",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key
