"""Asymmetric keys as the library holds them: what kind a key is, and what it is called in KMIP.

Rule: one row per kind of key. A key of a kind without a row is stored as it came, and what it is follows from
its declaration alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import (
    dsa,
    ec,
    ed448,
    ed25519,
    mldsa,
    mlkem,
    rsa,
    x448,
    x25519,
)
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from strongroom.crypto.keys.curves import BY_LIBRARY_NAME
from strongroom.crypto.keys.finite_field import DHPrivateKey, DHPublicKey
from strongroom.crypto.post_quantum.adapter import KINDS, PostQuantumKey
from strongroom.model.structures import CryptographicDomainParameters as Domain
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import RecommendedCurve

LibraryKey: TypeAlias = PrivateKeyTypes | PublicKeyTypes | PostQuantumKey

EC_ALGORITHMS: Final = frozenset({Algorithm.EC, Algorithm.ECDSA, Algorithm.ECDH, Algorithm.ECMQV})
"""What a key on a Weierstrass curve may be called; it says what the key is for, not what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A kind of key; `algorithms` may be declared for it, `usual` is said where nothing is declared."""

    private: type[Any]
    public: type[Any]
    usual: Algorithm
    algorithms: frozenset[Algorithm]


def _family(private: type[Any], public: type[Any], usual: Algorithm, *others: Algorithm) -> Family:
    return Family(private=private, public=public, usual=usual, algorithms=frozenset({usual, *others}))


RSA: Final = _family(rsa.RSAPrivateKey, rsa.RSAPublicKey, Algorithm.RSA)
EC: Final = _family(ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey, Algorithm.EC, *EC_ALGORITHMS)
DSA: Final = _family(dsa.DSAPrivateKey, dsa.DSAPublicKey, Algorithm.DSA)
DH: Final = _family(DHPrivateKey, DHPublicKey, Algorithm.DH)
ED25519: Final = _family(ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey, Algorithm.ED25519)
ED448: Final = _family(ed448.Ed448PrivateKey, ed448.Ed448PublicKey, Algorithm.ED448)
X25519: Final = _family(x25519.X25519PrivateKey, x25519.X25519PublicKey, Algorithm.ECDH, Algorithm.EC)
X448: Final = _family(x448.X448PrivateKey, x448.X448PublicKey, Algorithm.ECDH, Algorithm.EC)

ML_KEM_768: Final = _family(mlkem.MLKEM768PrivateKey, mlkem.MLKEM768PublicKey, Algorithm.ML_KEM_768)
ML_KEM_1024: Final = _family(mlkem.MLKEM1024PrivateKey, mlkem.MLKEM1024PublicKey, Algorithm.ML_KEM_1024)
ML_DSA_44: Final = _family(mldsa.MLDSA44PrivateKey, mldsa.MLDSA44PublicKey, Algorithm.ML_DSA_44)
ML_DSA_65: Final = _family(mldsa.MLDSA65PrivateKey, mldsa.MLDSA65PublicKey, Algorithm.ML_DSA_65)
ML_DSA_87: Final = _family(mldsa.MLDSA87PrivateKey, mldsa.MLDSA87PublicKey, Algorithm.ML_DSA_87)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a key tells of itself; `domain` is None where there are no domain parameters."""

    family: Family
    length: int
    domain: Domain | None = None


FIXED: Final[Mapping[Algorithm, Description]] = {
    Algorithm.ED25519: Description(family=ED25519, length=256),
    Algorithm.ED448: Description(family=ED448, length=448),
    # Both keys have the length of the public one, as OpenSSL counts (FIPS 203 table 3, FIPS 204 table 2).
    Algorithm.ML_KEM_768: Description(family=ML_KEM_768, length=8 * 1184),
    Algorithm.ML_KEM_1024: Description(family=ML_KEM_1024, length=8 * 1568),
    Algorithm.ML_DSA_44: Description(family=ML_DSA_44, length=8 * 1312),
    Algorithm.ML_DSA_65: Description(family=ML_DSA_65, length=8 * 1952),
    Algorithm.ML_DSA_87: Description(family=ML_DSA_87, length=8 * 2592),
    **{
        algorithm: Description(
            family=_family(kind.private, kind.public, algorithm), length=8 * kind.public.size
        )
        for algorithm, kind in KINDS.items()
    },
}
"""Kinds of keys that come in one size, by their algorithm."""

MONTGOMERY: Final[Mapping[RecommendedCurve, Description]] = {
    RecommendedCurve.CURVE25519: Description(
        family=X25519, length=256, domain=Domain(recommended_curve=RecommendedCurve.CURVE25519)
    ),
    RecommendedCurve.CURVE448: Description(
        family=X448, length=448, domain=Domain(recommended_curve=RecommendedCurve.CURVE448)
    ),
}
"""The same for keys of ECDH, by their curve."""

ONE_SIZE: Final = (*FIXED.values(), *MONTGOMERY.values())
"""Both: a member of one enumeration equals one of the other that has its number, so no table holds both."""

FAMILIES: Final = (RSA, EC, DSA, DH, *(one.family for one in ONE_SIZE))


def describe(key: LibraryKey) -> Description | None:
    """Return what the key is; None for a kind without a family."""
    match key:
        case rsa.RSAPrivateKey() | rsa.RSAPublicKey():
            return Description(family=RSA, length=key.key_size)
        case ec.EllipticCurvePrivateKey() | ec.EllipticCurvePublicKey():
            curve = BY_LIBRARY_NAME[key.curve.name]
            return Description(family=EC, length=key.curve.key_size, domain=Domain(recommended_curve=curve))
        case dsa.DSAPrivateKey() | dsa.DSAPublicKey():
            q = key.parameters().parameter_numbers().q
            return Description(family=DSA, length=key.key_size, domain=Domain(qlength=q.bit_length()))
        case DHPrivateKey() | DHPublicKey():
            order = key.parameters().parameter_numbers().q
            domain = None if order is None else Domain(qlength=order.bit_length())
            return Description(family=DH, length=key.key_size, domain=domain)
        case _:
            return next(
                (one for one in ONE_SIZE if isinstance(key, (one.family.private, one.family.public))), None
            )
