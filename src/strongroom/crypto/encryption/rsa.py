"""Encrypt and Decrypt with RSA (PKCS#1 v2.2 §7).

Rule: the library does the work, on numbers that were checked when the key was stored. Decryption has one
failure.

What a wrong ciphertext tells an attacker: with PKCS#1 v1.5 nothing, since OpenSSL then gives pseudo-random
plaintext instead of an error (implicit rejection, since 3.2), the same for the same ciphertext, so that there
is nothing for Bleichenbacher's attack to see. With OAEP the one failure below, for which OpenSSL takes the
same time whatever was wrong (Manger's attack needs to tell two failures apart).
"""

from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from strongroom.crypto.encryption.parts import FAILED
from strongroom.crypto.keys.material import PRIVATE, PUBLIC, clear_material
from strongroom.crypto.keys.reading import read_private, read_public
from strongroom.crypto.tables import check_total, spec_name
from strongroom.domain.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidField,
    KeyValueNotPresent,
    UnsupportedCryptographicParameters,
)
from strongroom.model.keys import KeyBlock
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import HashingAlgorithm as Hashing
from strongroom.registry import MaskGenerator
from strongroom.registry import PaddingMethod as Padding

_HASHES: Final[Mapping[Hashing, type[hashes.HashAlgorithm]]] = {
    Hashing.SHA_1: hashes.SHA1,
    Hashing.SHA_224: hashes.SHA224,
    Hashing.SHA_256: hashes.SHA256,
    Hashing.SHA_384: hashes.SHA384,
    Hashing.SHA_512: hashes.SHA512,
}
"""What the library does OAEP with."""

REFUSED_HASHES: Final = frozenset({
    Hashing.MD2,
    Hashing.MD4,
    Hashing.MD5,
    Hashing.RIPEMD_160,
    Hashing.TIGER,
    Hashing.WHIRLPOOL,
    Hashing.SHA_512_224,
    Hashing.SHA_512_256,
    Hashing.SHA3_224,
    Hashing.SHA3_256,
    Hashing.SHA3_384,
    Hashing.SHA3_512,
})  # fmt: skip

check_total(_HASHES, Hashing, REFUSED_HASHES)
check_total({MaskGenerator.MGF1}, MaskGenerator, frozenset())

REFUSED_PADDINGS: Final = frozenset({
    Padding.NONE,  # raw RSA hides nothing
    Padding.PKCS5,
    Padding.SSL3,
    Padding.ZEROS,
    Padding.ANSI_X9_23,
    Padding.ISO_10126,
    Padding.X9_31,
    Padding.PSS,
})  # fmt: skip

check_total({Padding.PKCS1_V1_5, Padding.OAEP}, Padding, REFUSED_PADDINGS)


def encrypt(block: KeyBlock, parameters: Parameters, data: bytes) -> bytes:
    """Return the ciphertext; slow."""
    padding = _padding(parameters)
    if block.key_format_type not in PUBLIC:
        raise InvalidField(f"a key in format {spec_name(block.key_format_type)} cannot be used to encrypt")
    material = clear_material(block)
    if material is None:
        raise KeyValueNotPresent("the server does not hold the key itself, so it cannot use it")
    key = read_public(block.key_format_type, material)
    if not isinstance(key, RSAPublicKey):
        raise InvalidField("the key is not an RSA public key")
    try:
        return key.encrypt(data, padding)
    except ValueError as error:
        raise BadCryptographicParameters(
            f"{len(data)} bytes of data are too many for this key and padding"
        ) from error
    except UnsupportedAlgorithm as error:
        raise _not_in_the_library() from error


def decrypt(block: KeyBlock, parameters: Parameters, data: bytes) -> bytes:
    """Return the plaintext; slow."""
    padding = _padding(parameters)
    if block.key_format_type not in PRIVATE:
        raise InvalidField(f"a key in format {spec_name(block.key_format_type)} cannot be used to decrypt")
    material = clear_material(block)
    if material is None:
        raise KeyValueNotPresent("the server does not hold the key itself, so it cannot use it")
    key = read_private(block.key_format_type, material, check=False)
    if not isinstance(key, RSAPrivateKey):
        raise InvalidField("the key is not an RSA private key")
    try:
        return key.decrypt(data, padding)
    except ValueError as error:
        raise CryptographicFailure(FAILED) from error
    except UnsupportedAlgorithm as error:
        raise _not_in_the_library() from error


def _padding(parameters: Parameters) -> AsymmetricPadding:
    method = parameters.padding_method
    if method is None:
        raise BadCryptographicParameters("RSA needs a Padding Method, in the request or at the key")
    if method is Padding.PKCS1_V1_5:
        return PKCS1v15()
    if method is not Padding.OAEP:
        raise UnsupportedCryptographicParameters(f"RSA is not used with padding {spec_name(method)} here")
    # SPEC(KMIP 2.1 §4.16): the mask generator is MGF1 and its hash SHA-1 when the parameters do not say.
    # SPEC(PKCS#1 v2.2 A.2.1): so is the hash itself SHA-1.
    return OAEP(
        mgf=MGF1(_hash(parameters.mask_generator_hashing_algorithm)),
        algorithm=_hash(parameters.hashing_algorithm),
        label=parameters.p_source or None,
    )


def _hash(algorithm: Hashing | None) -> hashes.HashAlgorithm:
    if algorithm is None:
        return hashes.SHA1()  # noqa: S303 - the standard's default; OAEP does not rest on collisions
    if algorithm not in _HASHES:
        raise UnsupportedCryptographicParameters(f"OAEP is not done with {spec_name(algorithm)} here")
    return _HASHES[algorithm]()


def _not_in_the_library() -> UnsupportedCryptographicParameters:
    return UnsupportedCryptographicParameters(
        "the cryptographic library of this server does not do OAEP with these hash functions"
    )
