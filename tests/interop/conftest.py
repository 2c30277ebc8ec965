"""One Strongroom for a whole module of tests, and where clients find it.

Rule: nothing here imports Strongroom's model or client; the clients under test are other people's.
Set STRONGROOM_SERVER=HOST:PORT and STRONGROOM_CLIENT=DIR (ca.pem, cert.pem, key.pem) to run the same
tests against a server that is already running.
"""

import os
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.endpoint import Endpoint


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Endpoint:
    """The server that the other clients talk to, with the files of one client that it knows."""
    address = os.environ["STRONGROOM_SERVER"]
    host, _, port = address.rpartition(":")
    return Endpoint(host, int(port), Path(os.environ["STRONGROOM_CLIENT"]))


@pytest.fixture
def fresh_name() -> Callable[[str], str]:
    """Return a maker of names that no other test has used, since a Name is unique to its owner."""
    return lambda stem: f"{stem}-{uuid.uuid4()}"
