"""What people see and approve of that only the server can look up: places, records, certificates."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from strongroom.audit.checkpoints import NO_DIGEST, Checkpoint
from strongroom.domain.approvals import name_of
from strongroom.domain.chain import Head
from strongroom.domain.doubts import Distrusted
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.identity import DEFAULT_TENANT
from strongroom.domain.store import Changes, LostRace
from strongroom.domain.store_failures import StoreFailure
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.get import GetRequest
from strongroom.server.audit_key import open_audit_key
from strongroom.server.certificates.ca import fingerprint, new_key
from strongroom.server.clients.directory import PeerCertificate, read_certificate
from strongroom.server.clients.pending import Strangers
from strongroom.server.errors import OperatorError, PendingApproval
from strongroom.store.url import SqliteUrl
from tests.safeguards import CAROL, lay_down, waiting
from tests.unit.server.authorities_made import OutsideAuthority
from tests.unit.server.test_approving import Office, office

__all__ = ["office"]


def details(office: Office, name: str) -> Any:
    return json.loads(office.ask({"command": "approval.show", "approval": name})["details"])


def rotation(provider: str, **parameters: object) -> dict[str, object]:
    return {"command": "root.rotate", "record": {"provider": provider, "parameters": parameters}}


@pytest.mark.parametrize(
    ("provider", "parameters", "changed"),
    [
        ("pkcs11", {"module": "/usr/lib/a.so", "token": "vault", "pin_file": "/etc/pin"}, {"token": "mine"}),
        (
            "pkcs11",
            {"module": "/usr/lib/a.so", "token": "vault", "pin_file": "/etc/pin"},
            {"module": "/b.so"},
        ),
        ("shares", {"threshold": 3, "count": 5}, {"threshold": 1}),
    ],
)
def test_people_see_where_a_new_root_key_will_be_and_approve_of_no_other_place(
    office: Office, provider: str, parameters: dict[str, object], changed: dict[str, object]
) -> None:
    lay_down(office.kms, tenant=SYSTEM_TENANT, root=1)
    name = office.pending(rotation(provider, **parameters, key="0102"))
    assert details(office, name) == {"provider": provider, "root_key": parameters}
    assert office.pending(rotation(provider, **parameters, key="0304")) == name, "each try makes a fresh key"
    office.vote(name, "carol", CAROL)
    with pytest.raises(PendingApproval):
        office.ask(rotation(provider, **parameters | changed))
    assert len(waiting(office.kms)) == 2


def test_a_profile_that_leads_to_another_key_manager_is_another_place(office: Office, tmp_path: Path) -> None:
    lay_down(office.kms, tenant=SYSTEM_TENANT, root=1)
    profile, authority = tmp_path / "profile.toml", tmp_path / "ca.pem"
    said = 'servers = ["{}:5696"]\ncert = "c.pem"\nkey = "k.pem"\nca = "ca.pem"\n'
    profile.write_text(said.format("kms.example.org"))
    authority.write_text("theirs")
    request = rotation("kmip", profile=str(profile), key="1")
    name = office.pending(request)
    shown = details(office, name)["root_key"]
    assert (shown["profile"], shown["servers"]) == (str(profile), ["kms.example.org:5696"])
    office.vote(name, "carol", CAROL)
    profile.write_text(said.format("thief.example.org"))
    with pytest.raises(PendingApproval):
        office.ask(request)
    profile.write_text(said.format("kms.example.org"))
    authority.write_text("the thief's")
    with pytest.raises(PendingApproval):
        office.ask(request)
    assert len(waiting(office.kms)) == 3
    profile.unlink()
    with pytest.raises(OperatorError, match=r"profile\.toml"):
        office.ask(request)


def doubt(office: Office, key: str) -> None:
    """Have an object refused, as the verifier does."""
    value = Distrusted(reason="it was put back", since=office.kms.clock.now(), known=7)
    kept = Kept(tenant=DEFAULT_TENANT, key=key, owner=0, value=value, due=office.kms.clock.now())
    change = EntryChange(Distrusted, DEFAULT_TENANT, key, 0, kept)
    office.kms.run(office.kms.repository.commit(Changes(entries=[change])))
    office.kms.run(office.kms.repository.read_doubts())


def test_people_see_what_they_trust_and_trust_nothing_else(office: Office) -> None:
    kms, database = office.kms, office.kms.url
    assert isinstance(database, SqliteUrl)
    key = kms.create_symmetric_key(name="backup")
    with closing(sqlite3.connect(database.path)) as connection:
        (older,) = connection.execute("SELECT * FROM objects")
    kms.call(ActivateRequest(unique_identifier=UniqueIdentifier(key)))
    doubt(office, key)
    lay_down(kms, tenant=SYSTEM_TENANT, policy=1)
    lay_down(kms, tenant=DEFAULT_TENANT, policy=1)
    request: dict[str, object] = {"command": "store.trust", "object": key, "tenant": "default"}
    name = office.pending(request)
    shown = details(office, name)
    assert (shown["doubt"], shown["known_generation"]) == ("it was put back", 7)
    assert shown["record"]["state"] == "ACTIVE"
    assert shown["record"]["names"] == ["backup"]
    assert (shown["record"]["type"], shown["record"]["generation"]) == ("SYMMETRIC_KEY", 2)
    office.vote(name, "carol", CAROL)
    with closing(sqlite3.connect(database.path)) as connection:
        newer = connection.execute("SELECT * FROM objects").fetchone()
        put(connection, older)
        with pytest.raises(PendingApproval):
            office.ask(request)
        put(connection, newer)
    assert len(waiting(kms)) == 2
    office.ask(request)
    kms.call(GetRequest(unique_identifier=UniqueIdentifier(key)))


def put(connection: sqlite3.Connection, row: tuple[object, ...]) -> None:
    connection.execute("DELETE FROM objects")
    connection.execute(f"INSERT INTO objects VALUES ({', '.join('?' * len(row))})", row)
    connection.commit()


def test_what_is_exchanged_while_it_is_being_trusted_is_not(office: Office) -> None:
    key = office.kms.create_symmetric_key()
    doubt(office, key)
    with pytest.raises(LostRace):
        office.kms.run(office.kms.repository.trust(DEFAULT_TENANT, key, "00" * 32))


def wait(office: Office, certificate: x509.Certificate) -> PeerCertificate:
    """Have an unknown certificate wait for a decision."""
    seen = read_certificate(certificate.public_bytes(Encoding.DER))
    strangers = Strangers(office.kms.repository, 5)
    strangers.note(seen, "192.0.2.1:5")
    office.kms.run(strangers.tidy(office.kms.clock.now()))
    return seen


def test_people_see_the_whole_certificate_that_they_let_in_and_let_in_no_other(office: Office) -> None:
    outside = OutsideAuthority(now=office.kms.clock.now())
    (office.kms.directory / "ca.pem").write_bytes(outside.pem)
    certificate, private = outside.issue("db1")
    seen = wait(office, certificate)
    lay_down(office.kms, tenant=SYSTEM_TENANT, policy=1)
    lay_down(office.kms, tenant=DEFAULT_TENANT, policy=1)
    short: dict[str, object] = {
        "command": "client.accept",
        "fingerprint": seen.fingerprint[:8],
        "name": "db1",
        "groups": ["web"],
        "tenant": "default",
    }
    name = office.pending(short)
    shown = details(office, name)
    assert (shown["fingerprint"], shown["name"]) == (seen.fingerprint, "db1")
    assert (shown["subject"], shown["issuer"]) == ("CN=db1", "CN=Corporate CA")
    assert office.pending(short | {"fingerprint": seen.fingerprint}) == name, "however much of it is typed"
    office.kms.clock.pass_time(seconds=90)
    wait(office, certificate)
    assert office.pending(short) == name, "it may come again meanwhile"
    office.vote(name, "carol", CAROL)
    office.kms.clock.pass_time(seconds=90)
    another, _ = outside.issue("somebody else", key=private)
    wait(office, another)
    with pytest.raises(PendingApproval):
        office.ask(short)
    office.kms.clock.pass_time(seconds=90)
    wait(office, certificate)
    assert office.ask(short)["fingerprint"] == seen.fingerprint


def test_people_see_what_the_rule_says_that_they_take_away(office: Office) -> None:
    request: dict[str, object] = {
        "command": "grant.add",
        "to": {"kind": "group", "name": "ops"},
        "on": {"kind": "everything"},
        "permissions": ["get"],
        "tenant": "default",
    }
    rule = office.ask(request)
    lay_down(office.kms, tenant=SYSTEM_TENANT, policy=1)
    removal: dict[str, object] = {"command": "grant.remove", "rule": rule["id"], "permissions": []}
    name = office.pending(removal)
    assert details(office, name) == {"rule": rule["id"], "permissions": [], "grants": rule}
    office.vote(name, "carol", CAROL)
    lay_down(office.kms, tenant=SYSTEM_TENANT, policy=0)
    office.ask(request | {"permissions": ["encrypt"]})
    lay_down(office.kms, tenant=SYSTEM_TENANT, policy=1)
    with pytest.raises(PendingApproval):
        office.ask(removal)


def test_people_see_what_is_held_that_they_let_go_of(office: Office) -> None:
    key = office.kms.create_symmetric_key()
    asked: dict[str, object] = {
        "command": "hold.add",
        "unique_identifier": key,
        "group": None,
        "reason": "case 7",
    }
    hold = office.ask(asked | {"tenant": "default"})["hold"]
    lay_down(office.kms, tenant=SYSTEM_TENANT, policy=1)
    name = office.pending({"command": "hold.remove", "hold": hold})
    held = {"tenant": "default", "unique_identifier": key, "group": None, "reason": "case 7"}
    assert details(office, name) == {"hold": hold, "holds": held}


def test_people_see_whose_key_a_certificate_request_brings(office: Office) -> None:
    lay_down(office.kms, tenant=SYSTEM_TENANT, policy=1)
    lay_down(office.kms, tenant=DEFAULT_TENANT, policy=1)
    private = new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "new")])
    signed = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(private, hashes.SHA256())
    csr = signed.public_bytes(Encoding.PEM).decode()
    request: dict[str, object] = {"command": "client.enrol", "name": "new", "groups": ["ops"], "csr": csr}
    shown = details(office, office.pending(request))
    assert (shown["csr"], shown["fingerprint"]) == (csr, fingerprint(private.public_key()))


def sign_for(office: Office, position: int) -> None:
    """Have a checkpoint outside the store say that it had this many changes."""
    admin = office.administrator(None, 0)
    key = open_audit_key(admin.directory, admin.root_key)
    ended = Checkpoint(1, 1_700_000_000, "node", "time", NO_DIGEST, Head(position, bytes(32)), ())
    admin.directory.audit.mkdir(exist_ok=True)
    (admin.directory.audit / "checkpoints").write_bytes(ended.line(key) + b"\n")


def test_people_see_how_far_a_store_was_put_back_and_accept_that_and_no_other(office: Office) -> None:
    """One that is put back further, or misses another mark, is another matter."""
    office.kms.create_symmetric_key()
    lay_down(office.kms, tenant=SYSTEM_TENANT, policy=1)
    request: dict[str, object] = {"command": "store.accept"}
    asked: list[str] = []

    def asked_anew() -> Any:
        """Return what people see of a request that waits, although others like it were approved of."""
        with pytest.raises(PendingApproval):
            office.ask(request)
        (name,) = {name_of(kept) for kept in waiting(office.kms)} - set(asked)
        office.vote(name, "carol", CAROL)
        asked.append(name)
        return details(office, name)

    assert asked_anew()["missed"] == [], "nobody agrees beforehand"
    sign_for(office, 1000)
    first = asked_anew()
    (missed,) = first["missed"]
    assert missed["position"] == 1000
    assert missed["place"].endswith("checkpoints")
    sign_for(office, 2000)
    assert asked_anew()["newest_change"] == first["newest_change"]
    sign_for(office, 1000)
    office.kms.create_symmetric_key()
    another = asked_anew()
    assert another["missed"] == first["missed"]
    assert another["newest_change"] != first["newest_change"]


def test_a_store_that_was_put_back_is_accepted_once_people_have_agreed(office: Office) -> None:
    office.kms.create_symmetric_key()
    lay_down(office.kms, tenant=SYSTEM_TENANT, policy=1)
    sign_for(office, 1000)
    # As a server has it meanwhile: nothing else is written, neither asked for nor agreed to.
    office.kms.repository.read_only = "the store is older than what was signed for"
    with pytest.raises(StoreFailure):
        office.ask({"command": "tenant.create", "name": "green"})
    name = office.pending({"command": "store.accept"})
    office.vote(name, "carol", CAROL)
    office.ask({"command": "approval.list"})
    assert [one["position"] for one in office.ask({"command": "store.accept"})] == [1000]
    assert not waiting(office.kms)


def test_what_accepts_a_store_that_was_put_back_and_cannot_be_read_accepts_nothing(office: Office) -> None:
    """Whoever can put the database back can write there, too."""
    office.kms.create_symmetric_key()
    sign_for(office, 1000)
    office.ask({"command": "store.accept"})
    with sqlite3.connect(office.kms.directory / "strongroom.db") as editor:
        editor.execute("UPDATE entries SET sealed = zeroblob(40) WHERE kind = 14")
    editor.close()
    assert [one["position"] for one in office.ask({"command": "store.accept"})] == [1000]
    with pytest.raises(OperatorError, match="nothing to accept"):
        office.ask({"command": "store.accept"})
