"""One Strongroom for a whole module of tests, and where clients find it.

Rule: nothing here uses Strongroom's model or client; the clients under test are other people's.
Set STRONGROOM_SERVER=HOST:PORT, STRONGROOM_HTTPS=HOST:PORT and STRONGROOM_CLIENT=DIR (ca.pem, cert.pem,
key.pem) to run the same tests against a server that is already running.
"""

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench import servers
from strongroom import testing
from tests.interop.endpoint import Endpoint

GO_CLIENTS = Path(__file__).resolve().parent / "go" / "clients"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """The server that the other clients talk to, with the files of one client that it knows."""
    address = os.environ.get("STRONGROOM_SERVER")
    if address is not None:
        host, _, port = address.rpartition(":")
        client, https = Path(os.environ["STRONGROOM_CLIENT"]), os.environ.get("STRONGROOM_HTTPS", "")
        yield Endpoint(host, int(port), client, https)
        return
    with testing.server(tmp_path_factory.mktemp("strongroom")) as server:
        yield Endpoint(server.host, server.port, server.profile.parent, server.https_address)


@pytest.fixture
def fresh_name() -> Callable[[str], str]:
    """Return a maker of names that no other test has used, since a Name is unique to its owner."""
    return lambda stem: f"{stem}-{uuid.uuid4()}"


@pytest.fixture(scope="module")
def pykmip_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """PyKMIP's server, for our client to be tried on what somebody else wrote."""
    folder = tmp_path_factory.mktemp("pykmip")
    certs, client = folder / "certs", folder / "client"
    made = servers.make_certificates(certs)
    client.mkdir()
    for source, name in zip(made, ("ca.pem", "cert.pem", "key.pem"), strict=True):
        shutil.copy(source, client / name)
    with servers.pykmip(folder / "server", certs=certs, client=made) as server:
        yield Endpoint("127.0.0.1", server.port, client)


@pytest.fixture(scope="session")
def go_clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the programs in `go/clients/`, and return the folder with them.

    Go fetches the versions that their go.mod names, once. Without Go, or where nothing can be fetched, the
    tests are skipped and say so.
    """
    compiler = shutil.which("go")
    if compiler is None:
        pytest.skip("Go is not installed")
    fetched = subprocess.run(
        [compiler, "list", "-deps", "./..."], cwd=GO_CLIENTS, check=False, capture_output=True, text=True
    )
    if fetched.returncode:
        pytest.skip(f"the libraries cannot be fetched: {fetched.stderr.strip()}")
    target = tmp_path_factory.mktemp("go-clients")
    subprocess.run([compiler, "build", "-o", target, "./..."], cwd=GO_CLIENTS, check=True)
    return target
