"""Symmetric keys: which algorithm has which lengths, and fresh ones.

Rule: every algorithm with symmetric keys can be created and stored, used or not. Random bytes come from the
operating system and nowhere else.
"""

import secrets
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from strongroom.crypto.tables import check_total, spec_name
from strongroom.domain.errors import InvalidField
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.secret import SecretBytes
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyFormatType


class Lengths(NamedTuple):
    """What an algorithm allows, in bits; `usual` is made when nobody asks for a length."""

    legal: Collection[int]
    usual: int


def _only(length: int) -> Lengths:
    return Lengths((length,), length)


def _hmac(usual: int) -> Lengths:
    """Any whole number of bytes up to 1 KiB; longer keys are hashed to `usual` bits anyway (RFC 2104)."""
    return Lengths(range(8, 8193, 8), usual)


_BLOCK_CIPHER: Final = Lengths((128, 192, 256), 256)

LENGTHS: Final[Mapping[Algorithm, Lengths]] = {
    # 512 bits are the two keys of XTS-AES-256 (NIST SP 800-38E), and good for nothing else.
    Algorithm.AES: Lengths((128, 192, 256, 512), 256),
    Algorithm.ARIA: _BLOCK_CIPHER,
    Algorithm.CAMELLIA: _BLOCK_CIPHER,
    Algorithm.TWOFISH: _BLOCK_CIPHER,
    # SPEC(KMIP 1.4 §2.1.3): 3DES keys have 112 to 192 bits, depending on the presence of parity bits.
    Algorithm.DES: Lengths((56, 64), 56),
    Algorithm.DES3: Lengths((112, 128, 168, 192), 168),
    Algorithm.BLOWFISH: Lengths(range(32, 449, 8), 128),
    Algorithm.CAST5: Lengths(range(40, 129, 8), 128),
    Algorithm.IDEA: _only(128),
    Algorithm.MARS: Lengths(range(128, 449, 32), 256),
    Algorithm.RC2: Lengths(range(8, 1025, 8), 128),
    Algorithm.RC4: Lengths(range(40, 2049, 8), 128),
    Algorithm.RC5: Lengths(range(8, 2041, 8), 128),
    Algorithm.SEED: _only(128),
    Algorithm.SKIPJACK: _only(80),
    Algorithm.SM4: _only(128),
    Algorithm.GOST_28147_89: _only(256),
    Algorithm.GOST_R_34_13_2015: _only(256),
    Algorithm.CHACHA20: _only(256),
    Algorithm.CHACHA20POLY1305: _only(256),
    Algorithm.POLY1305: _only(256),
    Algorithm.ONE_TIME_PAD: Lengths(range(8, 8 * 65536 + 1, 8), 1024),
    Algorithm.HMAC_MD5: _hmac(128),
    Algorithm.HMAC_SHA1: _hmac(160),
    Algorithm.HMAC_SHA224: _hmac(224),
    Algorithm.HMAC_SHA256: _hmac(256),
    Algorithm.HMAC_SHA384: _hmac(384),
    Algorithm.HMAC_SHA512: _hmac(512),
    Algorithm.HMAC_SHA3_224: _hmac(224),
    Algorithm.HMAC_SHA3_256: _hmac(256),
    Algorithm.HMAC_SHA3_384: _hmac(384),
    Algorithm.HMAC_SHA3_512: _hmac(512),
}

KEYLESS: Final = frozenset({
    Algorithm.GOST_R_34_11_2012,
    Algorithm.SHA3_224,
    Algorithm.SHA3_256,
    Algorithm.SHA3_384,
    Algorithm.SHA3_512,
    Algorithm.SHAKE_128,
    Algorithm.SHAKE_256,
    Algorithm.SM3,
})  # fmt: skip
"""Hash functions: they stand in the enumeration, but nothing is a key of theirs."""

ASYMMETRIC: Final = frozenset({
    Algorithm.DH,
    Algorithm.DSA,
    Algorithm.EC,
    Algorithm.ECDH,
    Algorithm.ECDSA,
    Algorithm.ECMQV,
    Algorithm.ED25519,
    Algorithm.ED448,
    Algorithm.GOST_R_34_10_2012,
    Algorithm.MCELIECE,
    Algorithm.MCELIECE_6960119,
    Algorithm.MCELIECE_8192128,
    Algorithm.ML_DSA_44,
    Algorithm.ML_DSA_65,
    Algorithm.ML_DSA_87,
    Algorithm.ML_KEM_512,
    Algorithm.ML_KEM_768,
    Algorithm.ML_KEM_1024,
    Algorithm.RSA,
    Algorithm.SLH_DSA_SHA2_128F,
    Algorithm.SLH_DSA_SHA2_128S,
    Algorithm.SLH_DSA_SHA2_192F,
    Algorithm.SLH_DSA_SHA2_192S,
    Algorithm.SLH_DSA_SHA2_256F,
    Algorithm.SLH_DSA_SHA2_256S,
    Algorithm.SLH_DSA_SHAKE_128F,
    Algorithm.SLH_DSA_SHAKE_128S,
    Algorithm.SLH_DSA_SHAKE_192F,
    Algorithm.SLH_DSA_SHAKE_192S,
    Algorithm.SLH_DSA_SHAKE_256F,
    Algorithm.SLH_DSA_SHAKE_256S,
    Algorithm.SM2,
    Algorithm.SPHINCS_256,
    Algorithm.XMSS,
})  # fmt: skip

check_total(LENGTHS, Algorithm, KEYLESS | ASYMMETRIC)

_BYTES_WITH_PARITY: Final[Mapping[Algorithm, Mapping[int, int]]] = {
    Algorithm.DES: {56: 8, 64: 8},
    Algorithm.DES3: {112: 16, 128: 16, 168: 24, 192: 24},
}
"""Bits to bytes of material where one bit of each byte is parity and a length may leave it out."""


def material_size(algorithm: Algorithm, length: int) -> int:
    """Return how many bytes a key of `length` bits has; raises InvalidField for a length that is none."""
    legal = _lengths(algorithm).legal
    if length not in legal:
        raise InvalidField(f"{spec_name(algorithm)} has no keys of {length} bits; {_choices(legal)}")
    return _BYTES_WITH_PARITY.get(algorithm, {}).get(length, length // 8)


def _lengths(algorithm: Algorithm) -> Lengths:
    lengths = LENGTHS.get(algorithm)
    if lengths is None:
        raise InvalidField(f"{spec_name(algorithm)} has no symmetric keys")
    return lengths


def length_of(algorithm: Algorithm, size: int) -> int | None:
    """Return the length in bits of a key that has `size` bytes, parity not counted; None if none has."""
    if algorithm in _BYTES_WITH_PARITY:
        sizes = _BYTES_WITH_PARITY[algorithm]
        return next((length for length, with_parity in sizes.items() if with_parity == size), None)
    return size * 8 if size * 8 in _lengths(algorithm).legal else None


def create(algorithm: Algorithm, length: int | None) -> KeyBlock:
    """Return a fresh key in format Raw; raises InvalidField for what the algorithm does not have."""
    if length is None:
        length = _lengths(algorithm).usual
    material = secrets.token_bytes(material_size(algorithm, length))
    if algorithm in _BYTES_WITH_PARITY:
        material = _with_odd_parity(material)
    return KeyBlock(
        key_format_type=KeyFormatType.RAW,
        key_value=KeyValue(key_material=SecretBytes(material)),
        cryptographic_algorithm=algorithm,
        cryptographic_length=length,
    )


SECRET_LENGTHS: Final = Lengths(range(8, 8 * 65536 + 1, 8), 256)
"""What is made as Secret Data, in bits."""


def create_secret(length: int | None) -> tuple[int, KeyBlock]:
    """Return fresh secret bytes in format Raw, after their length; the block of a secret does not tell it
    (KMIP 2.1 table 12)."""
    if length is None:
        length = SECRET_LENGTHS.usual
    if length not in SECRET_LENGTHS.legal:
        raise InvalidField(f"no secret of {length} bits is made; {_choices(SECRET_LENGTHS.legal)}")
    return length, KeyBlock(
        key_format_type=KeyFormatType.RAW,
        key_value=KeyValue(key_material=SecretBytes(secrets.token_bytes(length // 8))),
    )


def _with_odd_parity(material: bytes) -> bytes:
    """Return DES material with odd parity in each byte (FIPS 46-3); some hardware insists on it."""
    return bytes(byte & 0xFE | (byte >> 1).bit_count() & 1 ^ 1 for byte in material)


def _choices(legal: Collection[int]) -> str:
    """Return the legal lengths for a message to a person."""
    if isinstance(legal, range):
        return f"{legal.start} to {legal[-1]} in steps of {legal.step} are possible"
    return f"possible: {', '.join(map(str, legal))}"
