"""A Strongroom for a product that is run itself, and the files that `client enrol --for` writes for it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strongroom import testing


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    with testing.server(tmp_path_factory.mktemp("strongroom")) as server:
        yield server


@pytest.fixture(scope="module")
def enrolled(server: testing.Server) -> Callable[[str], Path]:
    """Return what enrols a product, and returns the folder with what it wants."""

    def enrol(product: str) -> Path:
        folder, data = server.folder / product, str(server.directory)
        server.run("client", "enrol", product, "--data", data, "--for", product, "--out", str(folder))
        return folder

    return enrol
