"""ovh/kmip-go and gemalto/kmip-go, the KMIP libraries for Go, as their users use them.

Rule: the programs in `go/clients/` print what became of each of their chapters, and each of those is a test.
"""

import json
import subprocess
from pathlib import Path

import pytest

from tests.interop.endpoint import TIMEOUT_SECONDS, Endpoint

OVH = (
    "attributes are read strictly",
    "batches pass the object on",
    "custom attributes of every type",
    "data comes back, unless altered",
    "dates decide the state",
    "every kind of object comes back",
    "keys are replaced",
    "keys come back as registered",
    "keys travel wrapped",
    "objects are found",
    "objects leave and come back",
    "parameters of the key are used",
    "refusals have a reason",
    "signatures are Go's own",
    "the server tells what it is",
    "usage limits are handed out",
    *(f"version 1.{minor} from Create to Destroy" for minor in range(5)),
    "versions are agreed on",
)
GEMALTO = tuple(f"{encoding} {version}" for encoding in ("JSON", "TTLV", "XML") for version in ("1.4", "2.0"))

Outcomes = dict[str, str | None]
"""What became of each chapter: what went wrong, None where nothing did."""


def played(program: Path, endpoint: Endpoint, *arguments: str) -> Outcomes:
    """Run a program through all of its chapters."""
    done = subprocess.run(
        [
            program,
            f"-address={endpoint.address}",
            f"-ca={endpoint.ca}",
            f"-cert={endpoint.cert}",
            f"-key={endpoint.key}",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes: Outcomes = json.loads(done.stdout)
    return outcomes


@pytest.fixture(scope="module")
def ovh(endpoint: Endpoint, go_clients: Path) -> Outcomes:
    return played(go_clients / "ovh", endpoint)


@pytest.fixture(scope="module")
def gemalto(endpoint: Endpoint, go_clients: Path) -> Outcomes:
    if not endpoint.https:
        pytest.skip("STRONGROOM_HTTPS does not say where the server speaks HTTPS")
    return played(go_clients / "gemalto", endpoint, f"-https={endpoint.https}")


@pytest.mark.parametrize("chapter", OVH)
def test_ovh(ovh: Outcomes, chapter: str) -> None:
    assert ovh[chapter] is None


@pytest.mark.parametrize("chapter", GEMALTO)
def test_gemalto(gemalto: Outcomes, chapter: str) -> None:
    """XML and JSON are written and read by the library's own code."""
    assert gemalto[chapter] is None


def test_every_chapter_has_a_test(ovh: Outcomes, gemalto: Outcomes) -> None:
    assert set(ovh) == set(OVH)
    assert set(gemalto) == set(GEMALTO)
