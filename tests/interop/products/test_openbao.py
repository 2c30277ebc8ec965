"""OpenBao's own seal for KMIP, over a restart: set up as `client enrol --for openbao` says."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom import testing
from tests.interop.endpoint import TIMEOUT_SECONDS


@pytest.fixture(scope="module")
def files(enrolled: Callable[[str], Path]) -> Path:
    return enrolled("openbao")


@pytest.fixture(scope="module")
def strongroom(server: testing.Server, files: Path) -> Callable[..., str]:
    """Run a command as the vault's client, and return the identifier that it prints."""

    def run(*arguments: str) -> str:
        made = server.run(*arguments, "--profile", str(files / "profile.toml"), "--output", "id")
        return made.split()[0]

    return run


def sealed_and_unsealed(program: Path, files: Path, key: str, *more: str) -> None:
    done = subprocess.run(
        [program, f"-config={files / 'README.txt'}", f"-key={key}", *more],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_vault_is_sealed_with_a_key(go_clients: Path, files: Path, strongroom: Callable[..., str]) -> None:
    """The command and the block are those that are printed."""
    key = strongroom("key", "create", "--name", "openbao", "--activate")
    sealed_and_unsealed(go_clients / "openbao", files, key)


@pytest.mark.parametrize("size", [256, 384, 512])
def test_a_vault_is_sealed_with_a_key_pair(
    go_clients: Path, files: Path, strongroom: Callable[..., str], size: int
) -> None:
    private = strongroom(
        "key", "pair", "--name", f"pair-{size}", "--length", "2048", "--private-usage", "Decrypt",
        "--public-usage", "Encrypt", "--activate",
    )  # fmt: skip
    sealed_and_unsealed(go_clients / "openbao", files, private, f"-mechanism=RSA_OAEP_SHA{size}")
