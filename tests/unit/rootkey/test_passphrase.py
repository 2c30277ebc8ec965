"""A root key that a passphrase opens."""

import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strongroom.domain.ports import RootKeyError, RootKeySealed
from strongroom.model.secret import SecretBytes
from strongroom.rootkey import passphrase
from strongroom.rootkey.passphrase import WrongPassphrase, check_new, open_, seal
from strongroom.rootkey.stored import StoredKeyring
from tests.unit.rootkey.conftest import KEY, NEXT_PASSPHRASE, PASSPHRASE, begin, new, place


@pytest.mark.parametrize(
    "wrong", [b"", b"correct horse battery stapl", b"Correct horse battery staple", b"\xff"]
)
def test_a_wrong_passphrase_opens_nothing(wrong: bytes) -> None:
    with pytest.raises(WrongPassphrase):
        open_(seal(KEY, PASSPHRASE), SecretBytes(wrong))


def test_the_same_characters_typed_elsewhere_open() -> None:
    composed = "Schlüssel für den Tresorraum"
    kept = seal(KEY, SecretBytes(unicodedata.normalize("NFC", composed).encode()))
    assert open_(kept, SecretBytes(unicodedata.normalize("NFD", composed).encode())) == KEY


def test_what_was_sealed_with_other_costs_still_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = seal(KEY, PASSPHRASE)
    monkeypatch.setattr(passphrase, "TIME_COST", 5)
    monkeypatch.setattr(passphrase, "LANES", 1)
    assert seal(KEY, PASSPHRASE)["time_cost"] == 5
    assert open_(kept, PASSPHRASE) == KEY


def test_the_costs_of_the_product_are_those_of_rfc_9106_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert passphrase.MEMORY_KIB >= 64 * 1024
    assert passphrase.TIME_COST >= 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory_kib", passphrase._MOST_MEMORY_KIB + 1),
        ("memory_kib", 0),
        ("time_cost", passphrase._MOST_TIME + 1),
        ("time_cost", 0),
        ("lanes", passphrase._MOST_LANES + 1),
        ("lanes", 0),
        ("kdf", "md5"),
        ("salt", "!"),
        ("sealed", None),
        ("time_cost", "x"),
    ],
)
def test_a_damaged_record_is_refused_before_it_costs_anything(
    monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    record = {**seal(KEY, PASSPHRASE), name: value}

    def stretched(*_: object) -> SecretBytes:
        raise AssertionError("it has cost something")

    monkeypatch.setattr(passphrase, "_stretch", stretched)
    with pytest.raises(RootKeyError, match="damaged"):
        open_(record, PASSPHRASE)


def test_a_short_passphrase_is_no_new_one() -> None:
    with pytest.raises(RootKeyError, match="12 characters"):
        check_new(SecretBytes("Tür".encode() * 3))
    check_new(SecretBytes(b"twelve chars"))


def test_without_the_passphrase_it_is_sealed(tmp_path: Path) -> None:
    wrapped = begin(tmp_path, new("passphrase")).wrap(KEY)
    found = StoredKeyring(place(tmp_path))
    assert found.sealed
    assert found.wants_passphrase
    with pytest.raises(RootKeySealed):
        found.unwrap(wrapped)
    with pytest.raises(WrongPassphrase):
        found.give_passphrase(SecretBytes(b"something else entirely"))
    assert found.sealed
    found.give_passphrase(PASSPHRASE)
    assert found.unwrap(wrapped) == KEY


def replaced(folder: Path) -> StoredKeyring:
    """Return the root keys of a server that knows its passphrase and has just got another one."""
    begin(folder, new("passphrase"))
    keyring = StoredKeyring(place(folder, PASSPHRASE))
    made = new("passphrase", 2, phrase=NEXT_PASSPHRASE)
    keyring.adopt(keyring.prepare(made.described, made.secret))
    return keyring


def test_a_known_passphrase_that_opens_nothing_stops_the_start(tmp_path: Path) -> None:
    begin(tmp_path, new("passphrase"))
    with pytest.raises(WrongPassphrase):
        StoredKeyring(place(tmp_path, NEXT_PASSPHRASE))


def test_a_known_passphrase_of_an_older_root_key_keeps_nobody_from_opening(tmp_path: Path) -> None:
    keyring = replaced(tmp_path)
    wrapped = keyring.wrap(KEY)
    keyring.complete(keyring.state)
    assert keyring.unwrap(wrapped) == KEY
    keyring.close()
    keyring.reopen()
    assert keyring.sealed
    assert keyring.wants_passphrase
    keyring.give_passphrase(NEXT_PASSPHRASE)
    assert keyring.unwrap(wrapped) == KEY


def test_whoever_has_missed_a_change_waits_for_the_new_passphrase(tmp_path: Path) -> None:
    begin(tmp_path, new("passphrase"))
    behind = StoredKeyring(place(tmp_path, PASSPHRASE))
    keyring = replaced(tmp_path)
    keyring.complete(keyring.state)
    assert behind.follow()
    assert behind.sealed
    behind.give_passphrase(NEXT_PASSPHRASE)
    assert behind.unwrap(keyring.wrap(KEY)) == KEY


def test_a_passphrase_that_cannot_be_read_counts_as_none_once_it_runs(tmp_path: Path) -> None:
    """Its file is gone, or was a pipe."""
    begin(tmp_path, new("passphrase"))
    keyring = StoredKeyring(place(tmp_path, PASSPHRASE))
    keyring.close()

    def unreadable() -> SecretBytes:
        raise RootKeyError("cannot read the passphrase")

    vars(keyring)["_place"] = replace(place(tmp_path), passphrase=unreadable)
    keyring.reopen()
    assert keyring.sealed
    keyring.give_passphrase(PASSPHRASE)
    assert not keyring.sealed
    with pytest.raises(RootKeyError, match="cannot read"):
        StoredKeyring(keyring._place)


def test_in_the_middle_of_a_change_the_older_passphrase_is_enough_and_the_newer_is_not(
    tmp_path: Path,
) -> None:
    wrapped = replaced(tmp_path).wrap(KEY)
    found = StoredKeyring(place(tmp_path))
    with pytest.raises(WrongPassphrase):
        found.give_passphrase(SecretBytes(b"something else entirely"))
    found.give_passphrase(NEXT_PASSPHRASE)
    assert found.sealed, "what is not wrapped again yet is under the older root key"
    assert found.wants_passphrase
    found.give_passphrase(PASSPHRASE)
    assert found.unwrap(wrapped) == KEY
    assert not StoredKeyring(place(tmp_path, PASSPHRASE)).sealed
    assert StoredKeyring(place(tmp_path, NEXT_PASSPHRASE)).sealed
