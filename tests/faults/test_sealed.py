"""Sealed servers: who may do what, and who guesses (faults 36 and 37)."""

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom import Client, testing
from strongroom.server.admin import call_server
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import Denied
from tests.processes import kill_trees, process_tree
from tests.sealed import Vault

DENIED, SEALED = 4, 7


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """Give a server that any two of three shares open, started and sealed."""
    made = Vault(
        tmp_path / "vault", "--root-key", "shares", "--shares", "2/3", f"--shares-out={tmp_path}/vault/shares"
    )
    made.start_sealed()
    yield made
    if made._process is not None:
        made.stop()


def port(vault: Vault) -> tuple[str, int]:
    host, _, number = vault.status()["kmip"].rpartition(":")
    return host, int(number)


def test_a_sealed_server_refuses_connections_at_once(vault: Vault) -> None:
    """The port is its own, and nobody waits for an answer."""
    address = port(vault)
    for _ in range(50):
        start = time.monotonic()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=60)
        assert time.monotonic() - start < 1
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(address)


@pytest.mark.parametrize(
    "command",
    [
        ("client", "list"),
        ("client", "revoke", "somebody"),
        ("server", "root", "status"),
        ("server", "root", "rotate", "--to", "file"),
        ("server", "recovery", "create", "--out", "KIT"),
        ("server", "seal"),
    ],
)
def test_a_sealed_server_does_nothing_but_status_and_unseal(vault: Vault, command: tuple[str, ...]) -> None:
    words = [str(vault.folder / "kit") if word == "KIT" else word for word in command]
    done = vault.try_run(*words, "--data", str(vault.directory))
    assert done.returncode == SEALED, done.stderr
    assert "server unseal" in done.stderr


def test_unsealing_shows_how_far_it_is_and_then_the_server_is_ready(vault: Vault) -> None:
    found = vault.status()
    assert (found["sealed"], found["health"], found["provider"]) == (True, "sealed", "shares")
    assert (found["recovery"], found["unsealing"]) == ("missing", "0 of 2 shares")
    assert vault.unseal(2)["unsealing"] == "1 of 2 shares"
    assert not vault.said_ready(0.5)
    found = vault.unseal(3)
    assert (found["sealed"], found["health"], found["unsealing"]) == (False, "ok", None)
    assert vault.said_ready()
    vault.enrol("somebody")


def test_wrong_repeated_and_old_shares_are_refused_and_lose_nothing(vault: Vault, tmp_path: Path) -> None:
    other = Vault(
        tmp_path / "other", "--root-key", "shares", "--shares", "2/3", f"--shares-out={tmp_path}/other/shares"
    )
    damaged = tmp_path / "damaged"
    damaged.write_text(re.sub(r":([A-Za-z0-9_-]{4})", ":AAAA", vault.share(1).read_text(), count=4))
    vault.unseal(1)
    for wrong, words in (
        (other.share(2), "another root key"),
        (vault.share(1), "brought already"),
        (damaged, "a character of it is wrong"),
    ):
        done = vault.on("unseal", f"--share={wrong}")
        assert done.returncode == DENIED, done.stderr
        assert words in done.stderr
        assert vault.status()["unsealing"] == "1 of 2 shares", "what was brought before still counts"
    time.sleep(1.1)
    assert vault.unseal(3)["sealed"] is False


def test_more_shares_than_needed_open_and_tell_nothing(vault: Vault) -> None:
    """The third is left over: it opens nothing more and is not kept."""
    done = vault.on("unseal", *(f"--share={vault.share(number)}" for number in (1, 2, 3)))
    assert done.returncode == DENIED
    assert "no root key waits for shares" in done.stderr
    assert vault.on("unseal").returncode == 0
    assert vault.status()["sealed"] is False


def test_who_guesses_has_to_wait_also_after_a_restart_and_it_is_recorded(
    vault: Vault,
) -> None:
    wrong = "strongroom-share-1:root:00:2-of-3:1:AAAA:00000000"
    directory = DataDirectory.open(vault.directory)
    refusals = list[str]()
    while "wait" not in "".join(refusals):
        with pytest.raises(Denied) as caught:
            call_server(directory, {"command": "unseal", "shares": [wrong]})
        refusals.append(str(caught.value))
        assert len(refusals) < 20
    refused = vault.status()["refused_attempts"]
    assert 3 <= refused == len(refusals) - 1, "who had to wait was not even looked at"
    vault.kill()
    vault.start_sealed()
    assert vault.status()["refused_attempts"] == refused
    log = vault.log_text()
    assert log.count("unseal_refused") == refused
    give_up = time.monotonic() + 60
    while vault.on("unseal", f"--share={vault.share(1)}").returncode:
        assert time.monotonic() < give_up
        time.sleep(0.5)
    assert vault.unseal(2)["refused_attempts"] == 0
    assert f'"refused_before": {refused}' in vault.log_text()
    assert f"number={refused}" in vault.run("audit", "export", "--data", str(vault.directory))


def test_no_share_is_in_a_log_an_answer_or_a_file_of_the_server(vault: Vault) -> None:
    said = [vault.on("unseal", f"--share={vault.share(number)}") for number in (1, 1, 2)]
    assert vault.said_ready()
    secrets = [vault.share(number).read_text().strip().split(":")[5] for number in (1, 2, 3)]
    everything = [vault.log_text(), *(f"{done.stdout}{done.stderr}" for done in said)]
    everything += [
        path.read_bytes().decode(errors="replace") for path in vault.directory.rglob("*") if path.is_file()
    ]
    for secret in secrets:
        assert not any(secret in text for text in everything)


def test_sealing_a_server_under_load_ends_every_connection_and_every_process_with_keys(
    vault: Vault, tmp_path: Path
) -> None:
    vault.unseal(1, 2)
    assert vault.said_ready()
    profile = vault.enrol(testing.CLIENT)
    with Client.from_profile(profile) as client:
        key = client.create_symmetric_key(name="before")
        before = client.get(key)
        supervisor = vault.process.pid
        assert len(process_tree(supervisor)) > 1
        assert vault.ok("seal")["sealed"] is True
        assert process_tree(supervisor) == [supervisor], (
            "workers and writer have gone, and what they had open"
        )
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((vault.host, vault.port), timeout=60)
        assert vault.try_run("key", "show", key, "--profile", str(profile)).returncode == 6
        assert vault.status()["unsealing"] == "0 of 2 shares", "what was brought before has been forgotten"
        vault.unseal(3, 1)
        assert client.get(key) == before, "the same port, the same objects"
    audit = vault.run("audit", "export", "--data", str(vault.directory))
    assert "server.seal" in audit
    assert audit.count("server.unseal") == 2


def test_a_server_that_is_killed_while_it_is_open_is_sealed_again(vault: Vault) -> None:
    vault.unseal(1, 2)
    assert vault.said_ready()
    kill_trees([vault.process.pid])
    vault._ended()
    vault.start_sealed()
    assert vault.status()["sealed"] is True
    assert vault.unseal(2, 3)["sealed"] is False


def test_sigterm_ends_a_sealed_server(vault: Vault) -> None:
    assert vault.stop() == 0
