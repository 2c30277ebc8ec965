"""Enrolling and revoking: names, keys, races between nodes."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from strongroom.domain.audit import Recording
from strongroom.domain.clients import (
    MAX_CERTIFICATES,
    ClientCertificate,
    ClientChanged,
    ClientExists,
    ClientName,
    ClientRecord,
)
from strongroom.domain.entries import EntryChange
from strongroom.domain.identity import DEFAULT_TENANT, TenantId
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.clients import records
from strongroom.server.clients.stored import StoredClients
from strongroom.server.errors import NotFound, OperatorError
from strongroom.server.shared import COUNTED
from tests.kms import TestKms
from tests.unit.server.conftest import NOW


class Store:
    """Client records in memory, with the rules of the real tables; `meanwhile` is what another node does."""

    def __init__(self) -> None:
        self.records: dict[int, ClientRecord] = {}
        self.meanwhile: list[ClientRecord] = []

    def recording(self, recording: Recording) -> "Store":
        return self

    async def clients(self) -> Sequence[ClientRecord]:
        return list(self.records.values())

    async def claim(self, name: str) -> EntryChange:
        return EntryChange(ClientName, SYSTEM_TENANT, name, 0, None)

    async def put(self, record: ClientRecord, *, entries: Sequence[EntryChange] = ()) -> None:
        if self.meanwhile:
            other = self.meanwhile.pop(0)
            self.records[other.client] = other
        stored = self.records.get(record.client)
        if record.revision == 0 and (
            stored is not None or any(r.fingerprint == record.fingerprint for r in self.records.values())
        ):
            raise ClientExists
        if stored is not None and stored.revision != record.revision:
            raise ClientChanged
        self.records[record.client] = dataclasses.replace(record, revision=record.revision + 1)


async def enrol(store: Store, name: str = "web", fingerprint: str = "f1") -> ClientRecord:
    return await records.enrol(
        store,
        name=name,
        fingerprint=fingerprint,
        groups=["b", "a", "b"],
        username=None,
        password_hash=None,
        now=NOW,
    )


async def test_each_client_has_a_number_of_its_own_and_its_groups_are_sorted() -> None:
    store = Store()
    first, second = await enrol(store), await enrol(store, "db", "f2")
    assert first.client != second.client
    assert second.groups == ("a", "b")


async def test_a_number_is_never_given_again_though_its_record_was_taken_out_of_the_database() -> None:
    """Objects and rules name clients by their number; the next one must not inherit them."""
    store, given = Store(), set[int]()
    for number in range(200):
        record = await enrol(store, "web", f"f{number}")
        assert record.client not in given
        assert 1 << 16 <= record.client < 1 << 53
        given.add(record.client)
        del store.records[record.client]


async def test_clients_do_not_share_the_cells_that_count_their_connections() -> None:
    store = Store()
    for number in range(300):
        await enrol(store, f"web-{number}", f"f{number}")
    assert len({number % COUNTED for number in store.records}) == 300


async def test_a_name_in_force_is_taken_and_free_again_after_revocation() -> None:
    store = Store()
    await enrol(store)
    with pytest.raises(OperatorError, match="enrolled already"):
        await enrol(store, fingerprint="f2")
    await records.revoke(store, "web", NOW)
    assert (await enrol(store, fingerprint="f2")).name == "web"


async def test_a_key_is_never_enrolled_twice() -> None:
    store = Store()
    await enrol(store)
    await records.revoke(store, "web", NOW)
    with pytest.raises(OperatorError, match="enrolled before"):
        await enrol(store)


async def test_a_number_that_another_node_takes_meanwhile_is_not_given_twice() -> None:
    store = Store()
    other = await enrol(Store(), "db", "f2")
    store.meanwhile.append(other)
    assert (await enrol(store)).client != other.client
    assert len(store.records) == 2


def test_a_name_that_two_enrol_at_once_in_two_tenants_is_given_to_one(tmp_path: Path) -> None:
    """The second looks for the name before the first has it, and commits after that."""
    kms = TestKms(tmp_path)
    store = StoredClients(kms.repository)
    first: dict[str, Any] = {"name": "web", "groups": (), "username": None, "password_hash": None}
    first["now"] = NOW
    others: list[ClientRecord] = []

    async def meanwhile() -> Sequence[EntryChange]:
        if not others:
            others.append(await records.enrol(store, fingerprint="f2", tenant=TenantId(2), **first))
        return ()

    with pytest.raises(OperatorError, match="enrolled already"):
        kms.run(records.enrol(store, fingerprint="f1", together_with=meanwhile, **first))
    assert [(record.name, record.tenant) for record in kms.run(store.clients())] == [("web", 2)]
    kms.run(records.revoke(store, "web", NOW))
    assert kms.run(records.enrol(store, fingerprint="f1", **first)).tenant == DEFAULT_TENANT
    kms.close()


async def test_revoking_is_repeated_when_another_node_changes_the_record_meanwhile() -> None:
    store = Store()
    number = (await enrol(store)).client
    changed = dataclasses.replace(store.records[number], groups=("new",), revision=2)
    store.meanwhile.append(changed)
    record = await records.revoke(store, "web", NOW)
    assert record.groups == ("new",)
    assert store.records[number].revoked_at == NOW


async def test_revoking_an_unknown_or_revoked_client_is_not_found() -> None:
    store = Store()
    with pytest.raises(NotFound, match="no client web"):
        await records.revoke(store, "web", NOW)
    await enrol(store)
    await records.revoke(store, "web", NOW)
    with pytest.raises(NotFound, match="revoked already"):
        await records.revoke(store, "web", NOW)


@pytest.mark.parametrize("name", ["web", "a", "10.0.0.1", "ops@example.com", "x" * 64, "Web_1+2-3"])
def test_ordinary_names_are_taken(name: str) -> None:
    assert records.check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "*", "a b", " web", "web\n", "wéb", "-web", "web.", "../web", "a/b", "x" * 65, "w\x00b"]
)
def test_names_that_could_be_mistaken_are_refused(name: str) -> None:
    with pytest.raises(OperatorError):
        records.check_name(name)


async def test_a_listing_never_holds_a_password_hash() -> None:
    store = Store()
    await records.enrol(
        store, name="web", fingerprint="f1", groups=[], username="u", password_hash="$argon2id$x", now=NOW
    )
    (record,) = store.records.values()
    assert "argon2" not in str(records.to_message(record))
    assert "argon2" not in repr(record)


async def test_a_key_that_was_a_clients_is_known_for_ever() -> None:
    """However many came after it: it never becomes the key of another client, nor again of the same."""
    store, now = Store(), NOW
    await enrol(store)
    for number in range(2, 3 * MAX_CERTIFICATES):
        new = ClientCertificate(fingerprint=f"f{number}", authority="a", serial=number, ends_at=now)
        record = await records.renew(store, "web", new, old_until=None)
    assert len(record.certificates) == MAX_CERTIFICATES
    for number in range(1, 3 * MAX_CERTIFICATES):
        with pytest.raises(OperatorError, match="enrolled before"):
            await enrol(store, "thief", f"f{number}")
    old = ClientCertificate(fingerprint="f1", authority="a", serial=1, ends_at=now)
    with pytest.raises(OperatorError, match="enrolled before"):
        await records.renew(store, "web", old, old_until=None)
