"""Records leave the machine over TLS to whom the settings vouch for, or not at all."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from strongroom.audit import outlets
from strongroom.audit.outlets import Outlet, OutletFailed, parse
from strongroom.server.config import AuditSettings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError
from strongroom.server.listening.tls import outlet_context
from tests.receiver import Receiver


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def receiver(authority: trustme.CA) -> Iterator[Receiver]:
    receiver = Receiver(authority.issue_cert("127.0.0.1"), hangs_up=True)
    yield receiver
    receiver.close()


def outlet(kind: str, port: int, folder: Path, **settings: str) -> Outlet:
    made = AuditSettings.model_validate(settings)
    return parse(f"{kind}:127.0.0.1:{port}", lambda: outlet_context(made, DataDirectory(folder)))


def test_syslog_over_tls_is_framed_as_over_tcp_and_comes_back(
    receiver: Receiver, authority: trustme.CA, tmp_path: Path
) -> None:
    """RFC 5425 §4.3."""
    authority.cert_pem.write_to_path(tmp_path / "siem.pem")
    syslog = outlet("syslog+tls", receiver.port, tmp_path, tls_ca="siem.pem")
    syslog.send([b"one"])
    receiver.wait_for(1)
    for _ in range(50):  # until it is noticed that the other end has hung up
        syslog.send([b"two"])
        if len(receiver.received) > 1:
            break
        threading.Event().wait(0.05)
    syslog.close()
    for message, line in zip(receiver.wait_for(2), (b"one", b"two"), strict=False):
        count, _, rest = message.partition(b" ")
        assert int(count) == len(rest)
        assert rest.endswith(b" audit - " + line)


def test_lines_over_tls(receiver: Receiver, authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(tmp_path / "siem.pem")
    plain = outlet("tls", receiver.port, tmp_path, tls_ca=str(tmp_path / "siem.pem"))
    plain.send([b"one", b"two"])
    assert receiver.wait_for(1) == [b"one\ntwo\n"]
    plain.close()


def test_a_receiver_that_wants_to_know_who_sends_is_shown_a_certificate(
    authority: trustme.CA, tmp_path: Path
) -> None:
    certificate = authority.issue_cert("strongroom.example.org")
    authority.cert_pem.write_to_path(tmp_path / "siem.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "own.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "own.key")
    receiver = Receiver(authority.issue_cert("127.0.0.1"), authority)
    own = {"tls_certificate": "own.pem", "tls_key": "own.key"}
    sent = outlet("tls", receiver.port, tmp_path, tls_ca="siem.pem", **own)
    sent.send([b"one"])
    assert receiver.wait_for(1) == [b"one\n"]
    assert "strongroom.example.org" in str(receiver.peers)
    sent.close()
    receiver.close()


@pytest.mark.parametrize("wrong", ["authority", "name", "trust of this machine"])
def test_nothing_is_sent_to_a_receiver_that_nobody_vouches_for(
    authority: trustme.CA, tmp_path: Path, wrong: str
) -> None:
    receiver = Receiver(authority.issue_cert("elsewhere" if wrong == "name" else "127.0.0.1"))
    (trustme.CA() if wrong == "authority" else authority).cert_pem.write_to_path(tmp_path / "ca.pem")
    settings = {} if wrong == "trust of this machine" else {"tls_ca": "ca.pem"}
    with pytest.raises(OutletFailed, match=rf"127\.0\.0\.1:{receiver.port}: .*CERTIFICATE_VERIFY_FAILED"):
        outlet("tls", receiver.port, tmp_path, **settings).send([b"one"])
    receiver.close()
    assert receiver.received == []


def test_a_receiver_without_tls_gets_nothing_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlets, "DEADLINE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sent = outlet("tls", listener.getsockname()[1], tmp_path)
        with pytest.raises(OutletFailed, match="timed out"):
            sent.send([b"a line of the audit log"])
        connection, _ = listener.accept()
        with connection:
            assert b"a line of" not in connection.recv(4096)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"tls_certificate": "own.pem"}, "belong together"),
        ({"tls_ca": "missing.pem"}, "cannot read .*missing.pem"),
        ({"tls_ca": "empty.pem"}, "holds no CA certificate"),
        ({"tls_certificate": "empty.pem", "tls_key": "empty.pem"}, "are no certificate and its key"),
    ],
)
def test_files_that_cannot_be_used_are_told(tmp_path: Path, settings: dict[str, str], told: str) -> None:
    (tmp_path / "empty.pem").write_bytes(b"")
    with pytest.raises(OperatorError, match=told):
        outlet("tls", 6514, tmp_path, **settings)


def test_a_place_without_tls_needs_no_certificates(tmp_path: Path) -> None:
    assert outlet("tcp", 601, tmp_path, tls_ca="missing.pem")
