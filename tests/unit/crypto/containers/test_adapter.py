"""PKCS#12 containers: what opens them, and what does not."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES, serialize_key_and_certificates

from strongroom.crypto.containers import adapter, reader
from strongroom.crypto.containers.adapter import MAXIMUM_CONTAINER, make_container, open_container
from strongroom.crypto.keys.conversion import library_key
from strongroom.domain.errors import InvalidField
from strongroom.domain.key_form_errors import KeyFormatTypeNotSupported
from strongroom.model.keys import KeyBlock, KeyMaterial, KeyValue
from strongroom.model.objects import PrivateKey
from strongroom.model.secret import SecretBytes
from strongroom.registry import KeyFormatType as Format
from tests.unit.crypto.build import Pairs, der, private
from tests.unit.crypto.test_openssl import openssl
from tests.unit.crypto.test_openssl import pytestmark as needs_openssl

PASSWORD = SecretBytes(b"correct horse")


def sealed(value: PrivateKey) -> KeyMaterial:
    made: KeyBlock = make_container(value, PASSWORD, "name", []).key_block
    assert made.key_format_type is Format.PKCS_12
    assert isinstance(made.key_value, KeyValue)
    return made.key_value.key_material


@pytest.mark.parametrize("name", ["rsa", "p256", "p521", "secp256k1", "dsa", "ed25519"])
def test_a_key_is_the_same_after_a_container(pairs: Pairs, name: str) -> None:
    value = private(Format.PKCS_8, der(pairs[name]))
    opened = open_container(sealed(value), PASSWORD)
    assert opened.key.key_block.key_value == value.key_block.key_value


@pytest.mark.parametrize("name", ["x25519", "mldsa44", "mlkem768"])
def test_a_kind_of_key_that_no_container_holds_is_refused(pairs: Pairs, name: str) -> None:
    with pytest.raises(KeyFormatTypeNotSupported):
        make_container(private(Format.PKCS_8, der(pairs[name])), PASSWORD, "name", [])


def test_an_opaque_key_comes_in_no_container() -> None:
    with pytest.raises(KeyFormatTypeNotSupported):
        make_container(private(Format.OPAQUE, b"anything"), PASSWORD, "name", [])


def test_a_container_that_costs_too_much_is_given_up(pairs: Pairs) -> None:
    """Two thousand million rounds: several minutes in which, in this process, no other request would move."""
    rounds = 1 << 24
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(rounds)
        .key_cert_algorithm(PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(SHA256())
        .build(PASSWORD.reveal())
    )
    key = pairs["p256"]
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    made = serialize_key_and_certificates(b"name", key, None, None, encryption)
    costly = made.replace(rounds.to_bytes(4), b"\x7f\xff\xff\xff")
    assert costly != made
    before = time.process_time()
    with pytest.raises(InvalidField, match="does not open"):
        open_container(SecretBytes(costly), PASSWORD)
    assert time.process_time() - before < 1


def test_a_container_gets_so_much_memory() -> None:
    """The library gives scrypt as much as a container asks for."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import reader; reader.confine();"
        "bytearray(reader.MEMORY)"
    )
    folder = str(Path(reader.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "MemoryError" in done.stderr


def test_a_reader_that_gets_nowhere_is_given_up(monkeypatch: pytest.MonkeyPatch, pairs: Pairs) -> None:
    monkeypatch.setattr(adapter, "_PATIENCE", 0.001)
    with pytest.raises(InvalidField, match="does not open"):
        open_container(sealed(private(Format.PKCS_8, der(pairs["p256"]))), PASSWORD)


def test_an_endless_container_is_not_opened() -> None:
    with pytest.raises(InvalidField, match="at most"):
        open_container(SecretBytes(bytes(MAXIMUM_CONTAINER + 1)), PASSWORD)


@needs_openssl
def test_openssl_opens_what_we_make(pairs: Pairs) -> None:
    material = sealed(private(Format.PKCS_8, der(pairs["rsa"])))
    assert isinstance(material, SecretBytes)
    key = openssl(
        "pkcs12",
        "-nodes",
        "-nocerts",
        "-passin",
        f"pass:{PASSWORD.reveal().decode()}",
        data=material.reveal(),
    )
    assert openssl("pkey", "-outform", "DER", data=key) == openssl(
        "pkey", "-inform", "DER", "-outform", "DER", data=der(pairs["rsa"])
    )


@needs_openssl
def test_we_open_what_openssl_makes(pairs: Pairs) -> None:
    pem = openssl("pkey", "-inform", "DER", data=der(pairs["p256"]))
    made = openssl(
        "pkcs12", "-export", "-nocerts", "-passout", f"pass:{PASSWORD.reveal().decode()}", data=pem
    )
    opened = library_key(open_container(SecretBytes(made), PASSWORD).key)
    assert isinstance(opened, ec.EllipticCurvePrivateKey)
    assert opened.public_key() == pairs["p256"].public_key()
