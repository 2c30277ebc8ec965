"""A data directory with an authority, made without the command line."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from strongroom.domain.ports import RootKey
from strongroom.rootkey.file import FileRootKey, create
from strongroom.server.certificates.ca import Authority, create_authority, issue_server_certificate
from strongroom.server.data_directory import DataDirectory

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


@pytest.fixture
def root_key(tmp_path: Path) -> RootKey:
    create(tmp_path / "root.key")
    return FileRootKey(tmp_path / "root.key")


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    return DataDirectory.create(tmp_path / "data")


@pytest.fixture
def authority(directory: DataDirectory, root_key: RootKey) -> Authority:
    authority = create_authority(directory, root_key, NOW)
    issue_server_certificate(directory, authority, ["localhost", "127.0.0.1", "::1"], NOW)
    return authority


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with capture_logs() as captured:
        yield captured
