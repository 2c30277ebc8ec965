"""Backups as they are made and restored: whole commands, on servers with TLS, on either database."""

import errno
import json
import os
import re
import socket
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing, suppress
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from strongroom import Client, testing
from strongroom.audit.keys import SigningKey
from strongroom.cli.administration import administer
from strongroom.cli.exit import ExitCode
from strongroom.client.errors import KMIPError
from strongroom.domain.backups import KeysGiven
from strongroom.server.admin import call, call_server
from strongroom.server.app import StrongroomAdapters
from strongroom.server.backup.create import _new_file, create_backup
from strongroom.server.backup.files import settled_files
from strongroom.server.backup.identities import read_identities
from strongroom.server.backup.parts import PLAIN, SEALED
from strongroom.server.backup.restore import restore_backup
from strongroom.server.backup.unpack import Contents
from strongroom.server.backup.verify import verify_backup
from strongroom.server.config import ClientSettings, load_settings
from strongroom.server.data_directory import DataDirectory, write_private
from strongroom.server.errors import Denied, DirectoryLocked, OperatorError, PendingApproval
from strongroom.server.messages import Message
from tests.e2e.backups import Kit, Place, backup, create, kit, old_client, running, site
from tests.inventory import inventory, populate
from tests.postgres import PostgresServer, postgres_server
from tests.property.test_backups import LEFT_OUT

__all__ = ["backup", "kit", "postgres_server", "site"]

POSTGRES = pytest.param("postgresql", marks=pytest.mark.postgres)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, str], Place]:
    """Return a maker of empty stores: which database, and a name."""

    def make(kind: str, name: str) -> Place:
        found: PostgresServer | None = None
        if kind == "postgresql":
            found = request.getfixturevalue("postgres_server")
        return Place(tmp_path / name, found)

    return make


def refused(server: testing.Server, *words: str, code: ExitCode = ExitCode.FAILURE) -> str:
    """Run a command that has to fail, and return its one line."""
    done = server.try_run("backup", *words)
    assert done.returncode == code, done
    assert done.stderr.startswith("strongroom: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("target", ["sqlite", POSTGRES])
@pytest.mark.parametrize("source", ["sqlite", POSTGRES])
def test_a_backup_brings_everything_back_on_either_database(
    source: str, target: str, place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there, here = place(source, "there"), place(target, "here")
    backup, new = tmp_path / "backup.age", here.folder / "data"
    with (
        testing.server(there.folder, store=there.url) as server,
        Client.from_profile(server.profile) as client,
    ):
        populate(client)
        before = inventory(client)
        create(server, backup, kit)
        kept = there.index()
        client.create_symmetric_key(name="after the backup")
    options = here.option or ["--store", "sqlite:///strongroom.db"]
    server.run("backup", "restore", str(backup), "--data", str(new), "--identity", str(kit.path), *options)
    assert here.index() == kept
    assert len(kept) > 100
    assert here.count("entries WHERE tenant = 0 AND kind = 80") == 1
    with running(here.folder) as restored, old_client(server.profile, restored) as client:
        assert inventory(client) == before
        restored.wait_for_log("store_verified")
        assert "store_doubted" not in restored.log_text()
        assert client.locate(name="after the backup") == []
        client.create_symmetric_key(name="after the backup")
        with pytest.raises(KMIPError, match=r"(?i)name"):
            client.create_symmetric_key(name="kept-active")


def test_a_backup_is_recorded_before_its_keys_are_given(site: testing.Server, backup: Path, kit: Kit) -> None:
    with closing(sqlite3.connect(f"file:{site.directory}/strongroom.db?mode=ro", uri=True)) as found:
        keys = [key for (key,) in found.execute("SELECT key FROM entries WHERE kind = 81").fetchall()]
    assert verified(site, backup, kit)["backup"] in keys


def verified(server: testing.Server, file: Path, kit: Kit) -> dict[str, object]:
    """Verify a backup and return what the command says of it."""
    printed = server.run("backup", "verify", str(file), "--identity", str(kit.path), "-o", "json")
    record: dict[str, object] = json.loads(printed)
    return record


def test_a_backup_can_be_made_without_a_server(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there = place("sqlite", "there")
    with testing.server(there.folder) as server, Client.from_profile(server.profile) as client:
        populate(client)
    record = create(server, tmp_path / "backup.age", kit)
    assert record["objects"] == 13
    found = verified(server, tmp_path / "backup.age", kit)
    assert (found["objects"], found["clients"], found["refused"]) == (13, 1, 0)
    assert found["opened"] == 13 + 1 + int(str(found["entries"]))


def test_a_backup_is_for_its_owner_alone_and_takes_the_place_of_no_file(
    site: testing.Server, backup: Path, kit: Kit, tmp_path: Path
) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert [file.name for file in backup.parent.iterdir()] == [backup.name]
    before = backup.read_bytes()
    words = ["create", "--data", str(site.directory), "--recipient", kit.recipient, "--to"]
    assert "never overwrites" in refused(site, *words, str(backup))
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    assert "never overwrites" in refused(site, *words, str(link))
    assert backup.read_bytes() == before
    assert "cannot write to" in refused(site, *words, str(tmp_path / "missing" / "backup"))


def test_without_a_recipient_nothing_is_written(site: testing.Server, tmp_path: Path) -> None:
    to = tmp_path / "backup.age"
    words = ["create", "--data", str(site.directory), "--to", str(to)]
    assert "--recipient age1" in refused(site, *words)
    assert "no age recipient" in refused(site, *words, "--recipient", "age1wrong", code=ExitCode.USAGE)
    assert list(tmp_path.iterdir()) == []


def keep_for(server: testing.Server, kit: Kit) -> None:
    """Have the server know the recovery kit."""
    request: Message = {"command": "recovery.create", "recipient": kit.recipient}
    call_server(DataDirectory.open(server.directory), request)


def test_the_recovery_recipient_is_who_opens_a_backup_by_default(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there, here = place("sqlite", "there"), place("sqlite", "here")
    backup = tmp_path / "backup.age"
    with testing.server(there.folder) as server:
        keep_for(server, kit)
        server.run("backup", "create", "--data", str(server.directory), "--to", str(backup))
        new = here.folder / "data"
        server.run("backup", "restore", str(backup), "--data", str(new), "--identity", str(kit.path))
    assert kit.recipient in (new / "recovery.pub").read_text()
    with running(here.folder) as server:
        again = tmp_path / "again.age"
        server.run("backup", "create", "--data", str(server.directory), "--to", str(again))
        assert verified(server, again, kit)["result"] == "good"


def test_nobody_has_backups_made_for_themselves_by_writing_a_file(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    """Neither in place of the kit, nor where there was none, nor beside other recipients."""
    there, thief = place("sqlite", "there"), Kit(tmp_path / "thief")
    to = tmp_path / "backup.age"
    with testing.server(there.folder) as server:
        file = server.directory / "recovery.pub"
        words = ["create", "--data", str(server.directory), "--to", str(to)]
        file.write_text(f"{thief.recipient}\n")
        assert "recovery.pub" in refused(server, *words)
        file.unlink()
        keep_for(server, kit)
        file.write_text(file.read_text().replace(kit.recipient, thief.recipient))
        for more in ([], ["--recipient", kit.recipient]):
            said = refused(server, *words, *more)
            assert "strongroom server recovery create" in said
        assert not to.exists()


def test_another_identity_is_told_that_it_is_another(
    site: testing.Server, backup: Path, tmp_path: Path
) -> None:
    other = Kit(tmp_path / "other")
    said = refused(site, "verify", str(backup), "--identity", str(other.path))
    assert "encrypted to others" in said
    said = refused(
        site, "restore", str(backup), "--data", str(tmp_path / "new"), "--identity", str(other.path)
    )
    assert "encrypted to others" in said
    assert not (tmp_path / "new").exists()


def test_an_identity_file_that_is_none_is_named_and_not_shown(
    site: testing.Server, backup: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("AGE-SECRET-KEY-1NOTREALLYSECRET\n")
    said = refused(site, "verify", str(backup), "--identity", str(wrong))
    assert "line 1" in said
    assert "NOTREALLY" not in said
    refused(site, "verify", str(backup), "--identity", str(tmp_path / "none"), code=ExitCode.NOT_FOUND)
    wrong.write_text("# nothing\n")
    assert "holds no age identity" in refused(site, "verify", str(backup), "--identity", str(wrong))


def test_what_is_no_backup_is_called_so(site: testing.Server, kit: Kit, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"SQLite format 3\0" * 100)
    assert "no backup" in refused(site, "verify", str(file), "--identity", str(kit.path))
    file.unlink()
    words = ["verify", str(file), "--identity", str(kit.path)]
    assert "there is no" in refused(site, *words, code=ExitCode.NOT_FOUND)


def test_a_cut_or_changed_backup_is_refused_with_the_place(
    site: testing.Server, backup: Path, kit: Kit, tmp_path: Path
) -> None:
    whole = backup.read_bytes()
    file, new = tmp_path / "file", tmp_path / "new"
    restore = ["restore", str(file), "--data", str(new), "--identity", str(kit.path)]
    verify = ["verify", str(file), "--identity", str(kit.path)]
    for words in (restore, verify):
        file.write_bytes(whole[:-1])
        said = refused(site, *words)
        assert f"is cut off at byte {len(whole) - 1}" in said
        file.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
        assert "was changed behind byte" in refused(site, *words)
        file.write_bytes(whole[:40])
        assert "its header has no end" in refused(site, *words)
    assert not new.exists()


def test_a_restore_takes_the_place_of_nothing(
    site: testing.Server, backup: Path, kit: Kit, tmp_path: Path
) -> None:
    words = ["restore", str(backup), "--identity", str(kit.path), "--data"]
    assert "already holds a data directory" in refused(site, *words, str(site.directory))
    full = tmp_path / "full"
    full.mkdir()
    (full / "something").touch()
    assert "is not empty" in refused(site, *words, str(full))
    assert [file.name for file in full.iterdir()] == ["something"]
    store = f"sqlite:///{site.directory}/strongroom.db"
    said = refused(site, *words, str(tmp_path / "new"), "--store", store)
    assert "exists already" in said
    assert not (tmp_path / "new").exists()
    assert (site.directory / "strongroom.db").exists()


def test_a_restore_that_fails_leaves_no_store_outside_its_directory(
    site: testing.Server, backup: Path, kit: Kit, tmp_path: Path
) -> None:
    (tmp_path / "other.pub").write_bytes(SigningKey(SigningKey.new()).public.pem())
    words = ["restore", str(backup), "--data", str(tmp_path / "new"), "--identity", str(kit.path)]
    words += ["--store", f"sqlite:///{tmp_path}/outside.db"]
    refused(site, *words, "--signer", str(tmp_path / "other.pub"))
    assert [file.name for file in tmp_path.iterdir()] == ["other.pub"]
    site.run("backup", *words)
    assert (tmp_path / "outside.db").exists()


def test_a_store_whose_directory_could_not_be_completed_is_gone(
    backup: Path, kit: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        if path.name == "strongroom.toml":
            raise OperatorError("no space")
        write_private(path, content)

    monkeypatch.setattr("strongroom.server.backup.restore.write_private", full)
    store = f"sqlite:///{tmp_path}/outside.db"
    with pytest.raises(OperatorError, match="no space"):
        restored_by_hand(backup, tmp_path / "new", kit, store)
    assert list(tmp_path.iterdir()) == []


def restored_by_hand(backup: Path, new: Path, kit: Kit, store: str | None = None) -> None:
    """Restore a backup in this process."""
    identities = read_identities([kit.path])
    restore_backup(backup, new, StrongroomAdapters(), identities, store=store, report=lambda *_: None)


def test_what_was_restored_is_on_disk_and_so_are_the_names_of_its_files(
    backup: Path, kit: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, synced = os.fsync, list[str]()

    def fsync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    new = tmp_path / "new"
    restored_by_hand(backup, new, kit)
    files = [file for file in new.rglob("*") if file.is_file() and file.name != "lock"]
    assert new / "audit" / "node" in files
    for folder in {file.parent for file in files}:
        assert str(folder) in synced


def test_of_two_restores_into_one_directory_one_is_done(
    backup: Path, kit: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, second = DataDirectory.lock, list[int]()

    def lock(self: DataDirectory, *, patience: float = 1.0) -> int:
        held = real(self, patience=patience)
        if not second:
            second.append(1)
            # Whoever comes now finds it empty, as this one did.
            with pytest.raises(DirectoryLocked, match="is in use by process"):
                restored_by_hand(backup, tmp_path / "new", kit)
        return held

    monkeypatch.setattr(DataDirectory, "lock", lock)
    restored_by_hand(backup, tmp_path / "new", kit)
    assert (tmp_path / "new" / "strongroom.toml").exists()
    with pytest.raises(OperatorError, match="already holds a data directory"):
        restored_by_hand(backup, tmp_path / "new", kit)
    assert (tmp_path / "new" / "strongroom.toml").exists()


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK])
def test_a_backup_is_written_where_there_are_no_hard_links(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("strongroom.server.backup.create.os.link", link)
    with _new_file(tmp_path / "backup.age") as file:
        file.write(b"content")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("backup.age", b"content")]
    with pytest.raises(OperatorError, match="never overwrites"), _new_file(tmp_path / "second") as file:
        (tmp_path / "second").touch()


def test_a_backup_that_was_killed_is_not_in_the_way_of_the_next_with_its_process_number(
    tmp_path: Path,
) -> None:
    """As in a container, where each process has the number of the one before."""
    left = tmp_path / f".backup.age.{os.getpid()}.partial"
    left.write_bytes(b"half a backup")
    with _new_file(tmp_path / "backup.age") as file:
        file.write(b"content")
    assert (tmp_path / "backup.age").read_bytes() == b"content"
    assert left.read_bytes() == b"half a backup"


@pytest.mark.postgres
def test_a_database_that_holds_anything_is_not_restored_into(
    site: testing.Server, backup: Path, kit: Kit, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    database = postgres_server.create_database()
    postgres_server.sql(database, "CREATE TABLE somebody_elses (number integer)")
    said = refused(
        site, "restore", str(backup), "--identity", str(kit.path), "--data", str(tmp_path / "new"),
        "--store", postgres_server.url(database),
    )  # fmt: skip
    assert "the database is not empty" in said
    assert not (tmp_path / "new").exists()


def test_the_configuration_comes_back_but_for_the_store(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there, here = place("sqlite", "there"), place("sqlite", "here")
    settings: dict[str, dict[str, object]] = {"policy": {"lease_time": 77}, "client.test": {"put": "off"}}
    backup, new = tmp_path / "backup.age", here.folder / "data"
    with testing.server(there.folder, settings=settings) as server:
        create(server, backup, kit)
    words = ["backup", "restore", str(backup), "--data", str(new), "--identity", str(kit.path)]
    server.run(*words, "--store", f"sqlite:///{here.folder}/elsewhere.db")
    old = (server.directory / "strongroom.toml").read_text()
    assert (new / "strongroom.toml").read_text() == old.replace(
        "sqlite:///strongroom.db", f"sqlite:///{here.folder}/elsewhere.db"
    )
    assert (here.folder / "elsewhere.db").exists()
    assert (new / "root.key").read_bytes() != (server.directory / "root.key").read_bytes()
    assert (new / "ca.key").read_bytes() != (server.directory / "ca.key").read_bytes()
    for name in ("root.key", "ca.key", "server.key", "strongroom.toml"):
        assert stat.S_IMODE((new / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(os.stat(new).st_mode) == 0o700
    with running(here.folder) as restored, old_client(server.profile, restored) as client:
        client.create_symmetric_key()


def test_what_an_administrator_forbids_is_forbidden_on_what_is_restored(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there, here = place("sqlite", "there"), place("sqlite", "here")
    backup, new = tmp_path / "backup.age", here.folder / "data"
    with testing.server(there.folder) as server, Client.from_profile(server.profile) as client:
        key = client.create_symmetric_key()
        rules = 'permit(principal, action, resource); forbid(principal, action == Action::"get", resource);'
        (server.directory / "policy.cedar").write_text(rules)
        create(server, backup, kit)
    server.run("backup", "restore", str(backup), "--data", str(new), "--identity", str(kit.path))
    assert (new / "policy.cedar").read_text() == rules
    with running(here.folder) as restored, old_client(server.profile, restored) as client:
        assert client.locate() == [key]
        with pytest.raises(KMIPError, match=r"(?i)permit|permission|not found|denied"):
            client.get(key)


def test_a_running_server_makes_no_file_that_a_backup_does_not_know(site: testing.Server) -> None:
    """Those that a data directory knows of are in another test; here is what is beside them."""
    files = {str(path.relative_to(site.directory)) for path in site.directory.rglob("*") if not path.is_dir()}
    known = [*PLAIN, *(kind.pattern for kind in SEALED), *LEFT_OUT]
    assert {name for name in files if not any(fnmatchcase(name, one) for one in known)} == set()


def create_while(server: testing.Server, file: Path, kit: Kit, command: str, act: Callable[[], None]) -> None:
    """Make a backup; `act` comes once, right before the server is given this command for the backup."""
    directory, adapters, acted = DataDirectory.open(server.directory), StrongroomAdapters(), list[bool]()

    def called(request: Message) -> object:
        if request["command"] == command and not acted:
            acted.append(True)
            act()
        return call(directory, adapters, request)

    create_backup(directory, adapters, file, (kit.recipient,), call=called, report=lambda *_: None)
    assert acted


def test_an_authority_that_is_replaced_while_a_backup_is_made_is_in_it_with_its_key(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = place("sqlite", "there"), place("sqlite", "here")
    backup, new = tmp_path / "backup.age", here.folder / "data"
    with testing.server(there.folder) as server:

        def rotate() -> None:
            server.run("server", "ca", "rotate", "--data", str(server.directory))

        create_while(server, backup, kit, "backup.keys", rotate)
        # Once more, between the keys and the files.
        rotations = [rotate]

        def settled(directory: DataDirectory) -> dict[str, bytes]:
            if rotations:
                rotations.pop()()
            return settled_files(directory)

        monkeypatch.setattr("strongroom.server.backup.create.settled_files", settled)
        create_while(server, tmp_path / "second.age", kit, "backup.keys", lambda: None)
    assert rotations == []
    for file in (backup, tmp_path / "second.age"):
        assert verified(server, file, kit)["result"] == "good"
    server.run(
        "backup", "restore", str(tmp_path / "second.age"), "--data", str(new), "--identity", str(kit.path)
    )
    assert len(list((new / "authorities").glob("*.pem"))) == 2
    with running(here.folder) as restored, old_client(server.profile, restored) as client:
        client.create_symmetric_key()


def test_an_authority_without_its_certificate_makes_no_good_backup(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there = place("sqlite", "there")
    with testing.server(there.folder) as server:
        server.run("server", "ca", "rotate", "--data", str(server.directory))
    (certificate,) = (server.directory / "authorities").glob("*.pem")
    certificate.unlink()
    create(server, tmp_path / "backup.age", kit)
    said = refused(server, "verify", str(tmp_path / "backup.age"), "--identity", str(kit.path))
    assert f"is whole, but: authorities/{certificate.stem}.key has no certificate" in said


def test_an_authority_with_the_certificate_of_another_makes_no_good_backup(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there = place("sqlite", "there")
    with testing.server(there.folder) as server:
        server.run("server", "ca", "rotate", "--data", str(server.directory))
    (certificate,) = (server.directory / "authorities").glob("*.pem")
    with testing.server(tmp_path / "other") as other:
        certificate.write_bytes((other.directory / "ca.pem").read_bytes())
    create(server, tmp_path / "backup.age", kit)
    said = refused(server, "verify", str(tmp_path / "backup.age"), "--identity", str(kit.path))
    assert "is whole, but: cannot read authorities/" in said
    assert "strongroom-verify" not in said


@pytest.mark.parametrize(
    "store", ['"store" = "sqlite:///strongroom.db"', "store = 'sqlite:///strongroom.db'"]
)
def test_a_configuration_is_restored_however_it_is_written(
    store: str, place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there, new = place("sqlite", "there"), tmp_path / "new"
    with testing.server(there.folder, settings={"policy": {"lease_time": 77}}) as server:
        pass
    configuration = server.directory / "strongroom.toml"
    written = configuration.read_text().replace('store = "sqlite:///strongroom.db"', f"# where\n{store}")
    configuration.write_text(written)
    create(server, tmp_path / "backup.age", kit)
    assert verified(server, tmp_path / "backup.age", kit)["result"] == "good"
    words = ["--data", str(new), "--identity", str(kit.path), "--store", f"sqlite:///{tmp_path}/new.db"]
    done = server.try_run("backup", "restore", str(tmp_path / "backup.age"), *words)
    assert done.returncode == ExitCode.OK, done.stderr
    assert ("without its comments" in done.stderr) == store.startswith('"')
    restored = load_settings(new / "strongroom.toml")
    assert (restored.policy.lease_time, restored.store) == (77, f"sqlite:///{tmp_path}/new.db")


@pytest.mark.parametrize("spoilt", [b"hosts = [", b"\xff", b"hostz = []"])
def test_a_configuration_that_could_not_be_restored_makes_no_backup(
    spoilt: bytes, place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    """It was saved half way, while the server goes on with the one before."""
    there = place("sqlite", "there")
    with testing.server(there.folder) as server:
        configuration = server.directory / "strongroom.toml"

        def spoil() -> None:
            configuration.write_bytes(spoilt)

        with pytest.raises(OperatorError, match=r"strongroom\.toml"):
            create_while(server, tmp_path / "backup.age", kit, "backup.keys", spoil)
    assert not (tmp_path / "backup.age").exists()


def test_a_file_that_is_replaced_while_a_backup_is_made_is_whole_in_it(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there, new = place("sqlite", "there"), tmp_path / "new"
    with testing.server(there.folder) as server:
        configuration = server.directory / "strongroom.toml"
        longer = f"# {'longer ' * 40}\n{configuration.read_text()}\n[policy]\nlease_time = 77\n"

        def replace() -> None:
            configuration.with_suffix(".new").write_text(longer)
            configuration.with_suffix(".new").rename(configuration)

        create_while(server, tmp_path / "backup.age", kit, "backup.keys", replace)
    words = ["--data", str(new), "--identity", str(kit.path)]
    server.run("backup", "restore", str(tmp_path / "backup.age"), *words)
    assert (new / "strongroom.toml").read_text() == longer


def test_a_drill_reaches_nobody_whom_the_original_server_reaches(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there, here = place("sqlite", "there"), place("sqlite", "here")
    backup, new, sink = tmp_path / "backup.age", here.folder / "data", tmp_path / "events"
    endpoint = socket.create_server(("127.0.0.1", 0))
    endpoint.settimeout(0)
    told = {"put": "on", "notify": "on", "endpoint": f"127.0.0.1:{endpoint.getsockname()[1]}"}
    settings: dict[str, dict[str, object]] = {
        "policy": {"lease_time": 77},
        "audit": {"sinks": [f"file:{sink}"], "anchors": [f"file:{tmp_path}/anchor"], "checkpoint": 0.5},
        "client.test": {"password": "optional", **told},
    }
    with endpoint:
        with testing.server(there.folder, settings=settings) as server:
            create(server, backup, kit)
        for file in (sink, tmp_path / "anchor"):
            file.unlink(missing_ok=True)
        while True:
            with suppress(BlockingIOError):
                endpoint.accept()[0].close()
                continue
            break
        words = ["--data", str(new), "--identity", str(kit.path), "--drill"]
        done = server.try_run("backup", "restore", str(backup), *words)
        assert done.returncode == ExitCode.OK, done.stderr
        assert "for a drill" in done.stderr
        with running(here.folder) as restored, old_client(server.profile, restored) as client:
            client.get(client.create_symmetric_key())
            restored.wait_for_log("store_verified")
        with pytest.raises(BlockingIOError):
            endpoint.accept()
    assert not sink.exists()
    assert not (tmp_path / "anchor").exists()
    made = load_settings(new / "strongroom.toml")
    assert (made.policy.rotation, made.policy.lease_time) == ("off", 77)
    assert made.client["test"] == ClientSettings(password="optional")


def test_a_record_that_was_tampered_with_is_named_and_restored_as_it_was(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there, here = place("sqlite", "there"), place("sqlite", "here")
    backup, new = tmp_path / "backup.age", here.folder / "data"
    with testing.server(there.folder) as server, Client.from_profile(server.profile) as client:
        victim = client.create_symmetric_key(name="victim")
        other = client.create_symmetric_key(name="other")
    with closing(sqlite3.connect(server.directory / "strongroom.db")) as database:
        database.execute("UPDATE objects SET usage_mask = 1 WHERE unique_identifier = ?", (victim,))
        database.commit()
    create(server, backup, kit)
    said = refused(server, "verify", str(backup), "--identity", str(kit.path))
    assert f"is whole, but: object {victim} does not open" in said
    done = server.try_run("backup", "restore", str(backup), "--data", str(new), "--identity", str(kit.path))
    assert done.returncode == ExitCode.OK
    assert f"warning: object {victim} does not open" in done.stderr
    with running(here.folder) as restored, old_client(server.profile, restored) as client:
        assert client.locate(name="other") == [other]
        with pytest.raises(KMIPError, match="is damaged"):
            client.get(victim)


_OBJECT = "object {victim} does not open"
_CLIENT = "client victim does not open"
_ENTRY = f"entry {KeysGiven.kind}/{{backup}} does not open"
_EVENT = "event {event} of the audit log does not follow from the one before it"
DAMAGES = {
    "UPDATE objects SET attributes = 1.5 WHERE unique_identifier = :victim": _OBJECT,
    "UPDATE objects SET usage_mask = 1.5 WHERE unique_identifier = :victim": _OBJECT,
    "UPDATE objects SET generation = 'two' WHERE unique_identifier = :victim": _OBJECT,
    "UPDATE objects SET attributes = CAST(x'ff' AS TEXT) WHERE unique_identifier = :victim": _OBJECT,
    "UPDATE clients SET groups = 1.5 WHERE name = 'victim'": _CLIENT,
    "UPDATE clients SET revision = 'two' WHERE name = 'victim'": _CLIENT,
    f"UPDATE entries SET due = 1 WHERE kind = {KeysGiven.kind}": _ENTRY,
    f"UPDATE entries SET sealed = 1.5 WHERE kind = {KeysGiven.kind}": _ENTRY,
    "UPDATE audit SET event = CAST('edited' AS BLOB) WHERE position = 3": _EVENT,
    "UPDATE audit SET event = 'no bytes' WHERE position = 3": _EVENT,
    "UPDATE audit SET hash = 1.5 WHERE position = 3": _EVENT,
    "DELETE FROM audit WHERE position = 3": _EVENT,
}
"""What somebody, or a failing disk, may do to a database, and what is told of it."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_was_damaged_is_told_and_keeps_nothing_else_from_being_restored(
    damage: str, place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there, here = place("sqlite", "there"), place("sqlite", "here")
    backup, new = tmp_path / "backup.age", here.folder / "data"
    with testing.server(there.folder) as server, Client.from_profile(server.profile) as client:
        server.enrol("victim")
        victim = client.create_symmetric_key(name="victim")
        other = client.create_symmetric_key(name="other")
        earlier = create(server, tmp_path / "earlier.age", kit)["backup"]
    with closing(sqlite3.connect(server.directory / "strongroom.db")) as database:
        assert database.execute(damage, {"victim": victim}).rowcount == 1
        database.commit()
    create(server, backup, kit)
    told = DAMAGES[damage].format(victim=victim, event=4 if "DELETE" in damage else 3, backup=earlier)
    for more in ([], ["--all"]):
        said = refused(server, "verify", str(backup), "--identity", str(kit.path), *more)
        assert "is whole, but: " in said
        assert said.count(told) == 1
    done = server.try_run("backup", "restore", str(backup), "--data", str(new), "--identity", str(kit.path))
    assert done.returncode == ExitCode.OK, done.stderr
    assert f"warning: {told}" in done.stderr
    with running(here.folder) as restored, old_client(server.profile, restored) as client:
        assert client.get(other)
        assert client.create_symmetric_key(name="the audit log goes on")
    verdict = server.try_run("audit", "verify", str(new))
    assert (verdict.returncode == ExitCode.OK) == ("audit" not in damage), verdict.stdout


def test_an_old_record_that_was_put_back_is_told_and_stops_no_restore(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    """It opens, and bears a name that another object has now."""
    there, here = place("sqlite", "there"), place("sqlite", "here")
    backup, new = tmp_path / "backup.age", here.folder / "data"
    with testing.server(there.folder) as server, Client.from_profile(server.profile) as client:
        old = client.create_symmetric_key(name="name")
        with closing(sqlite3.connect(f"file:{server.directory}/strongroom.db?mode=ro", uri=True)) as database:
            ((generation, state, storage, attributes, sealed),) = database.execute(
                "SELECT generation, state, storage, attributes, sealed FROM objects"
            ).fetchall()
        client.destroy(old)
        client.create_symmetric_key(name="name")
    with closing(sqlite3.connect(server.directory / "strongroom.db")) as database:
        database.execute(
            "UPDATE objects SET generation = ?, state = ?, storage = ?, attributes = ?, sealed = ?"
            " WHERE unique_identifier = ?",
            (generation, state, storage, attributes, sealed, old),
        )
        database.commit()
    create(server, backup, kit)
    said = refused(server, "verify", str(backup), "--identity", str(kit.path), "--all")
    assert f"object {old}: an old record was put back" in said
    done = server.try_run("backup", "restore", str(backup), "--data", str(new), "--identity", str(kit.path))
    assert done.returncode == ExitCode.OK, done.stderr
    assert f"object {old}: an old record was put back" in done.stderr


@pytest.mark.postgres
def test_a_root_key_that_was_announced_to_other_nodes_is_not_that_of_a_restored_server(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there, here = place("postgresql", "there"), place("postgresql", "here")
    backup, new = tmp_path / "backup.age", here.folder / "data"
    with testing.server(there.folder, store=there.url) as server:
        server.run("server", "root", "rotate", "--data", str(server.directory))
        create(server, backup, kit)
    assert there.count("entries WHERE kind = 60") == 1
    options = ["--identity", str(kit.path)]
    server.run("backup", "verify", str(backup), "--all", *options)
    server.run("backup", "restore", str(backup), "--data", str(new), *options, *here.option)
    assert here.count("entries WHERE kind = 60") == 0
    with running(here.folder) as restored, old_client(server.profile, restored) as client:
        client.create_symmetric_key()


# Kits in shares, the audit log, approvals


def test_a_kit_in_shares_opens_a_backup_with_as_many_as_are_needed(
    place: Callable[[str, str], Place], tmp_path: Path
) -> None:
    there, here = place("sqlite", "there"), place("sqlite", "here")
    backup, kit = tmp_path / "backup.age", tmp_path / "kit"
    with testing.server(there.folder) as server, Client.from_profile(server.profile) as client:
        client.create_symmetric_key(name="kept")
        data = ["--data", str(server.directory)]
        server.run("server", "recovery", "create", *data, "--out", str(kit), "--shares", "2/3")
        server.run("backup", "create", *data, "--to", str(backup))
    one, two, three = (f"{kit}.{number}" for number in (1, 2, 3))
    verify = ["verify", str(backup), "--identity"]
    too_few = "2 different shares are needed, here are 1"
    assert too_few in refused(server, *verify, one)
    assert too_few in refused(server, *verify, one, "--identity", one)
    new = str(here.folder / "data")
    server.run("backup", *verify, three, "--identity", one)
    server.run("backup", "restore", str(backup), "--data", new, "--identity", two, "--identity", three)
    with running(here.folder) as restored, old_client(server.profile, restored) as client:
        assert len(client.locate(name="kept")) == 1


def test_a_restore_is_an_event_in_an_audit_log_that_is_still_whole(
    site: testing.Server, backup: Path, kit: Kit, tmp_path: Path
) -> None:
    data = tmp_path / "here" / "data"
    before = verified(site, backup, kit)
    site.run("backup", "restore", str(backup), "--data", str(data), "--identity", str(kit.path))
    with running(tmp_path / "here") as restored, old_client(site.profile, restored) as client:
        client.create_symmetric_key(name="chains the events that wait")
    with closing(sqlite3.connect(data / "strongroom.db")) as database:
        events = database.execute("SELECT event, position FROM audit ORDER BY position").fetchall()
    (place,) = [place for event, place in events if b'"operation":"ADMIN backup.restore"' in event]
    assert place == int(str(before["audit_events"])) + 1
    assert str(before["backup"]).encode() in events[place - 1][0]
    assert b'"entries":[[0,80,' in events[place - 1][0]
    verdict = site.try_run("audit", "verify", str(data))
    assert verdict.returncode == ExitCode.OK, verdict.stdout + verdict.stderr


def test_all_records_are_opened_or_a_sample_of_each_kind(
    site: testing.Server, backup: Path, kit: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = tmp_path / "second.age"
    create(site, second, kit)  # the first has left an entry

    def opened(*, everything: bool) -> Contents:
        adapters, identities = StrongroomAdapters(), read_identities([kit.path])
        return verify_backup(
            second, adapters, identities, everything=everything, report=lambda *_: None
        ).contents

    whole = opened(everything=True)
    number = [whole.rows[name] for name in ("objects", "entries", "clients")]
    assert all(number)
    assert [whole.opened.objects, whole.opened.entries, whole.opened.clients] == number
    monkeypatch.setattr("strongroom.server.backup.verify.SAMPLE", 5)
    every = max(whole.rows.values()) // 5
    assert every > 1
    some = opened(everything=False).opened
    assert [some.objects, some.entries, some.clients] == [-(-one // every) for one in number]


def test_the_end_of_the_audit_log_is_told(site: testing.Server, backup: Path, kit: Kit) -> None:
    found = verified(site, backup, kit)
    position, head = int(str(found["audit_events"])), str(found["audit_head"])
    with closing(sqlite3.connect(f"file:{site.directory}/strongroom.db?mode=ro", uri=True)) as database:
        ((hash_,),) = database.execute("SELECT hash FROM audit WHERE position = ?", (position,)).fetchall()
    assert head == hash_.hex()


def test_an_audit_log_that_was_edited_is_found_in_its_backup(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there = place("sqlite", "there")
    with testing.server(there.folder) as server, Client.from_profile(server.profile) as client:
        client.create_symmetric_key(name="kept")
    with closing(sqlite3.connect(server.directory / "strongroom.db")) as database:
        database.execute("UPDATE audit SET event = replace(event, 'success', 'succes5') WHERE position = 2")
        database.execute("UPDATE audit SET event = CAST(event AS BLOB) WHERE position = 2")
        database.commit()
    create(server, tmp_path / "backup.age", kit)
    said = refused(server, "verify", str(tmp_path / "backup.age"), "--identity", str(kit.path))
    assert "event 2 of the audit log does not follow from the one before it" in said


def test_others_than_the_kit_are_given_keys_once_people_have_agreed(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there, own = place("sqlite", "there"), Kit(tmp_path / "own")
    backup = tmp_path / "backup.age"
    with testing.server(there.folder) as server:
        data = ["--data", str(server.directory)]
        keep_for(server, kit)
        server.run("person", "add", "ann", "--role", "approver", "--client", "test", *data)
        server.run("approval", "require", "export=1", "--tenant", "system", *data)
        words = ["create", *data, "--to", str(backup), "--recipient", own.recipient]
        said = refused(server, *words, code=ExitCode.PENDING_APPROVAL)
        assert list(tmp_path.glob("*backup.age*")) == []
        (approval,) = re.findall(r"approval approve (\S+?)`", said)
        server.run("approval", "approve", approval, "--profile", str(server.profile))
        other = [*words[:-1], kit.recipient, "--recipient", own.recipient]
        refused(server, *other, code=ExitCode.PENDING_APPROVAL)
        server.run("backup", *words)
        words[words.index(str(backup))] = str(tmp_path / "second.age")
        refused(server, *words, code=ExitCode.PENDING_APPROVAL)
        server.run("backup", "create", *data, "--to", str(tmp_path / "kit.age"))
    assert verified(server, backup, own)["result"] == "good"


def test_people_agree_once_to_a_backup_that_is_begun_anew_since_files_have_changed(
    place: Callable[[str, str], Place], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, own = place("sqlite", "there"), Kit(tmp_path / "own")
    with testing.server(there.folder) as server:
        data = ["--data", str(server.directory)]
        server.run("person", "add", "ann", "--role", "approver", "--client", "test", *data)
        server.run("approval", "require", "export=1", "--tenant", "system", *data)
        words = ["create", *data, "--to", str(tmp_path / "backup.age"), "--recipient", own.recipient]
        said = refused(server, *words, code=ExitCode.PENDING_APPROVAL)
        (approval,) = re.findall(r"approval approve (\S+?)`", said)
        server.run("approval", "approve", approval, "--profile", str(server.profile))
        changes = [lambda: server.run("server", "ca", "rotate", *data)]

        def settled(directory: DataDirectory) -> dict[str, bytes]:
            if changes:
                changes.pop()()
            return settled_files(directory)

        monkeypatch.setattr("strongroom.server.backup.create.settled_files", settled)
        create_while(server, tmp_path / "backup.age", own, "backup.keys", lambda: None)
        assert changes == []
        other = Kit(tmp_path / "other")
        answer = {"command": "backup.keys", "recipients": [own.recipient, other.recipient]}
        for again in (None, *names_of_backups(server)):
            with pytest.raises(PendingApproval):
                call(DataDirectory.open(server.directory), StrongroomAdapters(), answer | {"again": again})
    assert verified(server, tmp_path / "backup.age", own)["result"] == "good"


def names_of_backups(server: testing.Server) -> list[str]:
    """Return what backups are called that were given keys."""
    with closing(sqlite3.connect(server.directory / "strongroom.db")) as database:
        rows = database.execute("SELECT key FROM entries WHERE kind = ?", (KeysGiven.kind,))
        return [key for (key,) in rows]


def test_nobody_is_given_keys_on_another_machine(
    place: Callable[[str, str], Place], kit: Kit, tmp_path: Path
) -> None:
    there = place("sqlite", "there")
    with testing.server(there.folder) as server:
        data = ["--data", str(server.directory)]
        server.run("person", "add", "ann", "--role", "administrator", "--client", "test", *data)
        with pytest.raises(Denied, match="on the machine of the server"):
            administer(server.profile, {"command": "backup.keys", "recipients": [kit.recipient]})


def test_who_made_a_backup_is_proved_by_a_copy_of_its_audit_key(
    site: testing.Server, backup: Path, kit: Kit, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.pub"
    copy.write_bytes((site.directory / "audit.pub").read_bytes())
    opened = (str(backup), "--identity", str(kit.path))
    told = json.loads(site.run("backup", "verify", *opened, "--signer", str(copy), "-o", "json"))
    assert re.fullmatch("[0-9a-f]{16}", told["signed_by"])
    new = tmp_path / "new"
    site.run("backup", "restore", *opened, "--data", str(new), "--signer", str(copy))
    assert (new / "audit.pub").read_bytes() == copy.read_bytes()


def test_a_backup_that_another_server_made_for_the_same_kit_is_refused(
    site: testing.Server, kit: Kit, tmp_path: Path
) -> None:
    """Whoever can replace a backup knows whom it is encrypted to."""
    forged, new = tmp_path / "forged.age", tmp_path / "new"
    with testing.server(tmp_path / "theirs") as theirs:
        create(theirs, forged, kit)
    opened = (str(forged), "--identity", str(kit.path))
    signer = ("--signer", str(site.directory / "audit.pub"))
    assert "was made by the server with the key" in refused(site, "verify", *opened, *signer)
    assert "was made by the server with the key" in refused(
        site, "restore", *opened, *signer, "--data", str(new)
    )
    assert not new.exists()
    told = json.loads(site.run("backup", "verify", *opened, "-o", "json"))
    assert told["signed_by"] == "not compared: give --signer"


def test_only_a_backup_that_was_given_keys_is_signed(site: testing.Server) -> None:
    request: Message = {"command": "backup.sign", "backup": "20260101T000000Z-00", "digest": "00" * 32}
    with pytest.raises(OperatorError, match="was given keys"):
        call_server(DataDirectory(site.directory), request)
