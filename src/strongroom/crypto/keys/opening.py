"""From an object to the library's key, for an operation that uses it.

Rule: material was checked when it came in and lay sealed since, so it is only read here.
"""

from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import load_der_x509_certificate

from strongroom.crypto.keys.families import LibraryKey
from strongroom.crypto.keys.material import clear_material
from strongroom.crypto.keys.reading import read_private, read_public
from strongroom.domain.errors import KeyValueNotPresent, UnsupportedCryptographicParameters
from strongroom.model.keys import KeyBlock, KeyMaterial
from strongroom.model.objects import Certificate, PrivateKey, PublicKey
from strongroom.registry import CertificateType

_UNUSABLE: Final = "keys of this kind are kept here, but not used"


def open_private(value: PrivateKey) -> LibraryKey:
    """Return a private key; raises KeyValueNotPresent or UnsupportedCryptographicParameters."""
    block = value.key_block
    material = _shown(block)
    key = read_private(block.key_format_type, material, check=False, algorithm=block.cryptographic_algorithm)
    return _usable(key)


def open_public(value: PublicKey | Certificate) -> LibraryKey:
    """Return a public key, of a certificate the one that it certifies; raises as `open_private` does."""
    if isinstance(value, Certificate):
        return _certified(value)
    block = value.key_block
    material = _shown(block)
    return _usable(read_public(block.key_format_type, material, algorithm=block.cryptographic_algorithm))


def _shown(block: KeyBlock) -> KeyMaterial:
    material = clear_material(block)
    if material is None:
        raise KeyValueNotPresent("the server does not hold the key itself, so it cannot use it")
    return material


def _certified(value: Certificate) -> LibraryKey:
    if value.certificate_type is not CertificateType.X_509:
        raise UnsupportedCryptographicParameters(_UNUSABLE)
    try:
        return load_der_x509_certificate(value.certificate_value).public_key()
    except (UnsupportedAlgorithm, ValueError) as error:
        raise UnsupportedCryptographicParameters(_UNUSABLE) from error


def _usable(key: LibraryKey | None) -> LibraryKey:
    if key is None:
        raise UnsupportedCryptographicParameters(_UNUSABLE)
    return key
