"""Root keys from everywhere, with the whole product: tokens, another key manager, kits, nodes."""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from strongroom import Client, testing
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.envelope import parse
from strongroom.rootkey.recovery import Identity
from strongroom.rootkey.stored import StoredKeyring
from strongroom.server.data_directory import DataDirectory
from strongroom.server.root.places import wrapped_files
from tests.e2e.conftest import eventually
from tests.processes import process_tree
from tests.sealed import PASSPHRASE, Vault, secret_file
from tests.softhsm import Token
from tests.unit.rootkey.conftest import new, place

DENIED, SEALED = 4, 7


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    made = Token(tmp_path / "token")
    monkeypatch.setenv("SOFTHSM2_CONF", str(made.configuration))
    return made


@pytest.fixture
def vaults() -> Iterator[list[Vault]]:
    """Give a list of servers that end with the test."""
    made: list[Vault] = []
    yield made
    for vault in made:
        if vault._process is not None:
            vault.kill()


def started(vaults: list[Vault], vault: Vault) -> Vault:
    vaults.append(vault)
    vault.start()
    vault.enrol(testing.CLIENT)
    return vault


def create(vault: Vault) -> str:
    with Client.from_profile(vault.profile) as client:
        return client.create_symmetric_key()


def readable(vault: Vault, *identifiers: str) -> bool:
    with Client.from_profile(vault.profile) as client:
        return all(client.get(identifier) is not None for identifier in identifiers)


def worker(vault: Vault) -> int:
    (found,) = vault.status()["workers"]
    return int(found["pid"])


def kill_worker(vault: Vault) -> None:
    os.kill(worker(vault), signal.SIGKILL)


def test_with_a_token_the_root_key_is_nowhere_else_and_a_lost_token_comes_back(
    tmp_path: Path, token: Token, vaults: list[Vault]
) -> None:
    vault = started(vaults, Vault(tmp_path / "vault", "--root-key", "pkcs11", *token.arguments))
    assert vault.status()["provider"] == "pkcs11"
    assert not (vault.directory / "root.key").exists()
    first = create(vault)
    token.lose()
    assert readable(vault, first), "store keys that are open stay open"
    second = create(vault)
    done = vault.try_run(
        "client", "enrol", "late", "--data", str(vault.directory), "--out", str(tmp_path / "late")
    )
    assert done.returncode == SEALED, "the authority's key is under the root key"
    assert "token" in done.stderr
    eventually(lambda: vault.status()["health"] == "degraded")
    assert "token" in vault.status()["problems"]["root key"]
    kill_worker(vault)
    vault.wait_for_log("worker_died")
    assert vault.status()["health"] == "degraded"
    token.find()
    eventually(lambda: vault.status()["health"] == "ok")
    assert readable(vault, first, second)
    vault.enrol("late")
    assert vault.stop() == 0
    token.lose()
    done = vault.try_run("serve", str(vault.directory), "--listen", "127.0.0.1:0", "--https", "off")
    assert done.returncode == 1 or done.returncode == SEALED
    assert "goes on by itself once the key is back" in done.stderr
    token.find()
    vault.start()
    assert readable(vault, first, second)


def test_from_a_file_into_a_token_and_out_again(tmp_path: Path, token: Token, vaults: list[Vault]) -> None:
    vault = started(vaults, Vault(tmp_path / "vault"))
    first = create(vault)
    vault.ok("root", "rotate", "--to", "pkcs11", *token.arguments)
    assert not list(vault.directory.glob("root*.key"))
    kill_worker(vault)
    eventually(lambda: vault.status()["health"] == "ok")
    assert readable(vault, first)
    second = create(vault)
    vault.ok("root", "rotate", "--to", "file")
    vault.ok("root", "rotate", "--to", "pkcs11", *token.arguments)
    vault.ok("root", "rotate", "--to", "passphrase", f"--passphrase-file={vault.passphrase_file}")
    assert Path(token.module).name not in Path(f"/proc/{vault.process.pid}/maps").read_text(), (
        "the supervisor, which forks, has opened the token"
    )
    kill_worker(vault)
    eventually(lambda: vault.status()["health"] == "ok")
    vault.ok("root", "rotate", "--to", "file")
    token.lose()
    vault.stop()
    vault.start()
    assert readable(vault, first, second), "the token is not needed any more"


def test_with_another_key_manager_the_root_key_stays_there(tmp_path: Path, vaults: list[Vault]) -> None:
    """A second Strongroom has it; it is lost for a while."""
    other = started(vaults, Vault(tmp_path / "other"))
    vault = started(
        vaults, Vault(tmp_path / "vault", "--root-key", "kmip", "--kmip-profile", str(other.profile))
    )
    assert vault.status()["provider"] == "kmip"
    assert not (vault.directory / "root.key").exists()
    with Client.from_profile(other.profile) as client:
        (key,) = client.locate()
    done = other.try_run("key", "export", key, "--profile", str(other.profile))
    assert done.returncode != 0, "it is sensitive and cannot be fetched"
    first = create(vault)
    other.stop()
    assert readable(vault, first), "store keys that are open stay open"
    done = vault.try_run(
        "client", "enrol", "late", "--data", str(vault.directory), "--out", str(tmp_path / "late")
    )
    assert done.returncode == SEALED
    assert "key manager" in done.stderr
    other.start()
    vault.enrol("late")
    vault.stop()
    vault.start()
    assert readable(vault, first)
    vault.ok("root", "rotate", "--to", "file")
    other.stop()
    vault.stop()
    vault.start()
    assert readable(vault, first), "the other key manager is not needed any more"


def test_a_passphrase_is_brought_in_a_file_as_a_credential_or_later(
    tmp_path: Path, vaults: list[Vault], monkeypatch: pytest.MonkeyPatch
) -> None:
    phrase = secret_file(tmp_path / "phrase", PASSPHRASE)
    vault = Vault(tmp_path / "vault", "--root-key", "passphrase", f"--passphrase-file={phrase}")
    vaults.append(vault)
    vault.start_sealed()
    assert vault.status()["unsealing"] == "passphrase"
    wrong = secret_file(tmp_path / "wrong", "correct horse battery stable")
    done = vault.on("unseal", f"--passphrase-file={wrong}")
    assert done.returncode == DENIED
    assert "does not open" in done.stderr
    assert vault.status()["refused_attempts"] == 1
    assert vault.ok("unseal", f"--passphrase-file={phrase}")["sealed"] is False
    assert vault.said_ready()
    vault.enrol(testing.CLIENT)
    first = create(vault)
    kill_worker(vault)
    eventually(lambda: vault.status()["health"] == "ok")
    assert readable(vault, first), "nobody is asked again for a worker that died"
    vault.stop()
    alone = vault.try_run("client", "list", "--data", str(vault.directory))
    assert alone.returncode == SEALED
    assert "no server runs" in alone.stderr
    assert "strongroom serve" in alone.stderr
    secret_file(tmp_path / "strongroom-passphrase", PASSPHRASE)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    vault.start()
    assert readable(vault, first)
    everything = b"".join(path.read_bytes() for path in vault.directory.rglob("*") if path.is_file())
    assert PASSPHRASE.encode() not in everything + vault.log_text().encode()


def test_a_worker_that_has_missed_a_root_key_makes_room_for_one_that_has_it(
    tmp_path: Path, vaults: list[Vault]
) -> None:
    """A machine that stood still may go on with the worker that lets go of the one before."""
    phrase = f"--passphrase-file={secret_file(tmp_path / 'phrase', PASSPHRASE)}"
    vault = Vault(tmp_path / "vault", "--root-key", "passphrase", phrase, workers=2)
    vaults.append(vault)
    vault.start_sealed()
    vault.ok("unseal", phrase)
    late = vault.status()["workers"][1]["pid"]
    os.kill(late, signal.SIGSTOP)
    root_key = StoredKeyring(place(vault.directory, SecretBytes(PASSPHRASE.encode())))
    made = new("passphrase", 2)
    root_key.adopt(root_key.prepare(made.described, made.secret))
    eventually(lambda: not StoredKeyring(place(vault.directory)).changing, within=60)
    os.kill(late, signal.SIGCONT)
    vault.wait_for_log("it has missed a root key", timeout=60)
    eventually(lambda: vault.status()["health"] == "ok", within=40)
    assert late not in [worker["pid"] for worker in vault.status()["workers"]]


@pytest.mark.parametrize("split", [None, "2/3"])
def test_with_the_kit_and_the_data_a_lost_root_key_is_no_loss(
    tmp_path: Path, vaults: list[Vault], split: str | None
) -> None:
    kit = tmp_path / "kit"
    options = [f"--recovery={kit}"] + ([] if split is None else ["--recovery-shares", split])
    vault = started(vaults, Vault(tmp_path / "vault", *options))
    assert vault.status()["recovery"].startswith("age1")
    first = create(vault)
    vault.stop()
    (vault.directory / "root.key").unlink()
    files = [kit] if split is None else [Path(f"{kit}.1"), Path(f"{kit}.3")]
    if split is not None:
        done = vault.on("root", "recover", f"--kit={files[0]}")
        assert done.returncode == 1
        assert "2 different shares are needed, here are 1" in done.stderr
    arguments = [f"--kit={file}" for file in files]
    done = vault.on(
        "root",
        "recover",
        *arguments,
        "--root-key",
        "passphrase",
        f"--passphrase-file={vault.passphrase_file}",
    )
    assert done.returncode == 0, done.stderr
    vault.start_sealed()
    assert vault.ok("unseal", f"--passphrase-file={vault.passphrase_file}")["sealed"] is False
    assert vault.said_ready()
    assert readable(vault, first)
    vault.enrol("new")
    assert vault.status()["recovery"].startswith("age1")
    vault.stop()
    assert vault.on("root", "recover", *arguments).returncode == 0, "the kit stays good"
    vault.start()
    assert readable(vault, first)


def test_a_kit_that_is_made_later_is_as_good_and_its_absence_is_said(
    tmp_path: Path, vaults: list[Vault]
) -> None:
    vault = started(vaults, Vault(tmp_path / "vault"))
    assert vault.status()["recovery"] == "missing"
    assert "recovery_missing" in vault.log_text()
    first = create(vault)
    kit, second = tmp_path / "kit", tmp_path / "second"
    vault.ok("recovery", "create", f"--out={kit}")
    assert kit.stat().st_mode & 0o777 == 0o600
    assert vault.status()["recovery"].startswith("age1")
    done = vault.on("recovery", "create", f"--out={kit}")
    assert done.returncode == 1, "nothing is written over a kit"
    vault.ok("recovery", "create", f"--out={second}")
    vault.stop()
    (vault.directory / "root.key").unlink()
    done = vault.on("root", "recover", f"--kit={kit}")
    assert done.returncode == 1
    assert "another recovery kit" in done.stderr
    assert vault.on("root", "recover", f"--kit={second}").returncode == 0
    vault.start()
    assert readable(vault, first)


def recipients(vault: Vault) -> set[bytes | None]:
    """Return for which kits the store keys and the key of the authority are wrapped."""
    with closing(sqlite3.connect(vault.directory / "strongroom.db")) as database:
        keys = [wrapped for (wrapped,) in database.execute("SELECT wrapped FROM store_keys")]
    keys += wrapped_files(DataDirectory.open(vault.directory))
    return {None if (found := parse(key).recovery) is None else found.tag for key in keys}


def test_a_kit_that_cannot_be_read_keeps_nobody_from_serving(tmp_path: Path, vaults: list[Vault]) -> None:
    """Nothing is wrapped for whoever it may be; workers follow, die and start all the same."""
    kit, second = tmp_path / "kit", tmp_path / "second"
    vault = started(vaults, Vault(tmp_path / "vault", f"--recovery={kit}"))
    first, before = create(vault), recipients(vault)
    (vault.directory / "recovery.pub").write_bytes(b"\0\0garbage")
    pid = worker(vault)
    vault.try_run("client", "revoke", "nobody", "--data", str(vault.directory))
    assert worker(vault) == pid, "a command has every worker follow"
    kill_worker(vault)
    vault.wait_for_log("worker_died")
    eventually(lambda: "recovery.pub" in vault.status()["problems"].get("root key", ""))
    assert vault.status()["recovery"] == "unreadable"
    assert readable(vault, first, create(vault))
    vault.stop()
    vault.start()
    assert readable(vault, first, create(vault))
    assert recipients(vault) == before
    vault.ok("recovery", "create", f"--out={second}")
    assert len(recipients(vault)) == 1
    eventually(lambda: not vault.status()["problems"])


def test_nobody_else_has_keys_wrapped_for_them_by_writing_a_file(tmp_path: Path, vaults: list[Vault]) -> None:
    """A recipient that somebody has put there: nothing is wrapped for it, and it is said what to do."""
    kit, second, thief = tmp_path / "kit", tmp_path / "second", Identity.generate().recipient
    vault = started(vaults, Vault(tmp_path / "vault", f"--recovery={kit}"))
    first = create(vault)
    file, before = vault.directory / "recovery.pub", recipients(vault)
    genuine = file.read_text()
    (own,) = before
    assert own is not None
    for changed in (f"{thief.text}\n", genuine.replace(genuine.split()[0], thief.text)):
        file.write_text(changed)
        eventually(lambda: "recovery.pub" in vault.status()["problems"].get("root key", ""))
        assert vault.status()["health"] != "ok"
        assert "recovery create" in vault.status()["problems"]["root key"]
        assert recipients(vault) == before
        assert readable(vault, first)
        vault.stop()
        vault.start()
        eventually(lambda: "recovery.pub" in vault.status()["problems"].get("root key", ""))
        assert readable(vault, create(vault))
        assert recipients(vault) == before
        file.write_text(genuine)
        eventually(lambda: not vault.status()["problems"])
    assert "recovery_refused" in vault.log_text()
    file.write_text(f"{thief.text}\n")
    vault.ok("recovery", "create", f"--out={second}")
    (new,) = recipients(vault)
    assert new not in (own, thief.tag)
    assert not vault.status()["problems"]


def test_the_recipient_of_an_older_release_is_sealed_at_the_next_start_and_by_each_root_key(
    tmp_path: Path, vaults: list[Vault]
) -> None:
    kit = tmp_path / "kit"
    vault = started(vaults, Vault(tmp_path / "vault", f"--recovery={kit}"))
    first, file = create(vault), vault.directory / "recovery.pub"
    vault.stop()
    recipient = file.read_text().split()[0]
    file.write_text(f"{recipient}\n")
    vault.start()
    eventually(lambda: "# seal " in file.read_text())
    assert not vault.status()["problems"]
    sealed = file.read_text()
    vault.ok("root", "rotate")
    assert file.read_text() != sealed
    assert file.read_text().split()[0] == recipient
    vault.stop()
    vault.start()
    assert readable(vault, first, create(vault))
    vault.run("backup", "create", "--data", str(vault.directory), "--to", str(tmp_path / "b.age"))
    vault.run("backup", "verify", str(tmp_path / "b.age"), "--identity", str(kit))
    vault.stop()
    (vault.directory / "root.key").unlink()
    assert vault.on("root", "recover", f"--kit={kit}").returncode == 0


def test_the_kit_recovers_whatever_stands_in_the_file(tmp_path: Path, vaults: list[Vault]) -> None:
    kit = tmp_path / "kit"
    vault = started(vaults, Vault(tmp_path / "vault", f"--recovery={kit}"))
    first = create(vault)
    vault.stop()
    (vault.directory / "root.key").unlink()
    (vault.directory / "recovery.pub").write_text("nonsense\n")
    assert vault.on("root", "recover", f"--kit={kit}").returncode == 0
    vault.start()
    assert readable(vault, first, create(vault))
    assert not vault.status()["problems"]
    assert None not in recipients(vault)


def test_init_without_a_kit_warns_and_succeeds(tmp_path: Path) -> None:
    server = testing.Server(tmp_path)
    done = server.try_run("init", str(tmp_path / "data"))
    assert done.returncode == 0
    assert "no recovery kit" in done.stderr


def test_a_key_manager_that_cannot_be_asked_for_want_of_a_profile_is_no_sealed_server(tmp_path: Path) -> None:
    server = testing.Server(tmp_path)
    words = ("--root-key", "kmip", "--kmip-profile", str(tmp_path / "none"))
    done = server.try_run("init", str(tmp_path / "data"), *words)
    assert done.returncode == 1
    assert "cannot read the profile" in done.stderr


def test_status_of_a_directory_without_a_server_says_so(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault")
    done = vault.on("status")
    assert done.returncode == 6
    assert "strongroom serve" in done.stderr


def test_no_process_but_the_supervisor_is_left_when_it_is_sealed(tmp_path: Path, vaults: list[Vault]) -> None:
    vault = started(vaults, Vault(tmp_path / "vault"))
    vault.ok("seal")
    assert process_tree(vault.process.pid) == [vault.process.pid]
    assert vault.ok("unseal")["sealed"] is False, "a root key in a file needs nobody"
    give_up = time.monotonic() + 60
    while not readable(vault):
        assert time.monotonic() < give_up
