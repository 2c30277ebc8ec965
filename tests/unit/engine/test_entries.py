"""Entries in a unit of work: sealed, compared, seen as changed."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.domain.entries import Entry
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.store import LostRace
from strongroom.domain.store_failures import DamagedEntry, TamperedRecord
from strongroom.engine.batch import BatchMemory
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.model.secret import SecretBytes
from strongroom.wire.limits import DEFAULT_LIMITS
from tests.kms import ALICE, BOB, TestKms

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Note(Entry, kind=900):
    """What the tests keep."""

    data: SecretBytes


class Other(Entry, kind=901):
    """Looks the same in the database."""

    data: SecretBytes


def note(text: bytes) -> Note:
    return Note(data=SecretBytes(text))


def work_of(kms: TestKms, caller: ClientIdentity = ALICE) -> UnitOfWork:
    return UnitOfWork(kms.repository, BatchMemory(), caller=caller, now=NOW)


def keep(kms: TestKms, key: str, text: bytes = b"first", *, caller: ClientIdentity = ALICE) -> None:
    work = work_of(kms, caller)
    work.entries.put(key, note(text), due=NOW)
    kms.run(work.commit(work.changes()))


def read(kms: TestKms, key: str, caller: ClientIdentity = ALICE) -> bytes | None:
    kept = kms.run(work_of(kms, caller).entries.get(Note, key))
    return None if kept is None else kept.value.data.reveal()


def test_an_entry_is_there_after_a_restart(kms: TestKms, tmp_path: Path) -> None:
    keep(kms, "k", b"text")
    again = TestKms(tmp_path)
    assert read(again, "k") == b"text"
    again.close()


def test_an_entry_longer_than_a_message_can_be_read(kms: TestKms) -> None:
    large = bytes(DEFAULT_LIMITS.message_size + 1)
    keep(kms, "k", large)
    assert read(kms, "k") == large


def test_the_value_is_not_in_the_database_in_clear(kms: TestKms, tmp_path: Path) -> None:
    keep(kms, "k", b"a value that is easy to find")
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("strongroom.db*"))
    assert b"easy to find" not in stored


@pytest.mark.parametrize(
    ("column", "value"), [("owner", 2), ("due", 1), ("key", "other"), ("generation", 5), ("kind", 901)]
)
def test_an_edited_row_is_noticed(kms: TestKms, tmp_path: Path, column: str, value: object) -> None:
    keep(kms, "k")
    with sqlite3.connect(tmp_path / "strongroom.db") as database:
        database.execute(f"UPDATE entries SET {column} = ?", (value,))
    database.close()
    kind, key = (Other if column == "kind" else Note), ("other" if column == "key" else "k")
    with pytest.raises(TamperedRecord):
        kms.run(work_of(kms).entries.get(kind, key))


def test_two_that_change_what_both_have_read_do_not_both_win(kms: TestKms) -> None:
    keep(kms, "k")
    first, second = work_of(kms), work_of(kms)
    for work in (first, second):
        kms.run(work.entries.get(Note, "k"))
        work.entries.put("k", note(b"changed"))
    kms.run(first.commit(first.changes()))
    with pytest.raises(LostRace):
        kms.run(second.commit(second.changes()))


def test_a_key_that_was_not_read_is_not_overwritten(kms: TestKms) -> None:
    keep(kms, "k", b"first")
    with pytest.raises(LostRace):
        keep(kms, "k", b"second")
    assert read(kms, "k") == b"first"


def test_what_was_not_there_is_not_there_for_the_whole_unit_of_work(kms: TestKms) -> None:
    work = work_of(kms)
    assert kms.run(work.entries.get(Note, "k")) is None
    keep(kms, "k", b"first")
    assert kms.run(work.entries.get(Note, "k")) is None
    assert kms.run(work.entries.mine(Note)) == []
    work.entries.put("k", note(b"second"))
    with pytest.raises(LostRace):
        kms.run(work.commit(work.changes()))
    assert read(kms, "k") == b"first"


def test_what_was_changed_is_seen_changed_before_the_commit(kms: TestKms) -> None:
    keep(kms, "a")
    keep(kms, "b")
    work = work_of(kms)
    work.entries.put("c", note(b"new"))
    for kept in kms.run(work.entries.mine(Note)):
        if kept.key == "a":
            work.entries.remove(kept)
    assert [kept.key for kept in kms.run(work.entries.mine(Note))] == ["b", "c"]
    assert kms.run(work.entries.get(Note, "a")) is None
    kms.run(work.commit(work.changes()))
    assert [kept.key for kept in kms.run(work_of(kms).entries.mine(Note))] == ["b", "c"]


def test_made_and_removed_again_is_no_change(kms: TestKms) -> None:
    work = work_of(kms)
    work.entries.put("k", note(b"x"))
    kept = kms.run(work.entries.get(Note, "k"))
    assert kept is not None
    work.entries.remove(kept)
    assert not work.changes()


def test_only_the_owner_has_an_entry_among_its_own(kms: TestKms) -> None:
    keep(kms, "k", caller=BOB)
    assert kms.run(work_of(kms).entries.mine(Note)) == []
    kept = kms.run(work_of(kms).entries.get(Note, "k"))
    assert kept is not None
    assert kept.owner == BOB.client


def test_an_entry_keeps_its_owner_when_somebody_else_changes_it(kms: TestKms) -> None:
    keep(kms, "k", caller=BOB)
    work = work_of(kms)
    kms.run(work.entries.get(Note, "k"))
    work.entries.put("k", note(b"changed"))
    kms.run(work.commit(work.changes()))
    kept = kms.run(work_of(kms).entries.get(Note, "k"))
    assert kept is not None
    assert (kept.owner, kept.generation, kept.value.data.reveal()) == (BOB.client, 2, b"changed")


def test_due_entries_of_every_client_are_found(kms: TestKms) -> None:
    keep(kms, "a")
    keep(kms, "b", caller=BOB)
    found = kms.run(kms.repository.due_entries(Note, NOW + timedelta(seconds=1), 10))
    assert [kept.key for kept in found] == ["a", "b"]
    assert kms.run(kms.repository.due_entries(Note, NOW, 10)) == []


def test_a_damaged_entry_that_is_due_is_left_out_only_for_who_is_told_of_it(kms: TestKms) -> None:
    keep(kms, "a")
    keep(kms, "b")
    with sqlite3.connect(kms.directory / "strongroom.db") as editor:
        editor.execute("UPDATE entries SET sealed = zeroblob(40) WHERE key = 'a'")
    editor.close()
    later, told = NOW + timedelta(seconds=1), list[DamagedEntry]()
    (kept,) = kms.run(kms.repository.due_entries(Note, later, 10, damaged=told.append))
    assert kept.key == "b"
    assert [(one.tenant, one.key, one.generation) for one in told] == [(kept.tenant, "a", 1)]
    with pytest.raises(TamperedRecord):
        kms.run(kms.repository.due_entries(Note, later, 10))


def test_a_kind_is_declared_once() -> None:
    with pytest.raises(TypeError, match="kind 900"):

        class Another(Entry, kind=900):
            data: SecretBytes
