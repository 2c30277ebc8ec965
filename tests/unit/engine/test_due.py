"""Entries that are due: one that cannot be opened or done keeps no other back."""

import sqlite3
from datetime import timedelta

import pytest

from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.store import Changes
from strongroom.domain.store_failures import StoreFailure, TamperedRecord
from strongroom.engine.due import each_due
from strongroom.store.url import SqliteUrl
from tests.kms import TestKms
from tests.unit.engine.test_entries import NOW, Note, keep

AT_ONCE = 2


def damage(kms: TestKms, keys: str) -> None:
    assert isinstance(kms.url, SqliteUrl)
    with sqlite3.connect(kms.url.path) as editor:
        editor.executemany("UPDATE entries SET sealed = zeroblob(40) WHERE key = ?", [(key,) for key in keys])
    editor.close()


def look(kms: TestKms, had: list[str], failing: dict[str, Exception] | None = None) -> None:
    """Take away what is due, and list it in `had`."""

    async def do(kept: Kept[Note]) -> None:
        had.append(kept.key)
        if failing and kept.key in failing:
            raise failing[kept.key]
        change = EntryChange(Note, kept.tenant, kept.key, kept.generation, None)
        await kms.repository.commit(Changes(entries=[change]))

    kms.run(each_due(kms.repository, Note, NOW + timedelta(seconds=1), AT_ONCE, do))


def test_no_more_are_done_at_once_than_asked_for(kms: TestKms) -> None:
    for key in "abc":
        keep(kms, key)
    had: list[str] = []
    look(kms, had)
    assert had == ["a", "b"]
    look(kms, had)
    assert had == ["a", "b", "c"]


def test_damaged_ones_are_told_and_do_not_fill_the_page(kms: TestKms) -> None:
    for key in "abcdef":
        keep(kms, key)
    damage(kms, "abce")
    had: list[str] = []
    with pytest.raises(TamperedRecord, match="Note a"):
        look(kms, had)
    assert had == ["d", "f"]


def test_ones_that_fail_are_told_and_do_not_fill_the_page(kms: TestKms) -> None:
    for key in "abcdef":
        keep(kms, key)
    had: list[str] = []
    with pytest.raises(RuntimeError, match="first"):
        look(kms, had, {"a": RuntimeError("first"), "b": RuntimeError("next"), "c": RuntimeError("last")})
    assert [key for key in had if key not in "abc"] == ["d", "e"]


def test_a_store_that_fails_is_not_asked_for_everything_there_is(kms: TestKms) -> None:
    for key in "abcdef":
        keep(kms, key)
    had: list[str] = []
    with pytest.raises(StoreFailure):
        look(kms, had, {key: StoreFailure("the disk is full") for key in "abcdef"})
    assert had == ["a", "b"]
