"""Go's own TLS, which the KMIP libraries for Go run on: default settings, and sessions resumed.

Rule: the program in `go/` needs nothing but the standard library; without Go the tests are skipped.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.interop.endpoint import Endpoint

SOURCE = Path(__file__).resolve().parent / "go"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program once."""
    compiler = shutil.which("go")
    if compiler is None:
        pytest.skip("Go is not installed")
    target = tmp_path_factory.mktemp("go") / "interop"
    subprocess.run([compiler, "build", "-o", target, "."], cwd=SOURCE, check=True)
    return target


@pytest.mark.parametrize(("highest", "version"), [("1.2", "TLS 1.2"), ("1.3", "TLS 1.3")])
def test_go_connects_with_its_defaults_and_resumes_its_session(
    endpoint: Endpoint, program: Path, highest: str, version: str
) -> None:
    """A server limited to RSA-CBC suites could not be reached from Go at all."""
    done = subprocess.run(
        [
            program,
            f"-address={endpoint.host}:{endpoint.port}",
            f"-ca={endpoint.ca}",
            f"-cert={endpoint.cert}",
            f"-key={endpoint.key}",
            f"-tls={highest}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert (first["version"], second["version"]) == (version, version)
    assert not first["resumed"]
    assert second["resumed"]
