"""One server for all that is asked of it."""

from collections.abc import Iterator

import pytest

from strongroom import testing
from tests.over_tls import OverTls


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OverTls]:
    """Give a server that uses legacy algorithms, too, and a client that is connected to it."""
    folder = tmp_path_factory.mktemp("completeness")
    with testing.server(folder, settings={"policy": {"legacy": "on"}}) as server:
        connected = OverTls(server.profile)
        yield connected
        connected.close()
