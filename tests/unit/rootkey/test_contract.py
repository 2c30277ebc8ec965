"""What every root key does, wherever it comes from (`domain.ports.RootKey`)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.domain.ports import RootKeyError, WrongRootKey
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.making import NewRoot
from strongroom.rootkey.recovery import Identity
from strongroom.rootkey.stored import StoredKeyring
from tests.unit.rootkey.conftest import KEY, begin, new, opened, place

Make = Callable[[int], NewRoot]


def test_what_was_wrapped_is_unwrapped_after_a_restart(make_root: Make, tmp_path: Path) -> None:
    made = make_root(1)
    wrapped = begin(tmp_path, made).wrap(KEY)
    assert KEY.reveal() not in wrapped
    assert opened(tmp_path, made).unwrap(wrapped) == KEY


def test_what_is_wrapped_twice_differs(make_root: Make, tmp_path: Path) -> None:
    root = begin(tmp_path, make_root(1))
    assert root.wrap(KEY) != root.wrap(KEY)


def test_a_wrapped_key_in_which_any_byte_was_changed_is_refused(make_root: Make, tmp_path: Path) -> None:
    """The recovery copy belongs to it: without it the kit would fail on the day when it is needed."""
    root = begin(tmp_path, make_root(1), recipient=Identity.generate().recipient.text)
    wrapped = root.wrap(KEY)
    step = 1 if len(wrapped) < 100 else 7
    for position in range(0, len(wrapped), step):
        damaged = bytearray(wrapped)
        damaged[position] ^= 1
        with pytest.raises(RootKeyError):
            root.unwrap(bytes(damaged))
    for part in (b"", wrapped[:20], wrapped[:-1], wrapped + b"\0"):
        with pytest.raises(RootKeyError):
            root.unwrap(part)


def test_another_root_key_is_told_from_damage(make_root: Make, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    wrapped = begin(tmp_path / "other", new("file")).wrap(KEY)
    with pytest.raises(WrongRootKey, match="another root key"):
        begin(tmp_path, make_root(1)).unwrap(wrapped)


def test_only_keys_of_the_right_size_are_wrapped(make_root: Make, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        begin(tmp_path, make_root(1)).wrap(SecretBytes(b"short"))


def test_a_wrapped_key_says_which_generation_has_wrapped_it(make_root: Make, tmp_path: Path) -> None:
    root = begin(tmp_path, make_root(1))
    first = root.wrap(KEY)
    assert root.is_current(first)
    second = make_root(2)
    root.adopt(root.prepare(second.described, second.secret))
    assert not root.is_current(first)
    assert root.is_current(root.wrap(KEY))


@pytest.mark.parametrize("provider", ["file", "passphrase", "shares"])
def test_every_provider_takes_over_from_every_other(make_root: Make, tmp_path: Path, provider: str) -> None:
    made = make_root(1)
    root = begin(tmp_path, made)
    first = root.wrap(KEY)
    second = new(provider, 2)
    root.adopt(root.prepare(second.described, second.secret))
    both = opened(tmp_path, made)
    assert not both.sealed, "the older root key opens the newer one"
    assert both.unwrap(first) == KEY
    again = both.wrap(both.unwrap(first))
    both.complete(both.state)
    with pytest.raises(WrongRootKey):
        both.unwrap(first)
    after = opened(tmp_path, second)
    assert after.unwrap(again) == KEY
    with pytest.raises(WrongRootKey):
        after.unwrap(first)


def test_no_secret_stands_in_the_record(make_root: Make, tmp_path: Path) -> None:
    made = make_root(1)
    begin(tmp_path, made)
    book = tmp_path / "root.json"
    if made.secret is not None and book.exists():
        content = book.read_bytes()
        assert made.secret.reveal() not in content
        assert made.secret.reveal().hex().encode() not in content


def test_a_closed_root_key_is_good_for_nothing_until_it_is_opened_again(
    make_root: Make, tmp_path: Path
) -> None:
    root = begin(tmp_path, make_root(1))
    wrapped = root.wrap(KEY)
    root.close()
    assert root.sealed
    for use in (lambda: root.wrap(KEY), lambda: root.unwrap(wrapped)):
        with pytest.raises(RootKeyError, match="unseal"):
            use()


def test_the_root_key_does_not_print(make_root: Make, tmp_path: Path) -> None:
    made = make_root(1)
    root = begin(tmp_path, made)
    shown = f"{made!r} {root!r} {vars(root)!r} {root.described()!r}"
    if made.secret is not None:
        assert made.secret.reveal().hex() not in shown
        assert repr(made.secret.reveal())[2:-1] not in shown
    for share in made.shares:
        assert share.reveal().decode() not in shown


def test_a_directory_without_a_record_has_its_first_root_key_in_the_file(tmp_path: Path) -> None:
    begin(tmp_path, new("file"))
    assert not (tmp_path / "root.json").exists()
    keyring = StoredKeyring(place(tmp_path))
    assert (keyring.generation, keyring.provider, keyring.sealed) == (1, "file", False)
