"""Key files in and out."""

import base64

import pytest
import typer
from cryptography.hazmat.primitives import serialization as files
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from strongroom.cli.exit import Stop
from strongroom.cli.material import (
    Format,
    certificate_der,
    export_bytes,
    guess_format,
    read_asymmetric,
    read_symmetric,
)
from strongroom.client.material import key_block_of
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import Certificate, ManagedObjectStruct, PrivateKey, PublicKey, SymmetricKey
from strongroom.model.secret import SecretBytes
from strongroom.registry import (
    CertificateType,
    CryptographicAlgorithm,
    KeyFormatType,
)

AES = CryptographicAlgorithm.AES
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
OLDER = files.PrivateFormat.TraditionalOpenSSL
NEWER = files.PrivateFormat.PKCS8


def pem(key: PrivateKeyTypes, form: files.PrivateFormat = NEWER, passphrase: bytes | None = None) -> bytes:
    lock = files.NoEncryption() if passphrase is None else files.BestAvailableEncryption(passphrase)
    return key.private_bytes(files.Encoding.PEM, form, lock)


def block_of(managed_object: ManagedObjectStruct) -> KeyBlock:
    block: KeyBlock = managed_object.key_block  # type: ignore[attr-defined]
    return block


@pytest.mark.parametrize(
    ("data", "key_format"),
    [
        (bytes(range(16)), Format.RAW),
        (b"000102030405060708090a0b0c0d0e0f\n", Format.HEX),
        (base64.encodebytes(bytes(range(16))), Format.BASE64),
    ],
)
def test_a_symmetric_key_is_its_bytes(data: bytes, key_format: Format) -> None:
    key = read_symmetric(data, key_format, AES)
    assert block_of(key).cryptographic_length == 128
    assert export_bytes(key, Format.RAW) == bytes(range(16))


@pytest.mark.parametrize(
    ("data", "key_format"),
    [(b"xyz", Format.HEX), (b"\xff", Format.HEX), (b"!!!", Format.BASE64), (b"", Format.RAW)],
)
def test_a_file_of_another_format_is_refused_without_showing_it(data: bytes, key_format: Format) -> None:
    with pytest.raises(Stop) as caught:
        read_symmetric(data, key_format, AES)
    assert "xyz" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "algorithm", "length"),
    [
        pytest.param(pem(RSA_KEY), CryptographicAlgorithm.RSA, 2048, id="RSA"),
        pytest.param(pem(RSA_KEY, OLDER), CryptographicAlgorithm.RSA, 2048, id="RSA in PKCS#1"),
        pytest.param(pem(EC_KEY), CryptographicAlgorithm.EC, 256, id="EC"),
        pytest.param(pem(EC_KEY, OLDER), CryptographicAlgorithm.EC, 256, id="EC in SEC 1"),
        pytest.param(pem(ED_KEY), CryptographicAlgorithm.ED25519, 256, id="Ed25519"),
    ],
)
def test_a_private_key_becomes_pkcs_8_and_tells_what_it_is(
    data: bytes, algorithm: CryptographicAlgorithm, length: int
) -> None:
    key = read_asymmetric(data, Format.PEM, passphrase=None)
    assert isinstance(key, PrivateKey)
    assert key.key_block.key_format_type is KeyFormatType.PKCS_8
    assert key.key_block.cryptographic_algorithm is algorithm
    assert key.key_block.cryptographic_length == length
    assert export_bytes(key, Format.PEM).startswith(b"-----BEGIN PRIVATE KEY-----")


def test_a_public_key_becomes_a_subject_public_key_info() -> None:
    der = EC_KEY.public_key().public_bytes(files.Encoding.DER, files.PublicFormat.SubjectPublicKeyInfo)
    key = read_asymmetric(der, Format.DER, passphrase=None)
    assert isinstance(key, PublicKey)
    assert key.key_block.key_format_type is KeyFormatType.X_509
    assert export_bytes(key, Format.DER) == der
    assert files.load_pem_public_key(export_bytes(key, Format.PEM))


def test_an_encrypted_key_opens_with_its_passphrase() -> None:
    locked = pem(EC_KEY, passphrase=b"open sesame")
    assert read_asymmetric(locked, Format.PEM, passphrase=b"open sesame")
    with pytest.raises(Stop, match="--passphrase-file"):
        read_asymmetric(locked, Format.PEM, passphrase=None)
    with pytest.raises(Stop, match="does not open with this passphrase"):
        read_asymmetric(locked, Format.PEM, passphrase=b"sesame")
    with pytest.raises(Stop, match="leave --passphrase-file out"):
        read_asymmetric(pem(EC_KEY), Format.PEM, passphrase=b"sesame")


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no private or public key"),
        (b"-----BEGIN CERTIFICATE-----\n", "object register certificate"),
        (pem(x25519.X25519PrivateKey.generate()), "cannot be imported"),
    ],
)
def test_what_is_no_key_says_what_it_is(data: bytes, complaint: str) -> None:
    with pytest.raises(Stop, match=complaint):
        read_asymmetric(data, Format.PEM, passphrase=None)


def test_only_pem_gives_itself_away() -> None:
    assert guess_format(pem(EC_KEY)) is Format.PEM
    with pytest.raises(typer.BadParameter, match="--format"):
        guess_format(bytes(32))


def test_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(Stop, match=r"no X\.509 certificate"):
        certificate_der(pem(EC_KEY))


def test_a_certificate_is_written_in_pem() -> None:
    certificate = Certificate(certificate_type=CertificateType.X_509, certificate_value=bytes(100))
    lines = export_bytes(certificate, Format.PEM).decode().splitlines()
    assert lines[0] == "-----BEGIN CERTIFICATE-----"
    assert {len(line) for line in lines[1:3]} == {64}


@pytest.mark.parametrize("key_format", [Format.PEM, Format.DER])
def test_a_symmetric_key_has_no_form_in_pem_and_der(key_format: Format) -> None:
    key = SymmetricKey(key_block=key_block_of(SecretBytes(bytes(16)), KeyFormatType.RAW, AES, 128))
    with pytest.raises(Stop, match="a Symmetric Key has no form"):
        export_bytes(key, key_format)
