"""The recovery kit, as people keep it and use it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest

from strongroom.domain.ports import RootKeyError
from strongroom.model.secret import SecretBytes
from strongroom.rootkey import kit
from strongroom.rootkey.envelope import parse
from strongroom.rootkey.making import NewRoot
from strongroom.rootkey.recovering import Recovering, check, next_generation
from strongroom.rootkey.recovery import IDENTITY_PREFIX, Recipient
from strongroom.rootkey.shares import Split, WrongShare
from strongroom.rootkey.stored import StoredKeyring
from tests.unit.rootkey.conftest import KEY, begin, new, opened, place


def made(split: Split | None = None) -> kit.Kit:
    return kit.make(split, made="today", name="/srv/keys")


def test_a_kit_opens_what_was_wrapped_for_it(make_root: Callable[[int], NewRoot], tmp_path: Path) -> None:
    some = made()
    wrapped = begin(tmp_path, make_root(1), recipient=some.recipient).wrap(KEY)
    assert kit.read(some.files).open(parse(wrapped).recovery) == KEY


def test_what_is_wrapped_for_it_is_ordinary_age(tmp_path: Path) -> None:
    """So that the kit can be tried with other people's programs."""
    some = made()
    recovery = Recipient(some.recipient).seal(KEY)
    line = next(
        line for line in some.files[0].reveal().decode().splitlines() if line.startswith(IDENTITY_PREFIX)
    )
    assert pyrage.decrypt(recovery.sealed, [pyrage.x25519.Identity.from_str(line)]) == KEY.reveal()


def test_a_kit_says_what_it_is_and_what_to_do_with_it() -> None:
    content = made().files[0].reveal().decode()
    for words in ("/srv/keys", "root recover", "Keep it", "Replace it", "age1"):
        assert words in content


def test_any_m_files_of_a_kit_in_shares_open() -> None:
    some = made(Split(3, 5))
    assert len(some.files) == 5
    for files in (some.files[:3], some.files[2:], some.files):
        assert kit.read(files).recipient.text == some.recipient
    with pytest.raises(WrongShare, match="3 different shares are needed, here are 2"):
        kit.read(some.files[:2])
    assert not any(IDENTITY_PREFIX in file.reveal().decode() for file in some.files)


def test_files_of_two_kits_are_not_mixed() -> None:
    one, other = made(Split(2, 3)), made(Split(2, 3))
    with pytest.raises(WrongShare, match="different secrets"):
        kit.read([one.files[0], other.files[1]])


@pytest.mark.parametrize("content", [b"", b"# only words\n", b"AGE-SECRET-KEY-1NOT\n", b"\xff\xfe", b"hello"])
def test_what_is_no_kit_is_refused_and_not_shown(content: bytes) -> None:
    with pytest.raises(RootKeyError) as caught:
        kit.read([SecretBytes(content)])
    assert "1NOT" not in str(caught.value)


def test_shares_of_a_root_key_are_no_kit() -> None:
    with pytest.raises(RootKeyError, match="use them to unseal"):
        kit.read(new("shares").shares)


def test_another_kit_and_none_are_told_apart(tmp_path: Path) -> None:
    root = begin(tmp_path, new("file"))
    identity = kit.read(made().files)
    with pytest.raises(RootKeyError, match="never wrapped for a recovery kit"):
        check(identity, [root.wrap(KEY)])
    root.set_recovery(made().recipient)
    with pytest.raises(RootKeyError, match="another recovery kit"):
        check(identity, [root.wrap(KEY)])


def test_with_the_kit_a_lost_root_key_is_replaced(
    make_root: Callable[[int], NewRoot], tmp_path: Path
) -> None:
    some = made(Split(2, 3))
    wrapped = begin(tmp_path, make_root(1), recipient=some.recipient).wrap(KEY)
    for lost in ("root.key", "recovery.pub"):
        (tmp_path / lost).unlink(missing_ok=True)
    identity = kit.read(some.files[1:])
    where = replace(place(tmp_path), passphrase=lambda: None)
    for _ in range(2):  # killed the first time, and done again
        check(identity, [wrapped])
        found = new("file", next_generation(where, [wrapped]))
        root = Recovering(identity, where, found.record, found.secret)
        assert root.unwrap(wrapped) == KEY
    again = root.wrap(root.unwrap(wrapped))
    root.new.complete(root.new.state)
    keyring = StoredKeyring(place(tmp_path))
    assert keyring.unwrap(again) == KEY
    assert keyring.generation == 3, "no number is used again"
    assert keyring.recovery == some.recipient, "the kit stays good"
    assert kit.read(some.files[:2]).open(parse(again).recovery) == KEY


def test_recovery_to_shares_is_opened_by_the_new_shares(tmp_path: Path) -> None:
    some = made()
    wrapped = begin(tmp_path, new("file"), recipient=some.recipient).wrap(KEY)
    identity = kit.read(some.files)
    found = new("shares", 2)
    root = Recovering(identity, place(tmp_path), found.record, found.secret)
    again = root.wrap(root.unwrap(wrapped))
    root.new.complete(root.new.state)
    assert not (tmp_path / "root.key").exists()
    assert opened(tmp_path, found).unwrap(again) == KEY
