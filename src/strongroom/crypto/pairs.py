"""Fresh key pairs.

Rule: one maker per algorithm, from a length or a curve to the library's private key; the table says which
algorithms have one.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from strongroom.crypto.curves import CURVES, P_CURVES, library_curve
from strongroom.crypto.declared import check_length
from strongroom.crypto.symmetric import ASYMMETRIC, KEYLESS, LENGTHS
from strongroom.crypto.tables import check_total, spec_name
from strongroom.crypto.writing import writers
from strongroom.domain.errors import InvalidField, UnsupportedCryptographicParameters
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyFormatType, RecommendedCurve

Maker: TypeAlias = Callable[[int | None, RecommendedCurve | None], PrivateKeyTypes]

PUBLIC_EXPONENT: Final = 65537
RSA_LENGTHS: Final = range(1024, 8193, 256)
"""What is made. 1024 bits are for old devices only, but the OASIS cases make such keys too."""


def _rsa(length: int | None, curve: RecommendedCurve | None) -> PrivateKeyTypes:
    if length is None:
        raise InvalidField("an RSA key pair needs a Cryptographic Length")
    if length not in RSA_LENGTHS:
        raise InvalidField(f"RSA keys of {length} bits are not made; 1024 to 8192 in steps of 256 are")
    return rsa.generate_private_key(PUBLIC_EXPONENT, length)


def _elliptic(length: int | None, curve: RecommendedCurve | None) -> PrivateKeyTypes:
    if curve is None:
        if length is None:
            raise InvalidField(
                "an elliptic curve key pair needs a Recommended Curve or the length of a P curve"
            )
        if length not in P_CURVES:
            raise InvalidField(f"no P curve has {length} bits; name the Recommended Curve")
        curve = P_CURVES[length]
    made_on = library_curve(curve)
    if made_on is None:
        raise UnsupportedCryptographicParameters(f"keys on the curve {spec_name(curve)} are not made here")
    check_length(length, CURVES[curve].bits)
    return ec.generate_private_key(made_on)


MAKERS: Final[Mapping[Algorithm, Maker]] = {
    Algorithm.RSA: _rsa,
    Algorithm.EC: _elliptic,
    Algorithm.ECDSA: _elliptic,
    Algorithm.ECDH: _elliptic,
    Algorithm.ECMQV: _elliptic,
}

NOT_MADE: Final = ASYMMETRIC - set(MAKERS)
"""Asymmetric algorithms without a generator here; their keys can be registered."""

check_total(MAKERS, Algorithm, NOT_MADE | KEYLESS | set(LENGTHS))

_FORMATS: Final[Mapping[Algorithm, tuple[KeyFormatType, KeyFormatType]]] = {
    Algorithm.RSA: (KeyFormatType.PKCS_1, KeyFormatType.PKCS_1),
    Algorithm.EC: (KeyFormatType.ECPRIVATEKEY, KeyFormatType.X_509),
    Algorithm.ECDSA: (KeyFormatType.ECPRIVATEKEY, KeyFormatType.X_509),
    Algorithm.ECDH: (KeyFormatType.ECPRIVATEKEY, KeyFormatType.X_509),
    Algorithm.ECMQV: (KeyFormatType.ECPRIVATEKEY, KeyFormatType.X_509),
}
"""The formats that a fresh (private, public) pair is kept in."""


def create(
    algorithm: Algorithm, length: int | None, curve: RecommendedCurve | None
) -> tuple[KeyBlock, KeyBlock]:
    """Return a fresh (private, public) pair; slow.

    Raises InvalidField for a length or curve that the algorithm does not have and for an algorithm without
    key pairs, UnsupportedCryptographicParameters for what exists but is not made here.
    """
    if algorithm in LENGTHS or algorithm in KEYLESS:
        raise InvalidField(f"{spec_name(algorithm)} has no key pairs")
    maker = MAKERS.get(algorithm)
    if maker is None:
        raise UnsupportedCryptographicParameters(f"{spec_name(algorithm)} key pairs are not made here")
    private = maker(length, curve)
    assert isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    private_format, public_format = _FORMATS[algorithm]
    public = private.public_key()
    bits = private.key_size
    return (
        _block(
            private_format, KeyValue(key_material=writers(private)[private_format](private)), algorithm, bits
        ),
        _block(public_format, KeyValue(key_material=writers(public)[public_format](public)), algorithm, bits),
    )


def _block(key_format: KeyFormatType, value: KeyValue, algorithm: Algorithm, length: int) -> KeyBlock:
    return KeyBlock(
        key_format_type=key_format,
        key_value=value,
        cryptographic_algorithm=algorithm,
        cryptographic_length=length,
    )
