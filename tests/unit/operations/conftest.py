"""A key manager for each test of an operation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kms import TestKms


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[TestKms]:
    server = TestKms(tmp_path)
    yield server
    server.close()
