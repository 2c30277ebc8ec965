"""What only its caller has, shares or a kit, is removed when nothing can depend on it, and only then."""

from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.domain.ports import RootKeyError
from strongroom.rootkey.stored import StoredKeyring
from strongroom.server import admin, data_directory, installation, reservation
from strongroom.server.app import StrongroomAdapters
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import (
    Denied,
    DirectoryLocked,
    NothingBegun,
    OperatorError,
    PendingApproval,
    Sealed,
    Unreachable,
)
from strongroom.server.installation import create_installation
from strongroom.server.messages import Message
from strongroom.server.root import commands
from strongroom.server.root.files import Kit, RootChoice

CERTAIN = (Denied, DirectoryLocked, NothingBegun, PendingApproval)
UNCERTAIN = (OperatorError, Sealed, Unreachable)


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    return create_installation(tmp_path / "data", StrongroomAdapters(), {})


def shares(folder: Path, out: str = "shares") -> RootChoice:
    return RootChoice(provider="shares", options={"shares": "2/3"}, shares_out=folder / out)


def refuse(
    monkeypatch: pytest.MonkeyPatch, command: str, error: OperatorError, *, first: bool = False
) -> None:
    """Have an error come out of a command, after it was done, or `first`."""
    ask = admin.call

    def call(directory: DataDirectory, adapters: StrongroomAdapters, request: Message) -> object:
        if request["command"] != command:
            return ask(directory, adapters, request)
        if not first:
            ask(directory, adapters, request)
        raise error

    monkeypatch.setattr(commands, "call", call)


def rotate(directory: DataDirectory) -> list[Path]:
    """Replace the root key by shares, and return what is left of them."""
    out = directory.path.parent / "shares"
    with pytest.raises(OperatorError, match="it failed"):
        commands.rotate(directory, shares(directory.path.parent))
    return sorted(out.iterdir())


def make_kit(directory: DataDirectory) -> list[Path]:
    out = directory.path.parent / "kit"
    with pytest.raises(OperatorError, match="it failed"):
        commands.create_recovery(directory, Kit(out=out, split="2/3"))
    return sorted(out.parent.glob("kit*"))


CHANGES = [
    pytest.param("root.rotate", rotate, id="rotate"),
    pytest.param("recovery.create", make_kit, id="kit"),
]


@pytest.mark.parametrize(("command", "make"), CHANGES)
@pytest.mark.parametrize("kind", UNCERTAIN)
def test_what_may_have_been_done_keeps_what_was_made_for_it(
    directory: DataDirectory,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[OperatorError],
    command: str,
    make: Callable[[DataDirectory], list[Path]],
) -> None:
    """Also where it was not done, and no trace of it is to be seen: another process may still do it."""
    refuse(monkeypatch, command, kind("it failed"), first=True)
    assert len(make(directory)) == 3


@pytest.mark.parametrize(("command", "make"), CHANGES)
@pytest.mark.parametrize("kind", CERTAIN)
def test_what_was_certainly_not_begun_leaves_nothing_behind(
    directory: DataDirectory,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[OperatorError],
    command: str,
    make: Callable[[DataDirectory], list[Path]],
) -> None:
    refuse(monkeypatch, command, kind("it failed"), first=True)
    assert make(directory) == []


@pytest.mark.parametrize(("command", "make"), CHANGES)
@pytest.mark.parametrize("kind", [OperatorError, DirectoryLocked])
def test_a_change_that_was_begun_and_cannot_be_finished_keeps_what_opens_it(
    directory: DataDirectory,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[OperatorError],
    command: str,
    make: Callable[[DataDirectory], list[Path]],
) -> None:
    refuse(monkeypatch, "root.finish", kind("it failed"), first=True)
    assert len(make(directory)) == 3


def test_it_is_said_which_root_key_may_take_over_and_where_its_shares_are(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refuse(monkeypatch, "root.rotate", Unreachable("no answer"))
    with pytest.raises(Unreachable, match="may take over all the same; keep its shares in") as caught:
        commands.rotate(directory, shares(tmp_path))
    found = StoredKeyring(StrongroomAdapters()._root_keys(directory)).described()
    assert str(found[-1]["id"]) in str(caught.value)
    assert str(tmp_path / "shares") in str(caught.value)


def test_the_new_root_key_is_refused_for_certain_before_anything_is_written(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def prepare(*_: object, **__: object) -> None:
        raise RootKeyError("another root key came first")

    monkeypatch.setattr(StoredKeyring, "prepare", prepare)
    with pytest.raises(NothingBegun, match=r"came first$"):
        commands.rotate(directory, shares(tmp_path))
    assert not list((tmp_path / "shares").iterdir())


def test_a_kit_is_not_made_before_the_root_key_is_open(tmp_path: Path) -> None:
    directory = create_installation(tmp_path / "data", StrongroomAdapters(), {}, root_key=shares(tmp_path))
    with pytest.raises(Sealed):
        commands.create_recovery(directory, Kit(out=tmp_path / "kit"))
    with pytest.raises(Sealed):
        commands.rotate(directory, shares(tmp_path, "others"))
    assert not (tmp_path / "kit").exists()
    assert not (tmp_path / "others").exists()


@pytest.mark.parametrize("again", ["rotate", "kit"])
def test_what_was_cut_is_finished_before_anything_new_is_made(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, again: str
) -> None:
    """Without a server nobody else does; and so each command can be given again."""
    with monkeypatch.context() as cut:
        refuse(cut, "root.finish", OperatorError("it failed"), first=True)
        with pytest.raises(OperatorError, match=r"takes over all the same$"):
            commands.rotate(directory, RootChoice())
        with pytest.raises(OperatorError, match="it failed"):
            commands.create_recovery(directory, Kit(out=tmp_path / "kit"))
    assert not (tmp_path / "kit").exists()
    if again == "rotate":
        assert commands.rotate(directory, RootChoice())["generation"] == 3
    else:
        made = commands.create_recovery(directory, Kit(out=tmp_path / "kit"))
        assert (made["generation"], made["changing"]) == (2, False)
        assert str(made["recovery"]).startswith("age1")


def test_init_that_cannot_take_back_what_it_made_keeps_the_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = data_directory.write_private

    def fail_late(path: Path, content: bytes) -> None:
        write(path, content)
        raise OperatorError("cannot write")

    def make() -> None:
        with pytest.raises(OperatorError, match="cannot write"):
            create_installation(tmp_path / "data", StrongroomAdapters(), {}, root_key=shares(tmp_path))

    monkeypatch.setattr(installation, "write_private", fail_late)
    make()
    assert not list((tmp_path / "shares").iterdir())
    monkeypatch.setattr(reservation, "_remove_all", lambda *_, **__: None)
    make()
    assert len(list((tmp_path / "shares").iterdir())) == 3


def test_a_recovery_that_fails_keeps_the_shares_of_a_root_key_that_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = tmp_path / "kit"
    directory = create_installation(tmp_path / "data", StrongroomAdapters(), {}, recovery=Kit(out=kit))
    directory.root_key.unlink()

    def fail(*_: object) -> None:
        raise RootKeyError("it failed")

    monkeypatch.setattr(StoredKeyring, "set_recovery", fail)
    with pytest.raises(OperatorError, match="it failed"):
        commands.recover(directory, [kit], shares(tmp_path))
    assert len(list((tmp_path / "shares").iterdir())) == 3
    monkeypatch.undo()
    assert commands.recover(directory, [kit], shares(tmp_path, "others"))["provider"] == "shares"
