"""Message authentication codes (KMIP 1.4 §4.33-4.34, 2.1 §6.1.32-6.1.33).

Rule: what the parameters ask for comes first, then what the key is for. A key may be used with another
method than the one it was made for, if its length allows it: the published cases use an AES key with HMAC.
Only Poly1305 shows its key to whoever has two MACs, so no key of anything else is used with it.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import (
    CAST5,
    IDEA,
    SEED,
    Blowfish,
    Camellia,
    TripleDES,
)
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.hashes import HashAlgorithm
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.poly1305 import Poly1305

from strongroom.crypto.computing.hashing import hash_function
from strongroom.crypto.computing.running import Absorbing, Comparing, Digesting
from strongroom.crypto.keys.examination import symmetric_bytes
from strongroom.crypto.keys.material import clear_material
from strongroom.crypto.keys.symmetric import ASYMMETRIC, KEYLESS
from strongroom.crypto.pool import Pool
from strongroom.crypto.tables import check_total, spec_name
from strongroom.domain.computing import Computation, Verification
from strongroom.domain.errors import (
    BadCryptographicParameters,
    InvalidField,
    KeyValueNotPresent,
    UnsupportedCryptographicParameters,
)
from strongroom.model.keys import KeyBlock
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import BlockCipherMode, HashingAlgorithm
from strongroom.registry import CryptographicAlgorithm as Algorithm

POLY1305_KEY: Final = 32
"""Bytes; a key makes one MAC only (RFC 8439 §2.5), which is for the client to heed."""

SHORTEST_MAC: Final = 8
"""Bytes; NIST SP 800-38B §A.2 asks for so many, and for care below."""

HMAC_HASHES: Final[Mapping[Algorithm, HashingAlgorithm]] = {
    Algorithm.HMAC_MD5: HashingAlgorithm.MD5,
    Algorithm.HMAC_SHA1: HashingAlgorithm.SHA_1,
    Algorithm.HMAC_SHA224: HashingAlgorithm.SHA_224,
    Algorithm.HMAC_SHA256: HashingAlgorithm.SHA_256,
    Algorithm.HMAC_SHA384: HashingAlgorithm.SHA_384,
    Algorithm.HMAC_SHA512: HashingAlgorithm.SHA_512,
    Algorithm.HMAC_SHA3_224: HashingAlgorithm.SHA3_224,
    Algorithm.HMAC_SHA3_256: HashingAlgorithm.SHA3_256,
    Algorithm.HMAC_SHA3_384: HashingAlgorithm.SHA3_384,
    Algorithm.HMAC_SHA3_512: HashingAlgorithm.SHA3_512,
}

BLOCK_CIPHERS: Final[Mapping[Algorithm, Callable[[bytes], BlockCipherAlgorithm]]] = {
    Algorithm.AES: AES,
    Algorithm.SM4: SM4,
    Algorithm.CAMELLIA: Camellia,
    Algorithm.DES3: TripleDES,
    Algorithm.BLOWFISH: Blowfish,
    Algorithm.CAST5: CAST5,
    Algorithm.IDEA: IDEA,
    Algorithm.SEED: SEED,
}
"""What CMAC is computed with."""

LEGACY_CIPHERS: Final = frozenset({
    Algorithm.DES3,
    Algorithm.BLOWFISH,
    Algorithm.CAST5,
    Algorithm.IDEA,
    Algorithm.SEED,
})  # fmt: skip

OTHER_CIPHERS: Final = frozenset({
    Algorithm.ARIA,
    Algorithm.CHACHA20,
    Algorithm.CHACHA20POLY1305,
    Algorithm.DES,
    Algorithm.GOST_28147_89,
    Algorithm.GOST_R_34_13_2015,
    Algorithm.MARS,
    Algorithm.ONE_TIME_PAD,
    Algorithm.RC2,
    Algorithm.RC4,
    Algorithm.RC5,
    Algorithm.SKIPJACK,
    Algorithm.TWOFISH,
})  # fmt: skip
"""Algorithms with symmetric keys, but without a MAC here."""

check_total(
    {*HMAC_HASHES, *BLOCK_CIPHERS, Algorithm.POLY1305}, Algorithm, OTHER_CIPHERS | KEYLESS | ASYMMETRIC
)


def start(pool: Pool, key: KeyBlock, parameters: Parameters, *, legacy: bool) -> Computation:
    """Return a MAC in the making; see `domain.macs`."""
    return Digesting(pool, *_started(key, parameters, legacy=legacy))


def start_verification(pool: Pool, key: KeyBlock, parameters: Parameters, *, legacy: bool) -> Verification:
    """Return a MAC in the proving; see `domain.macs`."""
    return Comparing(pool, *_started(key, parameters, legacy=legacy))


def _started(key: KeyBlock, parameters: Parameters, *, legacy: bool) -> tuple[Absorbing, Callable[[], bytes]]:
    """Return the computation and what ends it, cut to the Tag Length if one is asked for."""
    context = mac_context(key, parameters, legacy=legacy)
    wanted = parameters.tag_length
    if wanted is None:
        return context, context.finalize
    longest = _size(context)
    if not SHORTEST_MAC <= wanted <= longest:
        raise BadCryptographicParameters(
            f"a MAC of {wanted} bytes is not made; {SHORTEST_MAC} to {longest} are possible"
        )
    return context, lambda: context.finalize()[:wanted]


def mac_context(key: KeyBlock, parameters: Parameters, *, legacy: bool) -> HMAC | CMAC | Poly1305:
    """Return the library's computation that key and parameters mean."""
    material = symmetric_material(key)
    asked, own = parameters.cryptographic_algorithm, key.cryptographic_algorithm
    mode, named = parameters.block_cipher_mode, parameters.hashing_algorithm
    if mode is not None:
        _check_mode(mode)
        return _cmac(own if asked is None else asked, own, material, legacy=legacy)
    if asked is None and named is not None:
        return HMAC(material, hash_function(named, legacy=legacy))
    algorithm = own if asked is None else asked
    if algorithm is not None and algorithm in HMAC_HASHES:
        return HMAC(material, _hmac_hash(algorithm, named, legacy=legacy))
    if algorithm is Algorithm.POLY1305:
        if own is not algorithm:
            raise BadCryptographicParameters(
                "Poly1305 takes keys of Poly1305 alone: two MACs of it show the key; use HMAC or CMAC"
            )
        if len(material) != POLY1305_KEY:
            raise BadCryptographicParameters(f"Poly1305 needs a key of {POLY1305_KEY} bytes")
        return Poly1305(material)
    if algorithm is None:
        raise BadCryptographicParameters("name a Cryptographic Algorithm for the MAC, such as HMAC-SHA256")
    if algorithm in BLOCK_CIPHERS:
        raise BadCryptographicParameters(
            f"{spec_name(algorithm)} makes a MAC in Block Cipher Mode CMAC; name it in the parameters"
        )
    raise _without_mac(algorithm)


def symmetric_material(block: KeyBlock) -> bytes:
    """Return the bytes of a symmetric key; raises KeyValueNotPresent or InvalidField."""
    material = clear_material(block)
    if material is None:
        raise KeyValueNotPresent("the server does not hold the key itself, so it cannot use it")
    key = symmetric_bytes(block.key_format_type, material)
    if key is None:
        raise InvalidField(f"a key in format {spec_name(block.key_format_type)} cannot be used")
    return key.reveal()


def _check_mode(mode: BlockCipherMode) -> None:
    """Return if the mode makes a MAC here."""
    if mode is BlockCipherMode.GCM:
        raise UnsupportedCryptographicParameters(
            "GMAC needs a nonce, which MAC cannot carry; Encrypt without Data in mode GCM makes one"
        )
    if mode is not BlockCipherMode.CMAC:
        raise UnsupportedCryptographicParameters(
            f"mode {spec_name(mode)} does not make a MAC here; CMAC does"
        )


def _cmac(algorithm: Algorithm | None, own: Algorithm | None, material: bytes, *, legacy: bool) -> CMAC:
    if algorithm is None:
        raise BadCryptographicParameters("it is not known which Cryptographic Algorithm CMAC is to use")
    cipher = BLOCK_CIPHERS.get(algorithm)
    if cipher is None:
        raise _without_mac(algorithm)
    if own is not None and own is not algorithm:
        raise BadCryptographicParameters(
            f"the parameters are for {spec_name(algorithm)}, the key is for {spec_name(own)}"
        )
    if algorithm in LEGACY_CIPHERS and not legacy:
        raise UnsupportedCryptographicParameters(
            f"{spec_name(algorithm)} is out of date; it is used only where the server's policy allows it"
        )
    try:
        return CMAC(cipher(material))
    except ValueError as error:
        raise InvalidField(f"{spec_name(algorithm)} has no keys of {len(material)} bytes") from error
    except UnsupportedAlgorithm as error:  # a key of XTS, or a cipher that this build of OpenSSL lacks
        raise UnsupportedCryptographicParameters(
            f"{spec_name(algorithm)} makes no CMAC with a key of {len(material)} bytes here"
        ) from error


def _hmac_hash(algorithm: Algorithm, named: HashingAlgorithm | None, *, legacy: bool) -> HashAlgorithm:
    meant = HMAC_HASHES[algorithm]
    if named is not None and named is not meant:
        raise BadCryptographicParameters(
            f"{spec_name(algorithm)} and Hashing Algorithm {spec_name(named)} contradict each other"
        )
    return hash_function(meant, legacy=legacy)


def _without_mac(algorithm: Algorithm) -> UnsupportedCryptographicParameters:
    return UnsupportedCryptographicParameters(f"{spec_name(algorithm)} does not make a MAC here")


def _size(context: HMAC | CMAC | Poly1305) -> int:
    """Return the bytes of a whole MAC."""
    match context:
        case HMAC():
            return context.algorithm.digest_size
        case Poly1305():
            return 16
        case CMAC():
            return len(context.copy().finalize())
