"""What is loaded: nothing by the package alone, nothing of the server by the client."""

import os
import subprocess
import sys

import pytest

import strongroom

LOADED = "import sys; {}; print('\\n'.join(sys.modules))"
HEAVY = ("asyncio", "cryptography", "sqlalchemy", "typer", "rich", "structlog", "pydantic")
SERVER = ("engine", "server", "store", "crypto", "rootkey", "audit", "cli")


def loaded_by(statement: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(statement)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_package_alone_loads_nothing_of_itself() -> None:
    assert {name for name in loaded_by("import strongroom") if name.startswith("strongroom.")} == set()


def test_the_client_loads_neither_the_server_nor_its_libraries() -> None:
    modules = loaded_by("from strongroom import Client, KMIPError")
    assert modules & {"strongroom.client.sync"}
    assert not modules & {*HEAVY, *(f"strongroom.{room}" for room in SERVER)}
    assert "strongroom.operations.catalogue" not in modules, "it loads operations that no method needs"


def test_what_the_package_offers_is_what_it_says() -> None:
    assert strongroom.__all__ == ["AsyncClient", "Client", "KMIPError"]
    assert set(strongroom.__all__) <= set(dir(strongroom))
    with pytest.raises(AttributeError, match="Server"):
        strongroom.Server  # noqa: B018
