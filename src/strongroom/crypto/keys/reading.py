"""From the material of an asymmetric key to the library's key.

Rule: DER is read by the library alone. What it cannot read because it lacks the kind of key, or because the
key is encrypted, gives None; what is malformed raises InvalidField.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import mldsa, mlkem
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from strongroom.crypto.keys import rsa_check
from strongroom.crypto.keys.encodings import dh_group
from strongroom.crypto.keys.families import LibraryKey
from strongroom.crypto.keys.groups import may_be_loaded
from strongroom.crypto.keys.material import BYTES, PRIVATE, PUBLIC, spelt_out
from strongroom.crypto.keys.transparent import to_library
from strongroom.crypto.keys.writing import RAW, writers
from strongroom.crypto.post_quantum.adapter import KINDS
from strongroom.crypto.tables import spec_name
from strongroom.domain.errors import InvalidField
from strongroom.model.keys import KeyMaterial, SecretItems
from strongroom.model.secret import SecretBytes
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyFormatType as Format

MAXIMUM_DER: Final = 16 * 1024
"""The longest encoding that is read, in bytes; an RSA private key of 16,384 bits has 9 KiB."""


def read_private(
    key_format: Format, material: KeyMaterial, *, check: bool, algorithm: Algorithm | None = None
) -> LibraryKey | None:
    """Return a private key; None for a format that spells out none.

    `algorithm` is what Raw bytes are a key of. `check` proves that an RSA key is one: only material that was
    checked before and lay sealed in the store since, or was made here, may go without.
    """
    if key_format is Format.RAW:
        return _read_raw(algorithm, material, _RAW_PRIVATE)
    if key_format not in PRIVATE:
        return None
    with _refusing_nonsense(key_format):
        key = _read(key_format, material, _load_private)
        if check and isinstance(key, RSAPrivateKey):
            rsa_check.check(key)
    return key


def read_public(
    key_format: Format, material: KeyMaterial, *, algorithm: Algorithm | None = None
) -> LibraryKey | None:
    """Return a public key; None for a format that spells out none."""
    if key_format is Format.RAW:
        return _read_raw(algorithm, material, _RAW_PUBLIC)
    if key_format not in PUBLIC:
        return None
    with _refusing_nonsense(key_format):
        key = _read(key_format, material, load_der_public_key)
        if isinstance(key, RSAPublicKey):
            rsa_check.check_public(key)
    return key


_RAW_PRIVATE: Final[Mapping[Algorithm, Callable[[bytes], LibraryKey]]] = {
    Algorithm.ED25519: Ed25519PrivateKey.from_private_bytes,
    Algorithm.ED448: Ed448PrivateKey.from_private_bytes,
    Algorithm.ML_KEM_768: mlkem.MLKEM768PrivateKey.from_seed_bytes,
    Algorithm.ML_KEM_1024: mlkem.MLKEM1024PrivateKey.from_seed_bytes,
    Algorithm.ML_DSA_44: mldsa.MLDSA44PrivateKey.from_seed_bytes,
    Algorithm.ML_DSA_65: mldsa.MLDSA65PrivateKey.from_seed_bytes,
    Algorithm.ML_DSA_87: mldsa.MLDSA87PrivateKey.from_seed_bytes,
    **{algorithm: kind.private.from_private_bytes for algorithm, kind in KINDS.items()},
}
_RAW_PUBLIC: Final[Mapping[Algorithm, Callable[[bytes], LibraryKey]]] = {
    family.usual: family.public.from_public_bytes for family in RAW
}

if set(_RAW_PRIVATE) != set(_RAW_PUBLIC):
    raise TypeError("Raw keys are read on both sides or on none")


def _read_raw(
    algorithm: Algorithm | None,
    material: KeyMaterial,
    readers: Mapping[Algorithm, Callable[[bytes], LibraryKey]],
) -> LibraryKey | None:
    """Return the key that the bytes are; None for an algorithm whose keys are not plain bytes."""
    read = None if algorithm is None else readers.get(algorithm)
    if read is None or not isinstance(material, SecretBytes):
        return None
    with _refusing_nonsense(Format.RAW):
        return read(material.reveal())


def _load_private(der: bytes) -> LibraryKey | None:
    try:
        return load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        # The library's word for an EncryptedPrivateKeyInfo, which PKCS#8 allows (KMIP 1.4 §2.1.3).
        return None


def _read(
    key_format: Format, material: KeyMaterial, load: Callable[[bytes], LibraryKey | None]
) -> LibraryKey | None:
    if isinstance(material, SecretItems):
        return to_library(spelt_out(key_format, material))
    der = material.reveal()
    if len(der) > MAXIMUM_DER:
        raise InvalidField(f"the Key Material has {len(der)} bytes; no key has more than {MAXIMUM_DER}")
    group = dh_group(der)
    if group is not None and not may_be_loaded(group.p, group.g, group.q):
        return None
    try:
        key = load(der)
    except UnsupportedAlgorithm:
        return None
    return None if key is None else _as_labelled(key, key_format, der)


@contextmanager
def _refusing_nonsense(key_format: Format) -> Iterator[None]:
    """Turn what the library says of bad material into InvalidField.

    InternalError is what it says where OpenSSL refuses a length that its own parser let pass.
    """
    try:
        yield
    except (ValueError, TypeError, OverflowError, InternalError) as error:
        raise InvalidField(f"the Key Material is not a key in format {spec_name(key_format)}") from error


def _as_labelled(key: LibraryKey, key_format: Format, der: bytes) -> LibraryKey:
    """Return the key unless the material is plainly in another format than the declared one.

    The library reads every DER form through one door. An encoding that differs from what the library would
    write (attributes, leading zeros) passes; one that is byte for byte another form does not.
    """
    table = writers(key)
    if table and key_format not in table:
        raise InvalidField(f"the Key Material is not a key in format {spec_name(key_format)}")
    for other, write in table.items():
        if other is not key_format and other in BYTES and write(key).reveal() == der:
            raise InvalidField(
                f"the Key Format Type says {spec_name(key_format)}, the Key Material is {spec_name(other)}"
            )
    return key
