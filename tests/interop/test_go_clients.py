"""ovh/kmip-go and gemalto/kmip-go, the KMIP libraries for Go, as their users use them, and OpenBao's seal.

Rule: the programs in `go/clients/` are built with the versions that its go.mod names, which Go fetches once.
Without Go, or where nothing can be fetched, the tests are skipped and say so.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.interop.endpoint import TIMEOUT_SECONDS, Endpoint

SOURCE = Path(__file__).resolve().parent / "go" / "clients"

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
OPENBAO = ("AES_GCM", "RSA_OAEP_SHA256", "RSA_OAEP_SHA384", "RSA_OAEP_SHA512")
GEMALTO = tuple(f"{encoding} {version}" for encoding in ("JSON", "TTLV", "XML") for version in ("1.4", "2.0"))

Outcomes = dict[str, str | None]
"""What became of each chapter: what went wrong, None where nothing did."""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the programs once, and return the folder with them."""
    compiler = shutil.which("go")
    if compiler is None:
        pytest.skip("Go is not installed")
    fetched = subprocess.run(
        [compiler, "list", "-deps", "./..."], cwd=SOURCE, check=False, capture_output=True, text=True
    )
    if fetched.returncode:
        pytest.skip(f"the libraries cannot be fetched: {fetched.stderr.strip()}")
    target = tmp_path_factory.mktemp("go-clients")
    subprocess.run([compiler, "build", "-o", target, "./..."], cwd=SOURCE, check=True)
    return target


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
def ovh(endpoint: Endpoint, programs: Path) -> Outcomes:
    return played(programs / "ovh", endpoint)


@pytest.fixture(scope="module")
def openbao(endpoint: Endpoint, programs: Path) -> Outcomes:
    return played(programs / "openbao", endpoint)


@pytest.fixture(scope="module")
def gemalto(endpoint: Endpoint, programs: Path) -> Outcomes:
    if not endpoint.https:
        pytest.skip("STRONGROOM_HTTPS does not say where the server speaks HTTPS")
    return played(programs / "gemalto", endpoint, f"-https={endpoint.https}")


@pytest.mark.parametrize("chapter", OVH)
def test_ovh(ovh: Outcomes, chapter: str) -> None:
    assert ovh[chapter] is None


@pytest.mark.parametrize("mechanism", OPENBAO)
def test_openbao_unseals_after_a_restart(openbao: Outcomes, mechanism: str) -> None:
    assert openbao[mechanism] is None


@pytest.mark.parametrize("chapter", GEMALTO)
def test_gemalto(gemalto: Outcomes, chapter: str) -> None:
    """XML and JSON are written and read by the library's own code."""
    assert gemalto[chapter] is None


def test_every_chapter_has_a_test(ovh: Outcomes, openbao: Outcomes, gemalto: Outcomes) -> None:
    assert set(ovh) == set(OVH)
    assert set(openbao) == set(OPENBAO)
    assert set(gemalto) == set(GEMALTO)
