"""A data directory with an authority, made without the command line."""

import datetime as dt
from pathlib import Path

import pytest

from strongroom.model.secret import SecretBytes
from strongroom.server.ca import Authority, create_authority, issue_server_certificate
from strongroom.server.data_directory import DataDirectory

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


class Plain:
    """A root key that wraps by turning the bytes around."""

    def wrap(self, key: SecretBytes) -> bytes:
        return key.reveal()[::-1]

    def unwrap(self, wrapped: bytes) -> SecretBytes:
        return SecretBytes(wrapped[::-1])


@pytest.fixture
def root_key() -> Plain:
    return Plain()


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    return DataDirectory.create(tmp_path / "data")


@pytest.fixture
def authority(directory: DataDirectory, root_key: Plain) -> Authority:
    authority = create_authority(directory, root_key, NOW)
    issue_server_certificate(directory, authority, ["localhost", "127.0.0.1", "::1"], NOW)
    return authority
