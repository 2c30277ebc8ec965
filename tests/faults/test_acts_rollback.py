"""Safeguards against whoever can write the database: what is taken away, or put back, is noticed.

Rule: as in `test_rollback.py`. A requirement, a hold and a vote are entries; that none can be forged is for
their seal, and that none vanishes or comes back is for the chain of changes.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from strongroom.domain.acts import Act, Safeguards
from strongroom.domain.approvals import LIFETIME, Approval
from strongroom.domain.audit import Recording
from strongroom.domain.doubts import Subject
from strongroom.domain.entries import Entry, EntryChange
from strongroom.domain.holds import Hold
from strongroom.domain.parking import Parked
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.registry import V3_0
from strongroom.server.administration.command import perform
from strongroom.server.kept import decided, put
from strongroom.server.recording import act as recorded_act
from strongroom.server.voting import cast
from tests.faults.test_rollback import Database, about, database, found, kms
from tests.kms import Refused, TestKms
from tests.postgres import postgres_server
from tests.safeguards import CAROL, hold, only_name, people
from tests.unit.server.test_administration import administrator

__all__ = ["database", "kms", "postgres_server"]

TAKEN_AWAY = "its record was taken away without being removed"
PUT_BACK = "it was removed, and its record was put back"
WINDOW = 3600


def command(kms: TestKms, **request: Any) -> Any:
    admin = replace(administrator(kms), now=kms.clock.now())
    done = kms.run(perform(admin, request))
    kms.run(kms.dispatcher.refresh())
    return done


def window(kms: TestKms, seconds: int) -> None:
    command(kms, command="safeguard.set", tenant="default", deletion_window=seconds)


def require(kms: TestKms, act: str, votes: int) -> None:
    """Lay down a requirement as the command does, without asking whether there are people enough."""
    recording = Recording(recorded_act({"command": "approval.require"}, kms.clock.now()))
    store = kms.repository.recording(recording)

    async def decide() -> tuple[list[EntryChange], None]:
        before = await store.load_entry(Safeguards, SYSTEM_TENANT, "1")
        assert before is not None
        after = before.value.requiring(Act(act), votes)
        return [put(Safeguards, SYSTEM_TENANT, "1", after, before)], None

    kms.run(decided(store, decide))
    kms.run(kms.dispatcher.refresh())


def approved(kms: TestKms, request: Any) -> None:
    """Have a request refused, and approved by Carol."""
    with pytest.raises(Refused):
        kms.call(request)
    kms.run(
        cast(
            kms.repository,
            only_name(kms),
            person="carol",
            client=CAROL,
            approves=True,
            now=kms.clock.now(),
        )
    )


def rows(database: Database, kind: type[Entry]) -> list[tuple[Any, ...]]:
    columns = "tenant, kind, key, owner, generation, due, store_key, sealed"
    found = database.run(f"SELECT {columns} FROM entries WHERE kind = ?", kind.kind)
    return [tuple(row) for row in found]


def put_back(database: Database, row: tuple[Any, ...]) -> None:
    database.run("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *row)


def doubts(kms: TestKms) -> list[tuple[str, str]]:
    return about(found(kms), Subject.ENTRY)


def test_an_honest_life_with_holds_windows_and_approvals_is_not_doubted(kms: TestKms) -> None:
    people(kms)
    window(kms, WINDOW)
    keys = [kms.create_symmetric_key() for _ in range(5)]
    for key in keys[:3]:
        kms.call(DestroyRequest(unique_identifier=key))
    command(kms, command="object.restore", unique_identifier=keys[0])
    kms.call(ObliterateRequest(unique_identifier=keys[1]), version=V3_0)
    name = hold(kms, unique_identifier=keys[2])
    kms.clock.pass_time(hours=2)
    kms.run(kms.dispatcher.transactions.guard.tidy(kms.clock.now()))
    command(kms, command="hold.remove", hold=name)
    kms.clock.pass_time(hours=2)
    kms.run(kms.dispatcher.transactions.guard.tidy(kms.clock.now()))
    require(kms, "export", 1)
    request = GetRequest(unique_identifier=keys[3])
    approved(kms, request)
    kms.call(request)
    approved(kms, request)
    kms.clock.time += LIFETIME + timedelta(seconds=1)
    kms.run(kms.dispatcher.transactions.guard.approvals.tidy(kms.clock.now()))
    assert found(kms) == []


@pytest.mark.parametrize("kind", [Safeguards, Hold, Parked])
def test_a_safeguard_that_is_taken_away_is_noticed(
    kms: TestKms, database: Database, kind: type[Entry]
) -> None:
    window(kms, WINDOW)
    key = kms.create_symmetric_key()
    hold(kms, group="evidence")
    kms.call(DestroyRequest(unique_identifier=key))
    (row,) = rows(database, kind)
    database.run("DELETE FROM entries WHERE kind = ?", kind.kind)
    assert doubts(kms) == [(f"{kind.kind}/{row[2]}", TAKEN_AWAY)]


def test_an_approval_that_was_used_and_is_put_back_is_noticed(kms: TestKms, database: Database) -> None:
    people(kms)
    window(kms, WINDOW)
    require(kms, "export", 1)
    request = GetRequest(unique_identifier=kms.create_symmetric_key())
    approved(kms, request)
    (row,) = rows(database, Approval)
    kms.call(request)
    put_back(database, row)
    assert doubts(kms) == [(f"{Approval.kind}/{row[2]}", PUT_BACK)]


def test_an_older_requirement_that_is_put_back_is_noticed(kms: TestKms, database: Database) -> None:
    window(kms, WINDOW)
    (row,) = rows(database, Safeguards)
    require(kms, "destroy", 2)
    database.run("DELETE FROM entries WHERE kind = ?", Safeguards.kind)
    put_back(database, row)
    ((name, reason),) = doubts(kms)
    assert name == f"{Safeguards.kind}/1"
    assert "old record was put back" in reason


def test_parked_material_that_is_put_back_after_its_end_is_noticed(kms: TestKms, database: Database) -> None:
    window(kms, WINDOW)
    key = kms.create_symmetric_key()
    kms.call(DestroyRequest(unique_identifier=key))
    (row,) = rows(database, Parked)
    kms.clock.pass_time(hours=2)
    kms.run(kms.dispatcher.transactions.guard.tidy(kms.clock.now()))
    put_back(database, row)
    assert doubts(kms) == [(f"{Parked.kind}/{key}", PUT_BACK)]
