"""Ways to become a client, and to stop being one, over TLS with real certificates."""

import datetime as dt
import errno
import json
import os
import sqlite3
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from strongroom import testing
from strongroom.client import renewal
from strongroom.client.errors import (
    InvalidField,
    InvalidSettings,
    KMIPError,
    ObjectNotFound,
    OutcomeUnknown,
    ServerUnreachable,
)
from strongroom.client.profile import Profile
from strongroom.client.renewal import renew_profile
from strongroom.client.sync import Client
from strongroom.operations.ping import PingRequest
from strongroom.registry import V2_1
from strongroom.server.certificates.ca import new_key, private_pem
from strongroom.server.certificates.revocation import read_lists
from strongroom.server.clients.enrolment import enrol_by_request, enrol_client
from strongroom.server.errors import OperatorError
from strongroom.wire import binary
from tests.e2e.conftest import endpoint, eventually, https, last_answered
from tests.interop.endpoint import RawConnection
from tests.kms import request_message
from tests.unit.server.authorities_made import OutsideAuthority

PING = binary.encode(request_message(PingRequest(), version=V2_1))
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def outside() -> OutsideAuthority:
    return OutsideAuthority(now=NOW)


@pytest.fixture(scope="module")
def twin() -> OutsideAuthority:
    """Another authority with the same name."""
    return OutsideAuthority(now=NOW)


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, outside: OutsideAuthority, twin: OutsideAuthority
) -> Iterator[testing.Server]:
    """Give a server with two workers that takes certificates of two other authorities, too."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "corporate.pem").write_bytes(outside.pem + twin.pem)
    settings = {"tls": {"client_ca": str(folder / "corporate.pem")}}
    with testing.server(folder, workers=2, settings=settings) as server:
        yield server


def admin(server: testing.Server, *words: str) -> str:
    return server.run(*words, "--data", str(server.directory))


def listed(server: testing.Server, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(admin(server, *words, "-o", "json"))
    return found


def client_named(server: testing.Server, name: str) -> dict[str, Any]:
    return next(one for one in listed(server, "client", "list") if one["name"] == name)


def works(connection: RawConnection) -> bool:
    try:
        return bool(connection.exchange(PING))
    except OSError:
        return False


def works_anew(server: testing.Server, profile: Path) -> bool:
    try:
        with endpoint(server, profile).connect() as connection:
            return works(connection)
    except OSError:
        return False


def is_shut_out(server: testing.Server, profile: Path) -> bool:
    """Tell whether no worker takes the client; each looks at its lists once a second."""
    return not any(works_anew(server, profile) for _ in range(4))


def profile_of(server: testing.Server, folder: Path, certificate: x509.Certificate, key: Any) -> Path:
    """Return a profile with a certificate and key from elsewhere."""
    folder.mkdir()
    (folder / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(private_pem(key))
    (folder / "ca.pem").write_bytes((server.directory / "ca.pem").read_bytes())
    profile = folder / "profile.toml"
    profile.write_text(
        f'servers = ["{server.address}"]\nhttps = "{server.https_address}"\n'
        'cert = "cert.pem"\nkey = "key.pem"\nca = "ca.pem"\n'
    )
    return profile


# Requests and invitations


def test_a_client_whose_key_is_elsewhere_is_enrolled_by_its_request(
    server: testing.Server, tmp_path: Path
) -> None:
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody else")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    for form, encoding in (("pem", Encoding.PEM), ("der", Encoding.DER)):
        (tmp_path / f"request.{form}").write_bytes(csr.public_bytes(encoding))
    out = tmp_path / "elsewhere"
    admin(server, "client", "enrol", "elsewhere", "--csr", str(tmp_path / "request.der"), "--out", str(out))
    assert sorted(file.name for file in out.iterdir()) == ["ca.pem", "cert.pem", "profile.toml"]
    (out / "key.pem").write_bytes(private_pem(key))
    with Client.from_profile(out / "profile.toml") as client:
        client.create_symmetric_key(name="by request")
    made = x509.load_pem_x509_certificate((out / "cert.pem").read_bytes())
    assert made.subject.rfc4514_string() == "CN=elsewhere"
    again = [
        "client",
        "enrol",
        "another",
        "--csr",
        str(tmp_path / "request.pem"),
        "--out",
        str(tmp_path / "n"),
    ]
    done = server.try_run(*again, "--data", str(server.directory))
    assert "enrolled before" in done.stderr


def test_who_was_enrolled_just_so_gets_a_certificate_once_more(
    server: testing.Server, tmp_path: Path
) -> None:
    """The first may have been lost on the way; the key may be one that cannot be made anew."""
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    (tmp_path / "request").write_bytes(csr.public_bytes(Encoding.PEM))

    def enrol(out: str, *options: str, name: str = "lost") -> str:
        asked = ("client", "enrol", name, "--csr", str(tmp_path / "request"), "--out", str(tmp_path / out))
        return server.try_run(*asked, "--data", str(server.directory), *options).stderr

    assert enrol("first", "--group", "web") == ""
    assert enrol("second", "--group", "web") == ""
    (tmp_path / "second" / "key.pem").write_bytes(private_pem(key))
    assert works_anew(server, tmp_path / "second" / "profile.toml")
    first, second = (
        x509.load_pem_x509_certificate((tmp_path / out / "cert.pem").read_bytes())
        for out in ("first", "second")
    )
    assert first.serial_number != second.serial_number
    assert first.not_valid_after_utc == second.not_valid_after_utc
    assert "enrolled already" in enrol("other", "--group", "db")
    assert "enrolled already" in enrol("other")
    assert "enrolled before" in enrol("other", "--group", "web", name="lost2")
    admin(server, "client", "revoke", "lost")
    assert "enrolled before" in enrol("other", "--group", "web")
    assert not (tmp_path / "other").exists()

    def both_are_listed() -> bool:
        file = server.directory / "crl.pem"
        listed = {entry.serial_number for one in read_lists(file.read_bytes()) for entry in one}
        return {first.serial_number, second.serial_number} <= listed

    eventually(both_are_listed)


def full(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the disk have no room for more than a kilobyte in a file whose name contains `at`."""
    original = os.fsync

    def fsync(descriptor: int) -> None:
        if at in os.readlink(f"/proc/self/fd/{descriptor}") and os.fstat(descriptor).st_size > 1024:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


def test_nobody_is_enrolled_whose_files_have_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full(str(tmp_path), monkeypatch)
    (tmp_path / "request").write_bytes(b"anything")

    def call(request: object) -> object:
        raise AssertionError("the server was asked")

    with pytest.raises(OperatorError, match="No space"):
        enrol_by_request("web", tmp_path / "request", tmp_path / "out", call)
    with pytest.raises(OperatorError, match="No space"):
        enrol_client("web", tmp_path / "out", call)
    assert [file.name for file in tmp_path.iterdir()] == ["request"]


def test_nobody_is_renewed_whose_certificate_has_no_room(
    server: testing.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = server.enrol("full")
    with monkeypatch.context() as patched:
        full(str(profile.parent), patched)
        with pytest.raises(InvalidSettings, match="No space"):
            renew_profile(profile)
    assert works_anew(server, profile)
    renew_profile(profile)
    assert works_anew(server, profile)
    assert sorted(file.name for file in profile.parent.iterdir()) == [
        "ca.pem",
        "cert.pem",
        "key.pem",
        "profile.toml",
    ]


def invite(server: testing.Server, name: str, *options: str) -> Path:
    file = server.folder / f"{name}.token"
    admin(server, "client", "invite", name, "--out", str(file), *options)
    assert file.stat().st_mode & 0o777 == 0o600
    return file


def join(server: testing.Server, token: Path, out: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return server.try_run("client", "join", str(token), "--out", str(out), *options)


def test_a_client_joins_from_another_host_with_nothing_but_a_token(
    server: testing.Server, tmp_path: Path
) -> None:
    token = invite(server, "joined", "--group", "databases")
    done = join(server, token, tmp_path / "joined")
    assert done.returncode == 0, done.stderr
    profile = Path(done.stdout.strip())
    with Client.from_profile(profile) as client:
        client.create_symmetric_key(name="of the one who joined")
    assert (tmp_path / "joined" / "key.pem").stat().st_mode & 0o777 == 0o600
    record = client_named(server, "joined")
    assert record["groups"] == ["databases"]
    assert record["ends_at"] is not None
    assert listed(server, "client", "invitations") == []
    assert token.read_text().strip() not in server.log_text()
    left = {file.name for file in (tmp_path / "joined").iterdir()}
    assert left == {"key.pem", "cert.pem", "ca.pem", "profile.toml"}


def test_a_token_is_good_once(server: testing.Server, tmp_path: Path) -> None:
    token = invite(server, "once")
    assert join(server, token, tmp_path / "first").returncode == 0
    again = join(server, token, tmp_path / "second")
    assert again.returncode == 3
    assert "was used" in again.stderr
    assert not (tmp_path / "second").exists()


def test_a_token_is_good_once_however_many_use_it_at_the_same_moment(
    server: testing.Server, tmp_path: Path
) -> None:
    token = invite(server, "raced")
    codes: list[int] = []
    threads = [
        threading.Thread(
            target=lambda n=number: codes.append(join(server, token, tmp_path / f"r{n}").returncode)
        )
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes)[0] == 0
    assert codes.count(0) == 1
    assert [one["name"] for one in listed(server, "client", "list")].count("raced") == 1


def test_a_token_for_another_server_tells_that_server_nothing(
    server: testing.Server, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    token = invite(server, "astray")
    with testing.server(tmp_path_factory.mktemp("other")) as other:
        done = join(server, token, tmp_path / "astray", "--server", other.https_address)
        assert done.returncode == 1
        assert "is not the server that the token is from" in done.stderr
        assert "client_joined" not in other.log_text()
    assert not (tmp_path / "astray").exists()
    assert [one["name"] for one in listed(server, "client", "invitations")] == ["astray"]
    admin(server, "client", "withdraw", "astray")


def test_a_withdrawn_token_is_worth_nothing(server: testing.Server, tmp_path: Path) -> None:
    token = invite(server, "withdrawn")
    admin(server, "client", "withdraw", "withdrawn")
    assert join(server, token, tmp_path / "withdrawn").returncode == 3


def test_a_token_that_has_ended_is_worth_nothing(server: testing.Server, tmp_path: Path) -> None:
    """TLS itself refuses it; what has ended meanwhile is refused by the server."""
    from strongroom.server.clients.tokens import Token, make_token, read_token

    token = invite(server, "late")
    read = read_token(token.read_text())
    assert read.certificate.not_valid_after_utc - NOW < dt.timedelta(hours=25)
    connection = sqlite3.connect(server.directory / "strongroom.db", isolation_level=None)
    connection.execute("UPDATE entries SET due = 1 WHERE kind = 31")
    connection.close()
    done = join(server, token, tmp_path / "late")
    assert done.returncode != 0
    # An edited end is a broken seal, which ends every invitation, with an alarm; the entry is of no use now.
    connection = sqlite3.connect(server.directory / "strongroom.db", isolation_level=None)
    connection.execute("DELETE FROM entries WHERE kind = 31")
    connection.close()
    assert make_token(Token(*read)) == token.read_text().strip()


def test_an_invitation_opens_nothing_but_the_door_to_join(server: testing.Server, tmp_path: Path) -> None:
    from strongroom.server.clients.tokens import read_token

    token = read_token(invite(server, "curious").read_text())
    profile = profile_of(server, tmp_path / "curious", token.certificate, token.key)
    assert not works_anew(server, profile)  # KMIP over TLS
    for method, path in (
        ("POST", "/kmip"),
        ("POST", "/admin"),
        ("GET", "/ca"),
        ("GET", "/join"),
        ("POST", "/"),
    ):
        with https(server, profile) as connection:
            answer = connection.request(method, path, PING, {"Content-Type": "application/octet-stream"})
            assert answer.status == 400
            assert b"POST /join only" in answer.body
    own = server.try_run("client", "list", "--profile", str(profile))
    assert own.returncode != 0
    admin(server, "client", "withdraw", "curious")


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b'{"csr": 5}', b'{"csr": "x"}', b'{"csr": "\\ud800"}', b"[" * 50_000, b"x" * 70_000],
)
def test_a_request_to_join_that_is_none_spends_no_invitation(
    server: testing.Server, tmp_path: Path, body: bytes
) -> None:
    from strongroom.server.clients.tokens import read_token

    file = invite(server, "careless")
    token = read_token(file.read_text())
    profile = profile_of(server, tmp_path / "guest", token.certificate, token.key)
    with https(server, profile) as connection:
        assert connection.request("POST", "/join", body, {"Content-Type": "application/json"}).status == 400
    assert [one["name"] for one in listed(server, "client", "invitations")] == ["careless"]
    admin(server, "client", "withdraw", "careless")


# Certificates of another authority


def test_an_unknown_certificate_waits_until_somebody_decides(
    server: testing.Server, outside: OutsideAuthority, tmp_path: Path
) -> None:
    certificate, key = outside.issue("admin\n*\x1b[2J")
    profile = profile_of(server, tmp_path / "unknown", certificate, key)
    assert not works_anew(server, profile)
    eventually(lambda: bool(listed(server, "client", "pending", "list")))
    (waiting,) = listed(server, "client", "pending", "list")
    assert waiting["subject"] == "CN=admin\\n*\\x1b[2J"
    assert waiting["address"].startswith("127.0.0.1:")
    table = admin(server, "client", "pending", "list")
    assert "\x1b" not in table
    assert len(table.splitlines()) == 2
    admin(server, "client", "pending", "accept", waiting["fingerprint"][:12], "accepted")
    assert works_anew(server, profile)
    assert listed(server, "client", "pending", "list") == []
    assert client_named(server, "accepted")["ends_at"] == certificate.not_valid_after_utc.isoformat()
    admin(server, "client", "revoke", "accepted")
    assert not works_anew(server, profile)


def test_a_rejected_certificate_is_forgotten(
    server: testing.Server, outside: OutsideAuthority, tmp_path: Path
) -> None:
    profile = profile_of(server, tmp_path / "rejected", *outside.issue("rejected"))
    assert not works_anew(server, profile)
    eventually(lambda: bool(listed(server, "client", "pending", "list")))
    (waiting,) = listed(server, "client", "pending", "list")
    admin(server, "client", "pending", "reject", waiting["fingerprint"])
    assert listed(server, "client", "pending", "list") == []
    assert not works_anew(server, profile)


def test_a_mapped_name_is_a_client_whatever_its_key_and_nobody_once_unmapped(
    server: testing.Server, outside: OutsideAuthority, tmp_path: Path
) -> None:
    issuer = tmp_path / "issuer.pem"
    issuer.write_bytes(outside.pem)
    admin(server, "client", "map", "mapped", "--issuer", str(issuer), "--san", "dns:db.example.org")
    profiles = [
        profile_of(server, tmp_path / f"m{n}", *outside.issue("x", sans=[x509.DNSName("db.example.org")]))
        for n in range(2)
    ]
    with Client.from_profile(profiles[0]) as client:
        client.create_symmetric_key(name="of the mapped")
    with Client.from_profile(profiles[1]) as client:
        assert client.find("of the mapped")
    stranger = profile_of(server, tmp_path / "s", *outside.issue("mapped"))
    assert not works_anew(server, stranger)
    with endpoint(server, profiles[0]).connect() as connection:
        assert works(connection)
        admin(server, "client", "unmap", "mapped")
        assert not works(connection)
    assert not works_anew(server, profiles[1])


def test_the_same_name_of_two_authorities_is_two_clients(
    server: testing.Server, outside: OutsideAuthority, twin: OutsideAuthority, tmp_path: Path
) -> None:
    """Fault 16: the authorities, too, are called the same."""
    for number, authority in enumerate((outside, twin)):
        pem = tmp_path / f"{number}.pem"
        pem.write_bytes(authority.pem)
        name = f"principal-{number}"
        admin(server, "client", "map", name, "--issuer", str(pem), "--subject", "CN=admin")
    first, second = (
        profile_of(server, tmp_path / f"p{number}", *authority.issue("admin"))
        for number, authority in enumerate((outside, twin))
    )
    with Client.from_profile(first) as client:
        key = client.create_symmetric_key(name="of the first")
    with Client.from_profile(second) as client:
        assert client.locate() == []
        with pytest.raises(ObjectNotFound):
            client.get_material(key)
    admin(server, "client", "revoke", "principal-0")
    assert not works_anew(server, first)
    assert works_anew(server, second)


# Tampering


def test_a_fingerprint_that_was_swapped_in_the_database_lets_nobody_in(
    server: testing.Server, outside: OutsideAuthority, tmp_path: Path
) -> None:
    victim = server.enrol("victim")
    attacker_certificate, key = outside.issue("attacker")
    attacker = profile_of(server, tmp_path / "attacker", attacker_certificate, key)
    bystander = server.enrol("bystander")
    from strongroom.server.certificates.ca import fingerprint

    connection = sqlite3.connect(server.directory / "strongroom.db", isolation_level=None)
    connection.execute(
        "UPDATE clients SET fingerprint = ? WHERE name = 'victim'", (fingerprint(key.public_key()),)
    )
    connection.close()
    server.enrol("third")  # has every worker read the records again
    assert not works_anew(server, attacker)
    assert not works_anew(server, victim)
    assert works_anew(server, bystander)
    assert client_named(server, "victim")["seal"] == "broken"
    assert "client_record_tampered" in server.log_text()
    admin(server, "client", "revoke", "victim")
    assert client_named(server, "victim")["seal"] == "whole"
    assert not works_anew(server, attacker)


# Renewal


def test_a_renewed_client_has_two_keys_until_the_old_one_ends(server: testing.Server, tmp_path: Path) -> None:
    old = server.enrol("renewed")
    admin(server, "client", "renew", "renewed", "--out", str(tmp_path / "new"))
    new = tmp_path / "new" / "profile.toml"
    with Client.from_profile(old) as client:
        client.create_symmetric_key(name="of both keys")
    with Client.from_profile(new) as client:
        assert client.find("of both keys")
    admin(server, "client", "renew", "renewed", "--now", "--out", str(tmp_path / "newest"))
    assert not works_anew(server, new)
    assert works_anew(server, tmp_path / "newest" / "profile.toml")
    admin(server, "client", "revoke", "renewed")
    for profile in (old, new, tmp_path / "newest" / "profile.toml"):
        assert not works_anew(server, profile)


def test_a_client_renews_itself_in_its_own_files(server: testing.Server) -> None:
    profile = server.enrol("selfish")
    before = [(profile.parent / name).read_bytes() for name in ("key.pem", "cert.pem")]
    with endpoint(server, profile).connect() as connection:
        assert works(connection)
        told = server.run("client", "renew", "--profile", str(profile))
        renewed = time.monotonic()
        assert told.startswith("valid until 20")
        assert last_answered(connection, PING) < renewed + 2
    after = [(profile.parent / name).read_bytes() for name in ("key.pem", "cert.pem")]
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert works_anew(server, profile)
    assert (profile.parent / "key.pem").stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in profile.parent.iterdir()) == [
        "ca.pem", "cert.pem", "key.pem", "profile.toml",
    ]  # fmt: skip


ask = renewal._asked


def sent_and_lost(profile: Profile, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Renew as far as the server, and lose its answer."""
    ask(profile, key)
    raise OutcomeUnknown("lost")


def never_sent(profile: Profile, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    raise ServerUnreachable("nobody there")


@pytest.mark.parametrize("once", [sent_and_lost, never_sent])
def test_a_key_that_may_have_been_accepted_is_not_lost_to_the_next_run(
    server: testing.Server,
    monkeypatch: pytest.MonkeyPatch,
    once: Callable[[Profile, ec.EllipticCurvePrivateKey], x509.Certificate],
) -> None:
    profile = server.enrol(once.__name__.replace("_", "-"))
    with monkeypatch.context() as patched:
        patched.setattr(renewal, "_asked", once)
        with pytest.raises(KMIPError, match=r"lost|nobody"):
            renew_profile(profile)
    sent = (profile.parent / "key.pem.next").read_bytes()
    if once is sent_and_lost:
        with pytest.raises(KMIPError):
            renew_profile(profile)
        assert (profile.parent / "key.pem.next").read_bytes() == sent
    else:
        renew_profile(profile)
        assert (profile.parent / "key.pem").read_bytes() == sent
        assert works_anew(server, profile)


def test_who_renews_with_a_key_of_old_is_told_which_file_it_is_in(server: testing.Server) -> None:
    profile = server.enrol("of-old")
    old = (profile.parent / "key.pem").read_bytes()
    renew_profile(profile)
    (profile.parent / "key.pem.next").write_bytes(old)
    with pytest.raises(InvalidField, match=r"key\.pem\.next.* remove that file"):
        renew_profile(profile)
    (profile.parent / "key.pem.next").unlink()
    renew_profile(profile)
    assert works_anew(server, profile)


def test_only_one_run_renews_a_profile(server: testing.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = server.enrol("twice")

    def meanwhile(renewed: Profile, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        with pytest.raises(KMIPError, match="another run"):
            renew_profile(profile)
        return ask(renewed, key)

    monkeypatch.setattr(renewal, "_asked", meanwhile)
    renew_profile(profile)
    assert works_anew(server, profile)


def test_renewed_files_belong_to_whom_the_old_ones_did(
    server: testing.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may renew what a service reads; nobody else than that service and its group gets to read it."""
    profile = server.enrol("given")
    for name, mode in (("key.pem", 0o644), ("cert.pem", 0o600), ("ca.pem", 0o644)):
        (profile.parent / name).chmod(mode)
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _, owner, group: given.append((owner, group)))
    renew_profile(profile)
    assert given == [(os.geteuid(), os.getegid())] * 2
    modes = [(profile.parent / name).stat().st_mode & 0o777 for name in ("key.pem", "cert.pem")]
    assert modes == [0o640, 0o600]


def test_what_cannot_be_given_away_stays_with_us_alone(
    server: testing.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = server.enrol("kept")
    (profile.parent / "key.pem").chmod(0o640)

    def refused(descriptor: int, owner: int, group: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "fchown", refused)
    renew_profile(profile)
    assert (profile.parent / "key.pem").stat().st_mode & 0o777 == 0o600
    assert works_anew(server, profile)


def test_a_key_is_on_disk_under_its_name_before_the_server_is_asked(
    server: testing.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = server.enrol("durable")
    original = os.fsync
    names: list[list[str]] = []

    def fsync(descriptor: int) -> None:
        original(descriptor)
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            names.append(os.listdir(descriptor))

    def asked(renewed: Profile, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        assert names
        assert "key.pem.next" in names[-1]
        return ask(renewed, key)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(renewal, "_asked", asked)
    renew_profile(profile)
    assert "key.pem.next" not in names[-1]
    assert "cert.pem.next" not in names[-1]


# Revocation


def test_revocation_ends_idle_busy_and_https_connections_within_two_seconds(
    server: testing.Server,
) -> None:
    """Fault 17, on every worker: nothing is answered that was sent when the command had ended."""
    profile = server.enrol("doomed")
    connections = [endpoint(server, profile).connect() for _ in range(6)]
    assert all(map(works, connections))
    pages = [https(server, profile) for _ in range(3)]
    header = {"Content-Type": "application/octet-stream"}
    assert all(page.request("POST", "/kmip", PING, header).status == 200 for page in pages)
    ended: list[float] = []

    def busy(connection: RawConnection) -> None:
        ended.append(last_answered(connection, PING))

    threads = [threading.Thread(target=busy, args=(one,)) for one in connections[:3]]
    for thread in threads:
        thread.start()
    admin(server, "client", "revoke", "doomed")
    revoked = time.monotonic()
    assert not any(map(works, connections[3:]))  # idle since before
    for page in pages:
        with pytest.raises(OSError):
            page.request("POST", "/kmip", PING, header)
    for thread in threads:
        thread.join()
    assert len(ended) == 3
    assert max(ended) <= revoked


def test_the_internal_list_names_the_revoked_certificate_in_a_form_that_openssl_reads(
    server: testing.Server,
) -> None:
    profile = server.enrol("listed")
    serial = x509.load_pem_x509_certificate((profile.parent / "cert.pem").read_bytes()).serial_number
    admin(server, "client", "revoke", "listed")
    crl = server.directory / "crl.pem"
    eventually(
        lambda: (
            crl.exists()
            and x509.load_pem_x509_crl(crl.read_bytes()).get_revoked_certificate_by_serial_number(serial)
            is not None
        ),
    )
    done = subprocess.run(
        ["openssl", "verify", "-crl_check", "-CAfile", str(server.directory / "ca.pem"), "-CRLfile", str(crl),
         str(profile.parent / "cert.pem")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "certificate revoked" in done.stdout + done.stderr


def test_a_revoked_record_that_is_put_back_stays_out_by_the_list(
    server: testing.Server,
) -> None:
    """One old row put back is whole; the list outside the database still names its certificate."""
    profile = server.enrol("undead")
    database = server.directory / "strongroom.db"
    connection = sqlite3.connect(database, isolation_level=None)
    old = connection.execute("SELECT * FROM clients WHERE name = 'undead'").fetchone()
    serial = x509.load_pem_x509_certificate((profile.parent / "cert.pem").read_bytes()).serial_number
    admin(server, "client", "revoke", "undead")
    crl = server.directory / "crl.pem"
    eventually(
        lambda: (
            crl.exists()
            and x509.load_pem_x509_crl(crl.read_bytes()).get_revoked_certificate_by_serial_number(serial)
            is not None
        ),
    )
    connection.execute("DELETE FROM clients WHERE name = 'undead'")
    connection.execute(f"INSERT INTO clients VALUES ({', '.join('?' * len(old))})", old)
    connection.close()
    server.enrol("witness")
    assert client_named(server, "undead")["revoked_at"] is None
    eventually(lambda: is_shut_out(server, profile))
    server.wait_for_log("on_revocation_list")


# Bundles, read back as a product would


@pytest.mark.parametrize("product", ["vcenter", "veeam", "mongodb", "pykmip"])
def test_a_bundle_works_against_the_server(server: testing.Server, product: str) -> None:
    out = server.folder / f"bundle-{product}"
    told = admin(server, "client", "enrol", f"bundle-{product}", "--for", product, "--out", str(out))
    assert "Port" in told or str(server.port) in told
    context = ssl.create_default_context(cafile=str(out / "ca.pem"))
    if product == "mongodb":
        context.load_cert_chain(out / "mongodb.pem")
    else:
        context.load_cert_chain(out / "cert.pem", out / "key.pem")
    assert works_anew(server, out / "profile.toml")
    if product == "pykmip":
        from kmip.pie.client import ProxyKmipClient

        with ProxyKmipClient(config="client", config_file=str(out / "pykmip.conf")) as client:
            assert client.locate() == []
