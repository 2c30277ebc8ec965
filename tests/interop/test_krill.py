"""NLnet Labs' kmip-protocol over rustls, as Krill and Cascade use it: a client in Rust with code of its own.

Rule: the program in `rust/` is built with the versions in its Cargo.lock, which Cargo fetches once. Without
Rust, or where nothing can be fetched, the tests are skipped and say so.
"""

import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from strongroom import testing
from tests.interop.endpoint import TIMEOUT_SECONDS, Endpoint

SOURCE = Path(__file__).resolve().parent / "rust"
MESSAGE = "a route origin"


@pytest.fixture(scope="module")
def program(pytestconfig: pytest.Config) -> Path:
    """Build the program, where pytest keeps things from run to run."""
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("Rust is not installed")
    fetched = subprocess.run(
        [cargo, "fetch", "--locked"], cwd=SOURCE, check=False, capture_output=True, text=True
    )
    if fetched.returncode:
        pytest.skip(f"the library cannot be fetched: {fetched.stderr.strip()}")
    assert pytestconfig.cache is not None
    target = pytestconfig.cache.mkdir("interop-rust")
    subprocess.run([cargo, "build", "--locked", "--quiet", "--target-dir", target], cwd=SOURCE, check=True)
    return target / "debug" / "interop"


def use(program: Path, port: int, client: Path, *credentials: str) -> None:
    """Run a key pair through its life, and verify with another library what it has signed."""
    done = subprocess.run(
        [program, str(port), client, f"krill-{uuid.uuid4()}", MESSAGE, *credentials],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    key, signature = map(bytes.fromhex, done.stdout.split())
    public = load_der_public_key(key)
    assert isinstance(public, RSAPublicKey)
    public.verify(signature, MESSAGE.encode(), PKCS1v15(), SHA256())


def test_a_key_pair_lives_signs_and_ends(endpoint: Endpoint, program: Path) -> None:
    use(program, endpoint.port, endpoint.client)


def test_a_user_name_and_a_password_go_with_the_certificate(program: Path, tmp_path: Path) -> None:
    with testing.server(tmp_path) as server:
        profile = server.enrol("krill", username="krill", password="a long enough one")
        use(program, server.port, profile.parent, "krill", "a long enough one")
        with pytest.raises(AssertionError, match="the user name or the credential is wrong"):
            use(program, server.port, profile.parent, "krill", "another one")
