"""The adapter under test, and key pairs made once per run."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, mldsa, mlkem, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from strongroom.crypto.cryptographer import Cryptographer

MAKERS: dict[str, Callable[[], PrivateKeyTypes]] = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "dsa": lambda: dsa.generate_private_key(1024),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "x25519": x25519.X25519PrivateKey.generate,
    "mldsa44": mldsa.MLDSA44PrivateKey.generate,
    "mlkem768": mlkem.MLKEM768PrivateKey.generate,
}


@pytest.fixture
def crypto() -> Iterator[Cryptographer]:
    made = Cryptographer()
    yield made
    made.close()


@pytest.fixture(scope="session")
def key_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one PKCS#8 file per kind of key."""
    folder = tmp_path_factory.mktemp("keys")
    for name, make in MAKERS.items():
        der = make().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{name}.der").write_bytes(der)
    return folder


@pytest.fixture(scope="session")
def pairs(key_files: Path) -> dict[str, PrivateKeyTypes]:
    """The library's private key of each kind."""
    return {name: load_der_private_key((key_files / f"{name}.der").read_bytes(), None) for name in MAKERS}
