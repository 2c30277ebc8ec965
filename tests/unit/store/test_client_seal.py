"""The seal of client records: whoever writes the database lets nobody in."""

import asyncio
import dataclasses
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom.domain.clients import ClientCertificate, ClientRecord, Seal
from strongroom.domain.identity import DEFAULT_TENANT, ClientId, TenantId
from strongroom.server.clients.directory import ClientDirectory, Refusal
from strongroom.server.clients.stored import StoredClients, seal_older_records
from tests.kms import TestKms

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EARLIER = "1700000000"


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[TestKms]:
    kms = TestKms(tmp_path)
    yield kms
    kms.close()


def record(number: int, **changes: Any) -> ClientRecord:
    fresh = ClientRecord(
        client=ClientId(number),
        tenant=DEFAULT_TENANT,
        name=f"client-{number}",
        fingerprint=f"{number:064x}",
        groups=("a", "b"),
        username="user",
        password_hash="$argon2id$",
        enrolled_at=NOW,
        certificates=(
            ClientCertificate(
                fingerprint=f"{number:064x}",
                authority="f" * 64,
                serial=1 << 150,
                ends_at=NOW + timedelta(days=9),
            ),
        ),
    )
    return dataclasses.replace(fresh, **changes)


def sql(kms: TestKms, statement: str, *values: object) -> None:
    connection = sqlite3.connect(kms.directory / "strongroom.db", isolation_level=None)
    assert connection.execute(statement, values).rowcount == 1
    connection.close()


def records(kms: TestKms) -> dict[int, ClientRecord]:
    return {one.client: one for one in kms.run(kms.repository.clients())}


def put(kms: TestKms, *made: ClientRecord) -> None:
    for one in made:
        kms.run(StoredClients(kms.repository).put(one))


def test_the_oldest_keys_come_back_too_and_let_nobody_in(kms: TestKms) -> None:
    put(kms, record(1, former=("old", "older")), record(2, former=("revoked",), revoked_at=NOW))
    directory = ClientDirectory(StoredClients(kms.repository))
    kms.run(directory.refresh())
    assert directory.find("old") is directory.find("older") is Refusal.REPLACED
    assert directory.find("revoked") is Refusal.REVOKED


def test_a_key_that_was_revoked_lets_nobody_in_whatever_other_record_names_it(kms: TestKms) -> None:
    second = record(2)
    put(kms, record(1, former=(second.fingerprint, "older"), revoked_at=NOW), second)
    put(kms, record(3, former=("older",)))
    directory = ClientDirectory(StoredClients(kms.repository))
    kms.run(directory.refresh())
    assert directory.find(second.fingerprint) is directory.find("older") is Refusal.REVOKED


def test_a_record_comes_back_whole_with_what_has_no_column(kms: TestKms) -> None:
    made = record(1)
    put(kms, made)
    found = records(kms)[1]
    assert found == dataclasses.replace(made, revision=1)
    put(kms, dataclasses.replace(found, revoked_at=NOW))
    assert records(kms)[1] == dataclasses.replace(made, revision=2, revoked_at=NOW)


EDITS = {
    "fingerprint": "e" * 64,
    "name": "admin",
    "tenant": 2,
    "groups": '["admins"]',
    "username": None,
    "password_hash": "$argon2id$other",
    "enrolled_at": 1,
    "revoked_at": 1,
    "revision": 2,
    "store_key": None,
    "sealed": None,
}


@pytest.mark.parametrize("column", EDITS)
def test_an_edited_column_is_noticed_and_stops_nobody_else(kms: TestKms, column: str) -> None:
    put(kms, record(1), record(2))
    sql(kms, f"UPDATE clients SET {column} = ? WHERE client = 1", EDITS[column])
    found = records(kms)
    assert found[1].seal is not Seal.WHOLE
    assert found[2].seal is Seal.WHOLE


@pytest.mark.parametrize("seal", [None, b"", b"short", "text", 5])
def test_whoever_has_a_spoilt_seal_can_still_be_revoked(kms: TestKms, seal: object) -> None:
    put(kms, record(1))
    sql(kms, "UPDATE clients SET sealed = ? WHERE client = 1", seal)
    put(kms, dataclasses.replace(records(kms)[1], revoked_at=NOW))
    found = records(kms)[1]
    assert (found.seal, found.revoked_at) == (Seal.WHOLE, NOW)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("groups", "no JSON"),
        ("groups", "[1, null]"),
        ("groups", "5"),
        ("name", b"\xff\x00"),
        ("fingerprint", 12),
        ("tenant", "x"),
        ("enrolled_at", "soon"),
        ("enrolled_at", 1 << 62),
        ("revoked_at", b""),
        ("revision", "one"),
        ("sealed", b""),
        ("sealed", "text"),
        ("store_key", "none"),
    ],
)
def test_a_spoilt_row_is_an_alarm_and_no_failure(kms: TestKms, column: str, value: object) -> None:
    put(kms, record(1), record(2))
    sql(kms, f"UPDATE clients SET {column} = ? WHERE client = 1", value)
    found = records(kms)
    assert found[1].seal is not Seal.WHOLE
    assert found[2].seal is Seal.WHOLE
    directory = ClientDirectory(StoredClients(kms.repository))
    assert kms.run(directory.refresh())
    assert directory.find(record(1).fingerprint) in (Refusal.TAMPERED, Refusal.UNKNOWN)
    assert not isinstance(directory.find(record(2).fingerprint), Refusal)


@pytest.mark.parametrize(
    "column", ["name", "fingerprint", "groups", "username", "password_hash", "sealed", "revoked_at"]
)
def test_a_text_of_which_a_byte_was_damaged_shuts_out_nobody_else(kms: TestKms, column: str) -> None:
    """One that is no UTF-8 any more: SQLite gives it to nobody who wants a text."""
    put(kms, record(1), record(2))
    sql(kms, f"UPDATE clients SET {column} = CAST(? AS TEXT) WHERE client = 1", b'["\xff"]')
    directory = ClientDirectory(StoredClients(kms.repository))
    assert kms.run(directory.refresh())
    found = records(kms)
    assert (found[1].seal, found[2].seal) == (Seal.BROKEN, Seal.WHOLE)
    assert not isinstance(directory.find(record(2).fingerprint), Refusal)
    put(kms, dataclasses.replace(found[1], revoked_at=NOW))
    assert records(kms)[1].seal is Seal.WHOLE


def test_a_row_under_another_number_is_noticed(kms: TestKms) -> None:
    put(kms, record(1))
    sql(kms, "UPDATE clients SET client = 7 WHERE client = 1")
    assert records(kms)[7].seal is Seal.BROKEN


def test_seals_of_two_rows_are_not_exchanged(kms: TestKms) -> None:
    put(kms, record(1), record(2))
    sql(kms, "UPDATE clients SET sealed = (SELECT sealed FROM clients WHERE client = 2) WHERE client = 1")
    assert records(kms)[1].seal is Seal.BROKEN


def test_a_changed_record_neither_lets_in_nor_shuts_out_another(kms: TestKms) -> None:
    """The key of a client in force stays its own, whatever row names it too."""
    put(kms, record(1), record(2))
    directory = ClientDirectory(StoredClients(kms.repository))
    kms.run(directory.refresh())
    attacker = "a" * 64
    sql(kms, "UPDATE clients SET fingerprint = ? WHERE client = 1", attacker)
    assert kms.run(directory.refresh())
    assert directory.find(attacker) is Refusal.TAMPERED
    assert directory.find(record(1).fingerprint) is Refusal.UNKNOWN
    assert directory.in_force(ClientId(1)) is None
    assert directory.in_force(ClientId(2)) is not None


def test_a_revoked_client_is_not_made_valid_again_by_an_edit(kms: TestKms) -> None:
    put(kms, record(1, revoked_at=NOW))
    sql(kms, "UPDATE clients SET revoked_at = NULL WHERE client = 1")
    directory = ClientDirectory(StoredClients(kms.repository))
    kms.run(directory.refresh())
    assert directory.find(record(1).fingerprint) is Refusal.TAMPERED


def unseal(kms: TestKms) -> None:
    """Make the records what an older release has written."""
    connection = sqlite3.connect(kms.directory / "strongroom.db", isolation_level=None)
    connection.execute("UPDATE clients SET store_key = NULL, sealed = NULL")
    connection.close()


def test_records_of_an_older_release_are_sealed_once(kms: TestKms, tmp_path: Path) -> None:
    put(kms, record(1), record(2, revoked_at=NOW))
    unseal(kms)
    marker = tmp_path / "clients.sealed"
    assert {one.seal for one in records(kms).values()} == {Seal.MISSING}
    kms.run(seal_older_records(kms.repository, marker))
    assert {one.seal for one in records(kms).values()} == {Seal.WHOLE}
    assert marker.exists()
    unseal(kms)
    kms.run(seal_older_records(kms.repository, marker))
    assert {one.seal for one in records(kms).values()} == {Seal.MISSING}


def test_an_unsealed_record_among_sealed_ones_is_never_believed(kms: TestKms, tmp_path: Path) -> None:
    put(kms, record(1), record(2))
    sql(kms, "UPDATE clients SET store_key = NULL, sealed = NULL WHERE client = 1")
    kms.run(seal_older_records(kms.repository, tmp_path / "clients.sealed"))
    assert records(kms)[1].seal is Seal.MISSING


def test_two_processes_seal_at_once(kms: TestKms, tmp_path: Path) -> None:
    put(kms, record(1), record(2))
    unseal(kms)

    async def both() -> None:
        marker = tmp_path / "clients.sealed"
        await asyncio.gather(*(seal_older_records(kms.repository, marker) for _ in range(2)))

    kms.run(both())
    assert {one.seal for one in records(kms).values()} == {Seal.WHOLE}


def test_a_tenant_cannot_be_given_by_an_edit(kms: TestKms) -> None:
    put(kms, record(1))
    sql(kms, "UPDATE clients SET tenant = 5 WHERE client = 1")
    directory = ClientDirectory(StoredClients(kms.repository))
    kms.run(directory.refresh())
    assert TenantId(5) not in {client.tenant for client in directory.all_in_force()}
