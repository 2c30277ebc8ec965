"""Who comes in with which certificate, as a worker knows it between two looks into the store."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import pytest

from strongroom.domain.clients import ClientCertificate, ClientRecord
from strongroom.domain.entries import Kept
from strongroom.domain.identity import DEFAULT_TENANT, ClientId, ClientIdentity
from strongroom.domain.mapping import Invitation
from strongroom.domain.store_failures import TamperedRecord
from strongroom.server.certificates.revocation import Verdict
from strongroom.server.clients.directory import ClientDirectory, PeerCertificate, Refusal
from strongroom.server.clients.mapping import Ambiguous
from tests.unit.server.conftest import NOW

HOUR = timedelta(hours=1)


def record(number: int, **changes: Any) -> ClientRecord:
    fields: dict[str, Any] = {
        "client": ClientId(number),
        "tenant": DEFAULT_TENANT,
        "name": f"client-{number}",
        "fingerprint": f"key {number}",
        "groups": (),
        "username": None,
        "password_hash": None,
        "enrolled_at": NOW,
    }
    return ClientRecord(**(fields | changes))


def certificate(fingerprint: str, *, ends_in: timedelta = 9 * HOUR) -> PeerCertificate:
    return PeerCertificate(fingerprint, (NOW + ends_in).timestamp(), NOW.timestamp(), fingerprint.encode())


class Rules:
    """Whose certificates they say which are."""

    def __init__(self) -> None:
        self.rules = ()
        self.whose: dict[bytes, ClientId] = {}

    def client(self, der: bytes) -> ClientId | None:
        if der == b"two rules":
            raise Ambiguous
        return self.whose.get(der)


class Site:
    """A store, revocation lists, rules and a clock, each as a test has them, and the directory."""

    def __init__(self, *records: ClientRecord) -> None:
        self.records = list(records)
        self.invitations: list[Kept[Invitation]] = []
        self.tampered = False
        self.time = NOW
        self.said = Verdict.GOOD
        self.rules = Rules()
        self.directory = ClientDirectory(
            cast(Any, self),
            entries=cast(Any, self),
            lists=cast(Any, self),
            clock=lambda: self.time.timestamp(),
        )
        self.refresh()

    async def clients(self) -> Sequence[ClientRecord]:
        return list(self.records)

    async def entries_of(self, kind: type, tenant: int, owner: int) -> Sequence[Kept[Any]]:
        if self.tampered:
            raise TamperedRecord("an entry")
        return list(self.invitations) if kind is Invitation else ()

    def verdict(self, der: bytes, now: object) -> Verdict:
        return self.said

    def refresh(self) -> None:
        asyncio.run(self.directory.refresh())
        vars(self.directory)["_mapping"] = self.rules

    def invite(self, fingerprint: str) -> None:
        value = Invitation(name="newcomer", tenant=DEFAULT_TENANT)
        self.invitations.append(Kept(tenant=0, key=fingerprint, owner=0, value=value, generation=1))
        self.refresh()


def test_a_key_that_was_replaced_lets_in_until_its_end_and_no_longer() -> None:
    old = ClientCertificate(
        fingerprint="old key", authority="", serial=1, ends_at=NOW + 9 * HOUR, until=NOW + HOUR
    )
    site = Site(record(1, certificates=(old,), former=("older key",)))
    assert isinstance(site.directory.admit(certificate("old key")), ClientIdentity)
    assert site.directory.valid_until(certificate("old key")) == (NOW + HOUR).timestamp()
    short = certificate("old key", ends_in=HOUR / 2)
    assert site.directory.valid_until(short) == short.valid_until
    assert site.directory.valid_until(certificate("key 1")) == certificate("key 1").valid_until
    assert site.directory.admit(certificate("older key")) is Refusal.REPLACED
    site.time = NOW + HOUR
    assert site.directory.admit(certificate("old key")) is Refusal.REPLACED
    assert isinstance(site.directory.admit(certificate("key 1")), ClientIdentity)


@pytest.mark.parametrize(
    ("said", "refusal"),
    [(Verdict.REVOKED, Refusal.ON_REVOCATION_LIST), (Verdict.UNKNOWN, Refusal.REVOCATION_UNKNOWN)],
)
def test_a_list_keeps_out_who_would_come_in_and_tells_nobody_else(said: Verdict, refusal: Refusal) -> None:
    site = Site(record(1), record(2, revoked_at=NOW))
    site.rules.whose[b"mapped"] = ClientId(1)
    site.said = said
    assert site.directory.admit(certificate("key 1")) is refusal
    assert site.directory.admit(certificate("mapped")) is refusal
    assert site.directory.admit(certificate("key 2")) is Refusal.REVOKED
    assert site.directory.admit(certificate("unknown")) is Refusal.UNKNOWN


def test_a_rule_lets_in_as_a_client_in_force_and_as_no_other() -> None:
    site = Site(record(1), record(2, revoked_at=NOW))
    site.rules.whose |= {
        b"one": ClientId(1),
        b"revoked": ClientId(2),
        b"gone": ClientId(3),
        b"key 2": ClientId(1),
    }
    let_in = site.directory.admit(certificate("one"))
    assert isinstance(let_in, ClientIdentity)
    assert (let_in.client, let_in.mapped) == (1, True)
    enrolled = site.directory.admit(certificate("key 1"))
    assert isinstance(enrolled, ClientIdentity)
    assert not enrolled.mapped
    assert site.directory.admit(certificate("revoked")) is Refusal.REVOKED
    assert site.directory.admit(certificate("gone")) is Refusal.REVOKED
    assert site.directory.admit(certificate("two rules")) is Refusal.AMBIGUOUS
    assert site.directory.admit(certificate("key 2")) is Refusal.REVOKED, "its own key comes first"


def test_an_invitation_is_for_a_key_that_nobody_has() -> None:
    site = Site(record(1), record(2, revoked_at=NOW))
    for fingerprint in ("guest", "key 1", "key 2"):
        site.invite(fingerprint)
    assert site.directory.admit(certificate("guest")) is Refusal.INVITED
    assert site.directory.guest(certificate("guest")) is not None
    assert isinstance(site.directory.admit(certificate("key 1")), ClientIdentity)
    assert site.directory.admit(certificate("key 2")) is Refusal.REVOKED


def test_where_one_entry_was_changed_no_invitation_counts() -> None:
    site = Site(record(1))
    site.invite("guest")
    site.tampered = True
    site.refresh()
    assert site.directory.admit(certificate("guest")) is Refusal.UNKNOWN
    assert site.directory.guest(certificate("guest")) is None
    assert isinstance(site.directory.admit(certificate("key 1")), ClientIdentity)
