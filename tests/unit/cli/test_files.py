"""Files with secrets in them."""

import errno
import os
import stat
from pathlib import Path

import pytest
import typer

from strongroom.cli.exit import ExitCode, Stop
from strongroom.cli.files import confirm, read_bytes, write_secret


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_for_its_owner_whatever_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_secret(str(tmp_path / "k"), b"secret")
    finally:
        os.umask(before)
    assert (tmp_path / "k").read_bytes() == b"secret"
    assert mode(tmp_path / "k") == 0o600


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(b"old")
    with pytest.raises(Stop, match="--force"):
        write_secret(str(tmp_path / "k"), b"new")
    assert (tmp_path / "k").read_bytes() == b"old"


def test_a_replaced_file_does_not_keep_its_mode(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(b"old")
    (tmp_path / "k").chmod(0o644)
    write_secret(str(tmp_path / "k"), b"new", force=True)
    assert (tmp_path / "k").read_bytes() == b"new"
    assert mode(tmp_path / "k") == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["k"]


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    """Root could make a file of /dev/null, or of /dev/stdout, which is a link."""
    there = tmp_path / "k"
    if kind == "pipe":
        os.mkfifo(there)
    else:
        there.symlink_to("/dev/null")
    with pytest.raises(Stop, match="name another one"):
        write_secret(str(there), b"secret", force=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["k"]
    assert there.is_fifo() or there.is_symlink()


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="No such file or directory"):
        write_secret(str(tmp_path / "none" / "k"), b"secret")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "k").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(Stop, match="No space left"):
        write_secret(str(tmp_path / "k"), b"new", force=True)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("k", b"old")]


def test_a_terminal_gets_no_secret_unless_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    with pytest.raises(Stop, match="--force-stdout") as caught:
        write_secret("-", b"secret")
    assert caught.value.code is ExitCode.USAGE
    write_secret("-", b"secret", force_stdout=True)
    assert capsysbinary.readouterr().out == b"secret"


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="No such file or directory"):
        read_bytes(str(tmp_path / "none"))


def test_only_a_person_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(question: str, **_: bool) -> None:
        asked.append(question)
        raise typer.Abort

    monkeypatch.setattr(typer, "confirm", answer)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    confirm("Sure?", yes=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    confirm("Sure?", yes=True)
    assert asked == []
    with pytest.raises(typer.Abort):
        confirm("Sure?", yes=False)
