"""A key manager for each test of an operation, on a copy of an empty store, which is quicker to make."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kms import TestKms


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("empty")
    TestKms(directory).close()
    return directory


@pytest.fixture
def kms(tmp_path: Path, empty_store: Path) -> Iterator[TestKms]:
    directory = tmp_path / "data"
    shutil.copytree(empty_store, directory)
    server = TestKms(directory)
    yield server
    server.close()
