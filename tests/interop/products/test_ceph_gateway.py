"""Ceph's RADOS Gateway itself, with libkmip inside: set up as `client enrol --for ceph` says.

Rule: what is printed is pasted as it is, and the keys are made by the command that it names.
"""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strongroom import testing
from tests.interop.ceph import Ceph, ceph

SECRET = b"nobody else reads this "
OK, NOT_FOUND = 200, 404


@pytest.fixture(scope="module")
def files(enrolled: Callable[[str], Path]) -> Path:
    return enrolled("ceph")


@pytest.fixture(scope="module")
def gateway(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ceph]:
    lines = (files / "README.txt").read_text().splitlines()
    pasted = [line for line in lines if line.startswith("ceph config set ")]
    assert len(pasted) == 6
    with ceph(tmp_path_factory.mktemp("ceph"), pasted) as running:
        assert running.s3("PUT", "/bucket") == (OK, b"")
        yield running


@pytest.fixture
def strongroom(server: testing.Server, files: Path) -> Callable[..., str]:
    """Run a command as the gateway's client."""

    def run(*arguments: str) -> str:
        return server.run(*arguments, "--profile", str(files / "profile.toml"))

    return run


def put(gateway: Ceph, path: str, content: bytes, key: str) -> tuple[int, bytes]:
    """Store an object, encrypted with a key of the key manager."""
    return gateway.s3(
        "PUT",
        path,
        content,
        server_side_encryption="aws:kms",
        server_side_encryption_aws_kms_key_id=key,
    )


def test_objects_are_encrypted_with_a_key_of_the_key_manager(
    gateway: Ceph, strongroom: Callable[..., str]
) -> None:
    content = SECRET * 10_000
    strongroom("key", "create", "--name", "first", "--length", "256")
    assert put(gateway, "/bucket/one", content, "first") == (OK, b"")
    assert gateway.s3("GET", "/bucket/one") == (OK, content)
    stored = gateway.stored()
    assert len(stored) >= len(content)
    assert SECRET not in stored

    strongroom("key", "destroy", "first", "--yes")
    status, said = gateway.s3("GET", "/bucket/one")
    assert status != OK
    assert SECRET not in said


def test_a_key_that_nobody_has_made_is_not_found(gateway: Ceph) -> None:
    status, said = put(gateway, "/bucket/two", SECRET, f"nobody-{uuid.uuid4()}")
    assert status == NOT_FOUND
    assert b"Failed to retrieve the actual key" in said
