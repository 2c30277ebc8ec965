"""The queue of unknown certificates: bounded, counted, forgotten; and the warnings of ends."""

import datetime as dt
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.domain.clients import ClientCertificate, ClientRecord
from strongroom.domain.identity import DEFAULT_TENANT, ClientId
from strongroom.server.certificates.ca import INVITATION
from strongroom.server.certificates.expiry import EndingCertificates, EndingsTold
from strongroom.server.clients.directory import PeerCertificate, read_certificate
from strongroom.server.clients.pending import HELD, LIFETIME, Strangers, find, queue, to_message
from strongroom.server.errors import NotFound, OperatorError
from tests.kms import TestKms
from tests.unit.server.authorities_made import OutsideAuthority
from tests.unit.server.conftest import NOW

MAXIMUM = 5


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[TestKms]:
    kms = TestKms(tmp_path)
    yield kms
    kms.close()


@pytest.fixture(scope="module")
def made() -> list[PeerCertificate]:
    outside = OutsideAuthority(now=NOW)
    return [
        read_certificate(outside.issue(f"c{number}")[0].public_bytes(Encoding.DER)) for number in range(8)
    ]


def keys(kms: TestKms) -> set[str]:
    return {one.key for one in kms.run(queue(kms.repository))}


def test_what_is_seen_is_written_once_and_counted(kms: TestKms, made: list[PeerCertificate]) -> None:
    strangers = Strangers(kms.repository, MAXIMUM)
    for _ in range(3):
        strangers.note(made[0], "192.0.2.1:5")
    kms.run(strangers.tidy(NOW))
    (kept,) = kms.run(queue(kms.repository))
    assert (kept.key, kept.value.count) == (made[0].fingerprint, 3)
    strangers.note(made[0], "192.0.2.9:5")
    kms.run(strangers.tidy(NOW + dt.timedelta(minutes=1)))
    (kept,) = kms.run(queue(kms.repository))
    assert (kept.value.count, kept.value.address) == (4, "192.0.2.9:5")
    assert kept.value.last_seen - kept.value.first_seen == 60


def test_the_queue_is_bounded_and_what_came_last_stays(kms: TestKms, made: list[PeerCertificate]) -> None:
    strangers = Strangers(kms.repository, MAXIMUM)
    for number, one in enumerate(made):
        strangers.note(one, "192.0.2.1:5")
        kms.run(strangers.tidy(NOW + dt.timedelta(minutes=number)))
    assert keys(kms) == {one.fingerprint for one in made[-MAXIMUM:]}


def test_more_at_once_than_there_is_room_for_are_not_kept(kms: TestKms, made: list[PeerCertificate]) -> None:
    strangers = Strangers(kms.repository, MAXIMUM)
    for one in made:
        strangers.note(one, "192.0.2.1:5")
    kms.run(strangers.tidy(NOW))
    assert len(keys(kms)) == MAXIMUM


def test_a_worker_holds_few_until_they_are_written(made: list[PeerCertificate]) -> None:
    strangers = Strangers(None, MAXIMUM)  # type: ignore[arg-type]  # never asked
    strangers.note(made[0]._replace(der=b"0" * 20_000, fingerprint="long"), "192.0.2.1:5")
    for number in range(HELD * 3):
        strangers.note(made[0]._replace(fingerprint=str(number)), "192.0.2.1:5")
    assert len(strangers._seen) == HELD
    assert "long" not in strangers._seen


def test_an_invitation_that_was_used_or_withdrawn_waits_for_nobody(
    kms: TestKms, made: list[PeerCertificate]
) -> None:
    used = read_certificate(OutsideAuthority(now=NOW).issue(INVITATION)[0].public_bytes(Encoding.DER))
    strangers = Strangers(kms.repository, MAXIMUM)
    for one in (used, made[0], made[1]._replace(der=b"no certificate")):
        strangers.note(one, "192.0.2.1:5")
    kms.run(strangers.tidy(NOW))
    assert keys(kms) == {made[0].fingerprint, made[1].fingerprint}


def test_nothing_is_remembered_where_the_setting_is_0(kms: TestKms, made: list[PeerCertificate]) -> None:
    strangers = Strangers(kms.repository, 0)
    strangers.note(made[0], "192.0.2.1:5")
    kms.run(strangers.tidy(NOW))
    assert keys(kms) == set()


def test_one_that_does_not_come_again_is_forgotten(kms: TestKms, made: list[PeerCertificate]) -> None:
    strangers = Strangers(kms.repository, MAXIMUM)
    strangers.note(made[0], "192.0.2.1:5")
    kms.run(strangers.tidy(NOW))
    strangers.note(made[1], "192.0.2.1:5")
    kms.run(strangers.tidy(NOW + LIFETIME + dt.timedelta(days=1)))
    assert keys(kms) == {made[1].fingerprint}


@pytest.mark.parametrize("again", [0, 1], ids=["the same comes again", "another one comes"])
def test_what_is_damaged_is_taken_away_and_keeps_nobody_from_being_remembered(
    kms: TestKms, made: list[PeerCertificate], again: int
) -> None:
    strangers = Strangers(kms.repository, MAXIMUM)
    for one in (made[0], made[2]):
        strangers.note(one, "192.0.2.1:5")
    kms.run(strangers.tidy(NOW))
    with sqlite3.connect(kms.directory / "strongroom.db") as editor:
        editor.execute("UPDATE entries SET sealed = zeroblob(40) WHERE key = ?", (made[0].fingerprint,))
    editor.close()
    assert keys(kms) == {made[2].fingerprint}
    strangers.note(made[again], "192.0.2.1:5")
    kms.run(strangers.tidy(NOW + dt.timedelta(minutes=1)))
    assert keys(kms) == {made[2].fingerprint, made[again].fingerprint}


def test_two_workers_that_see_the_same_lose_nothing(kms: TestKms, made: list[PeerCertificate]) -> None:
    one, two = (Strangers(kms.repository, MAXIMUM) for _ in range(2))
    for strangers in (one, two):
        strangers.note(made[0], "192.0.2.1:5")

    async def both() -> None:
        await one.tidy(NOW)
        await two.tidy(NOW)

    kms.run(both())
    (kept,) = kms.run(queue(kms.repository))
    assert kept.value.count == 2


def test_a_certificate_is_named_by_enough_of_its_fingerprint(
    kms: TestKms, made: list[PeerCertificate]
) -> None:
    strangers = Strangers(kms.repository, MAXIMUM)
    strangers.note(made[0], "192.0.2.1:5")
    kms.run(strangers.tidy(NOW))
    known = made[0].fingerprint
    assert kms.run(find(kms.repository, known[:8].upper())).key == known
    assert to_message(kms.run(find(kms.repository, known)))["subject"] == "CN=c0"
    with pytest.raises(OperatorError, match="8 characters"):
        kms.run(find(kms.repository, known[:4]))
    with pytest.raises(NotFound):
        kms.run(find(kms.repository, "0" * 16))


def client(number: int, ends_in: dt.timedelta, **changes: Any) -> ClientRecord:
    certificate = ClientCertificate(fingerprint=str(number), authority="", serial=1, ends_at=NOW + ends_in)
    return ClientRecord(
        client=ClientId(number),
        tenant=DEFAULT_TENANT,
        name=f"client-{number}",
        fingerprint=str(number),
        groups=(),
        username=None,
        password_hash=None,
        enrolled_at=NOW,
        certificates=(certificate,),
        **changes,
    )


def test_ends_are_told_once_a_day_by_one_worker(kms: TestKms, logs: list[Any]) -> None:
    days = dt.timedelta(days=1)
    records = [
        client(1, 5 * days),
        client(2, 300 * days),
        client(3, -days),
        client(4, 5 * days, revoked_at=NOW),
    ]
    workers = [EndingCertificates(kms.repository, lambda: records, 30 * days) for _ in range(2)]
    for hours in (0, 1, 23, 25):
        for worker in workers:
            kms.run(worker.tidy(NOW + dt.timedelta(hours=hours)))
    told = [(entry["event"], entry["client"]) for entry in logs]
    day = [("certificate_ends", "client-1"), ("certificate_ended", "client-3")]
    assert told == day * 2


def test_ends_are_told_although_what_was_written_down_of_it_is_damaged(kms: TestKms, logs: list[Any]) -> None:
    days = dt.timedelta(days=1)
    worker = EndingCertificates(kms.repository, lambda: [client(1, 5 * days)], 30 * days)
    kms.run(worker.tidy(NOW))
    with sqlite3.connect(kms.directory / "strongroom.db") as editor:
        changed = editor.execute(
            "UPDATE entries SET sealed = zeroblob(40) WHERE kind = ?", (EndingsTold.kind,)
        )
        assert changed.rowcount == 1
    editor.close()
    for hours in (1, 2):
        kms.run(worker.tidy(NOW + dt.timedelta(hours=hours)))
    assert [entry["event"] for entry in logs] == ["certificate_ends"] * 2


def test_ends_are_told_again_after_a_clock_was_ahead(kms: TestKms, logs: list[Any]) -> None:
    days = dt.timedelta(days=1)
    records = [client(1, 5 * days)]
    told_ahead, other = (EndingCertificates(kms.repository, lambda: records, 30 * days) for _ in range(2))
    kms.run(told_ahead.tidy(NOW + 365 * days))
    for worker in (told_ahead, other):
        kms.run(worker.tidy(NOW))
    assert [entry["event"] for entry in logs] == ["certificate_ended", "certificate_ends"]
