"""What all of this is for: somebody else's client gets its key back after the machine was killed.

Rule: the whole process tree is killed without a chance to write anything, and started again as it was.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kmip.core import enums
from kmip.pie.client import ProxyKmipClient

from strongroom import testing
from tests.processes import kill_trees


@pytest.fixture
def server(tmp_path: Path) -> Iterator[testing.Server]:
    with testing.server(tmp_path, workers=2) as server:
        yield server


def client(server: testing.Server) -> ProxyKmipClient:
    files = server.profile.parent
    return ProxyKmipClient(
        hostname=server.host,
        port=server.port,
        cert=str(files / "cert.pem"),
        key=str(files / "key.pem"),
        ca=str(files / "ca.pem"),
        ssl_version="PROTOCOL_TLSv1_2",
    )


def test_the_same_client_gets_the_same_key_after_a_kill(server: testing.Server) -> None:
    with client(server) as before:
        identifier = before.create(enums.CryptographicAlgorithm.AES, 256, name="survivor")
        key = before.get(identifier).value
    kill_trees([server.process.pid])
    server.kill()
    server.start()
    with client(server) as after:
        assert after.locate() == [identifier]
        assert after.get(identifier).value == key
