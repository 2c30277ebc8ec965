"""Key files: what people have on disk, and what goes to the server.

Rule: keys in PEM or DER become PKCS#8 and SubjectPublicKeyInfo on the way in, whatever they were; on the way
out the bytes are the server's. Nothing of a key is printed in an error.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final

import typer
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from strongroom.cli.exit import ExitCode, Stop
from strongroom.cli.showing import shown
from strongroom.client.material import bytes_of, key_block_of, secret
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import (
    OBJECT_TYPES,
    Certificate,
    ManagedObjectStruct,
    PrivateKey,
    PublicKey,
    SymmetricKey,
)
from strongroom.model.secret import SecretBytes
from strongroom.registry import CryptographicAlgorithm, KeyFormatType

_PEM: Final = b"-----BEGIN "
_FAULTS: Final = (ValueError, TypeError, UnsupportedAlgorithm)


class Format(Enum):
    """How a key stands in a file."""

    RAW = "raw"
    HEX = "hex"
    BASE64 = "base64"
    PEM = "pem"
    DER = "der"


_LABELS: Final[Mapping[tuple[type[ManagedObjectStruct], KeyFormatType], str]] = {
    (PrivateKey, KeyFormatType.PKCS_8): "PRIVATE KEY",
    (PrivateKey, KeyFormatType.PKCS_1): "RSA PRIVATE KEY",
    (PrivateKey, KeyFormatType.ECPRIVATEKEY): "EC PRIVATE KEY",
    (PublicKey, KeyFormatType.X_509): "PUBLIC KEY",
    (PublicKey, KeyFormatType.PKCS_1): "RSA PUBLIC KEY",
}

_FAMILIES: Final[tuple[tuple[type | tuple[type, ...], CryptographicAlgorithm], ...]] = (
    ((rsa.RSAPrivateKey, rsa.RSAPublicKey), CryptographicAlgorithm.RSA),
    ((dsa.DSAPrivateKey, dsa.DSAPublicKey), CryptographicAlgorithm.DSA),
    ((ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey), CryptographicAlgorithm.EC),
    ((ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey), CryptographicAlgorithm.ED25519),
    ((ed448.Ed448PrivateKey, ed448.Ed448PublicKey), CryptographicAlgorithm.ED448),
)
_LENGTHS: Final = {CryptographicAlgorithm.ED25519: 256, CryptographicAlgorithm.ED448: 456}


def guess_format(data: bytes) -> Format:
    """Return the format of a file that gives itself away; raises BadParameter."""
    if data.lstrip().startswith(_PEM):
        return Format.PEM
    raise typer.BadParameter("the file is not PEM; say with --format whether it is raw, hex, base64 or der")


def read_symmetric(data: bytes, key_format: Format, algorithm: CryptographicAlgorithm) -> SymmetricKey:
    """Return the symmetric key in a file; raises Stop."""
    try:
        match key_format:
            case Format.HEX:
                data = bytes.fromhex(data.decode("ascii"))
            case Format.BASE64:
                data = base64.b64decode(b"".join(data.split()), validate=True)
    except (ValueError, binascii.Error):
        raise Stop(f"the file is not {key_format.value}; say what it is with --format") from None
    if not data:
        raise Stop("the file is empty")
    return SymmetricKey(
        key_block=key_block_of(SecretBytes(data), KeyFormatType.RAW, algorithm, len(data) * 8)
    )


def read_asymmetric(data: bytes, key_format: Format, *, passphrase: bytes | None) -> PrivateKey | PublicKey:
    """Return the private or public key in a file; raises Stop."""
    private = _load_private(data, key_format, passphrase)
    if private is not None:
        encoded = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return PrivateKey(key_block=_block(encoded, KeyFormatType.PKCS_8, private))
    load: Callable[[bytes], PublicKeyTypes] = (
        load_pem_public_key if key_format is Format.PEM else load_der_public_key
    )
    try:
        public = load(data)
    except _FAULTS:
        raise Stop(f"the file holds no private or public key in {key_format.name} that can be read") from None
    encoded = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(key_block=_block(encoded, KeyFormatType.X_509, public))


def _load_private(data: bytes, key_format: Format, passphrase: bytes | None) -> PrivateKeyTypes | None:
    """Return the private key, None when it is no private key; raises Stop when it cannot be opened."""
    if b"-----BEGIN CERTIFICATE" in data:
        raise Stop("this is a certificate; it goes in with `strongroom object register certificate FILE`")
    load = load_pem_private_key if key_format is Format.PEM else load_der_private_key
    try:
        return load(data, passphrase)
    except TypeError:
        # It says whether a passphrase is missing or not wanted.
        if passphrase is None:
            raise Stop("the private key is encrypted; give --passphrase-file") from None
        raise Stop("the private key is not encrypted; leave --passphrase-file out") from None
    except ValueError:
        if passphrase is not None:
            raise Stop("the private key does not open with this passphrase") from None
        return None
    except UnsupportedAlgorithm:
        return None


def _block(encoded: bytes, key_format_type: KeyFormatType, key: PrivateKeyTypes | PublicKeyTypes) -> KeyBlock:
    algorithm = next((known for classes, known in _FAMILIES if isinstance(key, classes)), None)
    if algorithm is None:
        raise Stop("keys of this kind cannot be imported; use RSA, DSA, EC, Ed25519 or Ed448")
    length = _LENGTHS.get(algorithm) or key.key_size  # type: ignore[union-attr]
    return key_block_of(secret(encoded), key_format_type, algorithm, length)


def certificate_der(data: bytes) -> bytes:
    """Return a certificate in DER; raises Stop."""
    load = (
        x509.load_pem_x509_certificate if data.lstrip().startswith(_PEM) else x509.load_der_x509_certificate
    )
    try:
        return load(data).public_bytes(Encoding.DER)
    except ValueError:
        raise Stop("the file holds no X.509 certificate in PEM or DER") from None


def wanted_format_type(managed_type: type[ManagedObjectStruct], key_format: Format) -> KeyFormatType | None:
    """Return what to ask the server for; None is what it has."""
    if managed_type is SymmetricKey:
        return KeyFormatType.RAW
    if key_format in (Format.PEM, Format.DER):
        return {PrivateKey: KeyFormatType.PKCS_8, PublicKey: KeyFormatType.X_509}.get(managed_type)
    return None


def export_bytes(managed_object: ManagedObjectStruct, key_format: Format) -> bytes:
    """Return the contents of a file; raises Stop when the object cannot be written so."""
    material = bytes_of(managed_object).reveal()
    match key_format:
        case Format.HEX:
            return material.hex().encode() + b"\n"
        case Format.BASE64:
            return base64.b64encode(material) + b"\n"
        case Format.PEM:
            return _pem(_label(managed_object), material)
        case Format.DER:
            _label(managed_object)
            return material
        case Format.RAW:
            return material


def _label(managed_object: ManagedObjectStruct) -> str:
    if isinstance(managed_object, Certificate):
        return "CERTIFICATE"
    key_block: KeyBlock | None = getattr(managed_object, "key_block", None)
    label = None if key_block is None else _LABELS.get((type(managed_object), key_block.key_format_type))
    if label is None:
        raise Stop(
            f"a {shown(OBJECT_TYPES[type(managed_object)])} has no form in PEM or DER; "
            "say --format raw, hex or base64",
            ExitCode.USAGE,
        )
    return label


def _pem(label: str, der: bytes) -> bytes:
    body = base64.b64encode(der).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()
