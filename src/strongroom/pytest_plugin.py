"""The pytest fixture `strongroom_server`: a throw-away key manager, one for the whole session.

Rule: pytest loads this in every run where Strongroom is installed, so it imports nothing until it is used.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from strongroom.testing import Server


@pytest.fixture(scope="session")
def strongroom_server() -> "Iterator[Server]":
    """Give a running server with one enrolled client; see `strongroom.testing.Server`."""
    from strongroom import testing

    with testing.server() as server:
        yield server
