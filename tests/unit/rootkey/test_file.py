"""The root key in a file."""

import os
import stat
from pathlib import Path

import pytest

from strongroom.domain.ports import RootKeyError, WrongRootKey
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.file import MAGIC, FileRootKey, create

KEY = SecretBytes(bytes(range(32)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create(tmp_path / "root.key")
    return tmp_path / "root.key"


def test_what_was_wrapped_is_unwrapped(path: Path) -> None:
    wrapped = FileRootKey(path).wrap(KEY)
    assert KEY.reveal() not in wrapped
    assert FileRootKey(path).unwrap(wrapped) == KEY


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_is_so_with_any_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        create(tmp_path / "open")
        os.umask(0o777)
        create(tmp_path / "closed")
    finally:
        os.umask(before)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("open", "closed")} == {0o600}


def test_two_root_keys_differ(path: Path, tmp_path: Path) -> None:
    create(tmp_path / "other")
    assert path.read_bytes() != (tmp_path / "other").read_bytes()


def test_a_root_key_is_never_overwritten(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(RootKeyError, match="never overwritten"):
        create(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o601])
def test_a_file_that_others_may_use_is_refused_with_the_cure(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(RootKeyError, match=f"chmod 600 {path}"):
        FileRootKey(path)


def test_another_root_key_is_told_from_damage(path: Path, tmp_path: Path) -> None:
    create(tmp_path / "other")
    wrapped = FileRootKey(path).wrap(KEY)
    with pytest.raises(WrongRootKey, match="put that root key back"):
        FileRootKey(tmp_path / "other").unwrap(wrapped)


def test_a_damaged_wrapped_key_is_refused_and_not_called_another_roots(path: Path) -> None:
    root = FileRootKey(path)
    wrapped = root.wrap(KEY)
    for position in (0, 3, 14, 21, len(wrapped) - 1):
        damaged = bytearray(wrapped)
        damaged[position] ^= 1
        with pytest.raises(RootKeyError) as caught:
            root.unwrap(bytes(damaged))
        assert not isinstance(caught.value, WrongRootKey)
    for part in (b"", wrapped[:-1], wrapped + b"\0"):
        with pytest.raises(RootKeyError, match="damaged"):
            root.unwrap(part)


@pytest.mark.parametrize("damage", ["flip", "cut", "longer", "empty", "magic"])
def test_a_damaged_file_is_refused(path: Path, damage: str) -> None:
    content = bytearray(path.read_bytes())
    match damage:
        case "flip":
            content[len(MAGIC) + 3] ^= 1
        case "cut":
            del content[-1]
        case "longer":
            content += b"\n"
        case "empty":
            content.clear()
        case "magic":
            content[0] ^= 1
    path.write_bytes(content)
    with pytest.raises(RootKeyError, match="restore it from its backup"):
        FileRootKey(path)


def test_a_missing_file_says_so_and_what_helps(tmp_path: Path) -> None:
    with pytest.raises(RootKeyError, match=r"none is gone; put it back.* server root recover"):
        FileRootKey(tmp_path / "none")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(RootKeyError, match="not a regular file"):
        FileRootKey(tmp_path / "pipe")


def test_only_keys_of_the_right_size_are_wrapped(path: Path) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        FileRootKey(path).wrap(SecretBytes(b"short"))


def test_the_key_does_not_print(path: Path) -> None:
    content = path.read_bytes()
    root = FileRootKey(path)
    assert content[len(MAGIC) : len(MAGIC) + 32].hex() not in repr(root)
