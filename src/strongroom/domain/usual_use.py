"""What a key is for that nobody gave a Cryptographic Usage Mask.

Rule: the mask always has a value and no client may change it later (KMIP 2.1 §4.17), so a key that is made
without one gets the uses of its algorithm, and none that reach beyond it (wrapping, deriving, certifying).
"""

from collections.abc import Mapping
from typing import Final

from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import CryptographicUsageMask as Mask
from strongroom.registry import ObjectType

_CIPHER: Final = Mask.ENCRYPT | Mask.DECRYPT
_MAC: Final = Mask.MAC_GENERATE | Mask.MAC_VERIFY

_AUTHENTICATING: Final = frozenset({
    Algorithm.POLY1305,
    Algorithm.HMAC_MD5,
    Algorithm.HMAC_SHA1,
    Algorithm.HMAC_SHA224,
    Algorithm.HMAC_SHA256,
    Algorithm.HMAC_SHA384,
    Algorithm.HMAC_SHA512,
    Algorithm.HMAC_SHA3_224,
    Algorithm.HMAC_SHA3_256,
    Algorithm.HMAC_SHA3_384,
    Algorithm.HMAC_SHA3_512,
})  # fmt: skip
_AGREEING: Final = frozenset({Algorithm.DH, Algorithm.ECDH, Algorithm.ECMQV})
_ENCAPSULATING: Final = frozenset({Algorithm.ML_KEM_512, Algorithm.ML_KEM_768, Algorithm.ML_KEM_1024})

_SIGNING: Final[Mapping[ObjectType, Mask]] = {
    ObjectType.PRIVATE_KEY: Mask.SIGN,
    ObjectType.PUBLIC_KEY: Mask.VERIFY,
}


def usual_use(object_type: ObjectType, algorithm: Algorithm) -> Mask:
    """Return the mask of a key that is made without one; none for what is not a key."""
    if object_type is ObjectType.SYMMETRIC_KEY:
        return _MAC if algorithm in _AUTHENTICATING else _CIPHER
    if algorithm in _AGREEING | _ENCAPSULATING:
        return Mask.KEY_AGREEMENT
    return _SIGNING.get(object_type, Mask(0))
