"""Hash functions: which the specification names, and which the library computes.

Rule: the tables are the whole of it; every other module asks here for a hash function.
"""

from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hashes import Hash, HashAlgorithm

from strongroom.crypto.computing.running import Digesting
from strongroom.crypto.keys.symmetric import KEYLESS
from strongroom.crypto.pool import Pool
from strongroom.crypto.tables import check_total, spec_name
from strongroom.domain.computing import Computation
from strongroom.domain.errors import BadCryptographicParameters, UnsupportedCryptographicParameters
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import HashingAlgorithm

HASHES: Final[Mapping[HashingAlgorithm, HashAlgorithm]] = {
    HashingAlgorithm.MD5: hashes.MD5(),  # noqa: S303 - only where the policy allows what is legacy
    HashingAlgorithm.SHA_1: hashes.SHA1(),  # noqa: S303 - HMAC and old signatures; clients choose
    HashingAlgorithm.SHA_224: hashes.SHA224(),
    HashingAlgorithm.SHA_256: hashes.SHA256(),
    HashingAlgorithm.SHA_384: hashes.SHA384(),
    HashingAlgorithm.SHA_512: hashes.SHA512(),
    HashingAlgorithm.SHA_512_224: hashes.SHA512_224(),
    HashingAlgorithm.SHA_512_256: hashes.SHA512_256(),
    HashingAlgorithm.SHA3_224: hashes.SHA3_224(),
    HashingAlgorithm.SHA3_256: hashes.SHA3_256(),
    HashingAlgorithm.SHA3_384: hashes.SHA3_384(),
    HashingAlgorithm.SHA3_512: hashes.SHA3_512(),
}

REFUSED: Final = frozenset({
    HashingAlgorithm.MD2,
    HashingAlgorithm.MD4,
    HashingAlgorithm.RIPEMD_160,
    HashingAlgorithm.TIGER,
    HashingAlgorithm.WHIRLPOOL,
})  # fmt: skip
"""What the library does not have."""

LEGACY: Final = frozenset({HashingAlgorithm.MD5})

check_total(HASHES, HashingAlgorithm, REFUSED)

KEYLESS_HASHES: Final[Mapping[Algorithm, HashAlgorithm]] = {
    Algorithm.SHA3_224: hashes.SHA3_224(),
    Algorithm.SHA3_256: hashes.SHA3_256(),
    Algorithm.SHA3_384: hashes.SHA3_384(),
    Algorithm.SHA3_512: hashes.SHA3_512(),
    # The usual lengths, of RFC 8702: twice the strength that the name gives.
    Algorithm.SHAKE_128: hashes.SHAKE128(32),
    Algorithm.SHAKE_256: hashes.SHAKE256(64),
    Algorithm.SM3: hashes.SM3(),
}
"""Hash functions that stand in the enumeration of Cryptographic Algorithms."""

if set(KEYLESS_HASHES) | {Algorithm.GOST_R_34_11_2012} != KEYLESS:
    raise TypeError("the hash functions among the Cryptographic Algorithms are not all handled")


def hash_function(algorithm: HashingAlgorithm, *, legacy: bool) -> HashAlgorithm:
    """Return the library's hash function; raises UnsupportedCryptographicParameters."""
    found = HASHES.get(algorithm)
    if found is None:
        raise UnsupportedCryptographicParameters(f"{spec_name(algorithm)} is not computed here")
    if algorithm in LEGACY and not legacy:
        raise UnsupportedCryptographicParameters(
            f"{spec_name(algorithm)} is broken; it is computed only where the server's policy allows it"
        )
    return found


def start(pool: Pool, parameters: Parameters, *, legacy: bool) -> Computation:
    """Return a digest in the making; see `domain.hashing`."""
    context = Hash(_asked(parameters, legacy=legacy))
    return Digesting(pool, context, context.finalize)


def _asked(parameters: Parameters, *, legacy: bool) -> HashAlgorithm:
    named, algorithm = parameters.hashing_algorithm, parameters.cryptographic_algorithm
    if named is not None:
        return hash_function(named, legacy=legacy)
    if algorithm is None:
        raise BadCryptographicParameters("name a Hashing Algorithm in the Cryptographic Parameters")
    if algorithm not in KEYLESS:
        raise BadCryptographicParameters(f"{spec_name(algorithm)} is not a hash function")
    if algorithm not in KEYLESS_HASHES:
        raise UnsupportedCryptographicParameters(f"{spec_name(algorithm)} is not computed here")
    return KEYLESS_HASHES[algorithm]
