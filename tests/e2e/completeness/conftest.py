"""One server for all that is asked of it."""

from collections.abc import Iterator

import pytest

from strongroom import testing
from tests.over_tls import OverTls


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    """Give a server that uses legacy algorithms, too."""
    folder = tmp_path_factory.mktemp("completeness")
    with testing.server(folder, settings={"policy": {"legacy": "on"}}) as running:
        yield running


@pytest.fixture(scope="module")
def kms(server: testing.Server) -> Iterator[OverTls]:
    """Give a client that is connected to it."""
    connected = OverTls(server.profile)
    yield connected
    connected.close()


@pytest.fixture(scope="module")
def stranger(server: testing.Server) -> Iterator[OverTls]:
    """Give another client."""
    connected = OverTls(server.enrol("stranger"))
    yield connected
    connected.close()
