"""The data directory: private, locked, reachable however long its path."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from strongroom.server.data_directory import DataDirectory, write_private
from strongroom.server.errors import DirectoryLocked, NotFound, OperatorError
from strongroom.server.reservation import reserve


def completed(path: Path) -> DataDirectory:
    directory = DataDirectory.create(path)
    directory.configuration.write_text("")
    return directory


def test_it_is_made_private_with_its_parents(tmp_path: Path) -> None:
    directory = DataDirectory.create(tmp_path / "a" / "b")
    assert directory.path.stat().st_mode & 0o777 == 0o700


def test_an_empty_directory_that_exists_is_taken_and_made_private(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o755)
    assert DataDirectory.create(tmp_path / "d").path.stat().st_mode & 0o777 == 0o700


def test_one_that_exists_is_not_made_again(tmp_path: Path) -> None:
    completed(tmp_path / "d")
    with pytest.raises(OperatorError, match="already holds a data directory"):
        DataDirectory.create(tmp_path / "d")


def test_a_directory_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()
    with pytest.raises(OperatorError, match="not empty"):
        DataDirectory.create(tmp_path)


def test_a_missing_one_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="strongroom init"):
        DataDirectory.open(tmp_path / "nowhere")


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(OperatorError, match="not a directory"):
        DataDirectory.open(tmp_path / "f")


def test_a_directory_that_others_can_read_is_refused_with_the_cure(tmp_path: Path) -> None:
    directory = completed(tmp_path / "d")
    directory.path.chmod(0o750)
    with pytest.raises(OperatorError, match=r"mode 0750.*chmod 700"):
        DataDirectory.open(directory.path)


def test_a_root_key_that_others_can_read_is_refused_with_the_cure(tmp_path: Path) -> None:
    directory = completed(tmp_path / "d")
    directory.root_key.touch()
    directory.root_key.chmod(0o644)
    with pytest.raises(OperatorError, match=r"root\.key is open to other users.*chmod 600"):
        DataDirectory.open(directory.path)


def test_the_lock_is_exclusive_and_names_its_holder(tmp_path: Path) -> None:
    directory = completed(tmp_path / "d")
    held = directory.lock()
    with pytest.raises(DirectoryLocked, match=f"in use by process {os.getpid()}"):
        directory.lock(patience=0)
    os.close(held)
    os.close(directory.lock(patience=0))


def test_nobody_but_the_owner_has_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not root either: the server of the owner could not read what root wrote."""
    directory = completed(tmp_path / "d")
    owner = directory.path.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    with pytest.raises(OperatorError, match=f"belongs to user {owner}; run this as that user"):
        directory.lock()
    assert not directory.lock_file.exists()


def test_a_lock_is_held_until_the_last_heir_is_gone(tmp_path: Path) -> None:
    """A child of a killed server may still write: a new server has to wait for it."""
    directory = completed(tmp_path / "d")
    held = directory.lock()
    heir = os.dup(held)
    os.close(held)
    with pytest.raises(DirectoryLocked):
        directory.lock(patience=0)
    os.close(heir)
    os.close(directory.lock(patience=0))


@pytest.mark.parametrize("length", [10, 300])
def test_the_admin_socket_works_at_any_path_length(tmp_path: Path, length: int) -> None:
    deep = tmp_path.joinpath(*["d" * 50] * (length // 50), "x" * (length % 50 or 1))
    directory = completed(deep)
    with (
        socket.socket(socket.AF_UNIX) as server,
        socket.socket(socket.AF_UNIX) as client,
        directory.admin_socket() as address,
    ):
        server.bind(address)
        server.listen()
        client.connect(address)
    assert (deep / "admin.sock").is_socket()


def test_a_private_file_is_private_and_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "key"
    write_private(file, b"one")
    write_private(file, b"two")
    assert file.read_bytes() == b"two"
    assert file.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["key"]


def fill(directory: DataDirectory) -> None:
    for file in (directory.root_key, directory.configuration):
        file.write_bytes(b"")


def test_a_directory_is_locked_while_it_is_filled(tmp_path: Path) -> None:
    with reserve(tmp_path / "d") as directory:
        for taken in (directory.lock, lambda: reserve(directory.path).__enter__()):
            with pytest.raises(DirectoryLocked, match=str(os.getpid())):
                taken()
        fill(directory)
    os.close(directory.lock())


def test_what_could_not_be_filled_is_gone(tmp_path: Path) -> None:
    def give_up(path: Path) -> None:
        with reserve(path) as directory:
            fill(directory)
            raise KeyboardInterrupt

    (tmp_path / "old").mkdir()
    for name in ("old", "new"):
        with pytest.raises(KeyboardInterrupt):
            give_up(tmp_path / name)
    assert [entry.name for entry in tmp_path.rglob("*")] == ["old"]


def test_whoever_comes_too_late_removes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory was empty when both looked at it, and the other one was faster."""
    original = DataDirectory.lock

    def slow(self: DataDirectory) -> int:
        monkeypatch.undo()
        with reserve(self.path) as first:
            fill(first)
        return original(self)

    monkeypatch.setattr(DataDirectory, "lock", slow)
    with (
        pytest.raises(OperatorError, match="already holds"),
        reserve(tmp_path / "d") as directory,
    ):
        fill(directory)
    assert {entry.name for entry in (tmp_path / "d").iterdir()} == {"lock", "root.key", "strongroom.toml"}


@pytest.mark.parametrize("made_again", [False, True])
def test_whoever_fails_after_somebody_else_made_it_anew_removes_nothing(
    tmp_path: Path, made_again: bool
) -> None:
    def give_up() -> None:
        with reserve(tmp_path / "d") as directory:
            shutil.rmtree(directory.path)
            if made_again:
                with reserve(directory.path) as second:
                    fill(second)
            raise RuntimeError("given up")

    with pytest.raises(RuntimeError, match="given up"):
        give_up()
    assert (tmp_path / "d" / "strongroom.toml").exists() is made_again


def test_a_lock_that_nobody_holds_is_in_nobodys_way(tmp_path: Path) -> None:
    """Somebody was killed right after taking it."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "lock").touch()
    with reserve(tmp_path / "d") as directory:
        fill(directory)


def test_halves_of_files_are_swept_but_those_of_processes_that_live(tmp_path: Path) -> None:
    directory = completed(tmp_path / "d")
    directory.older_authorities.mkdir()
    halves = [
        directory.path / ".root.key.4194303",
        directory.older_authorities / ".1234.pem.4194303",
    ]
    others = [
        directory.path / f".root.key.{os.getpid()}",
        directory.path / ".hidden",
        directory.path / "strongroom.db.4194303",
    ]
    for file in (*halves, *others):
        file.write_bytes(b"half")
    assert set(directory.sweep()) == set(halves)
    assert not any(file.exists() for file in halves)
    assert all(file.exists() for file in others)
    assert directory.sweep() == []
