"""Fresh key pairs.

Rule: one maker per algorithm, from what is asked for to the library's private key; the table says which
algorithms have one. What is left open is chosen here, once.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from strongroom.crypto.keys import groups
from strongroom.crypto.keys.curves import CURVES, P_CURVES, library_curve
from strongroom.crypto.keys.declared import check_length
from strongroom.crypto.keys.defaults import FORMATS
from strongroom.crypto.keys.families import (
    FIXED,
    MONTGOMERY,
    Description,
    LibraryKey,
    describe,
)
from strongroom.crypto.keys.symmetric import ASYMMETRIC, KEYLESS, LENGTHS
from strongroom.crypto.keys.writing import writers
from strongroom.crypto.tables import check_total, spec_name
from strongroom.domain.errors import FeatureNotSupported, InvalidField
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyFormatType as Format
from strongroom.registry import RecommendedCurve


class Wanted(NamedTuple):
    """What a client asks for; `length` and `qlength` in bits, None where it leaves the choice open."""

    length: int | None = None
    curve: RecommendedCurve | None = None
    qlength: int | None = None


Maker: TypeAlias = Callable[[Wanted], LibraryKey]

USUAL_LENGTH: Final = 3072
"""Bits of a modulus that nobody chose: as strong as AES-128 (NIST SP 800-57)."""
USUAL_CURVE: Final = RecommendedCurve.P_256

PUBLIC_EXPONENT: Final = 65537
RSA_LENGTHS: Final = range(1024, 8193, 256)
"""What is made. 1024 bits are for old devices only, but the OASIS cases make such keys too."""

DSA_LENGTHS: Final[Mapping[int, int]] = {1024: 160, 2048: 256, 3072: 256}
"""Bits of P and of Q (FIPS 186-4 §4.2); the library makes no others."""


def _rsa(wanted: Wanted) -> LibraryKey:
    _without_domain(wanted, Algorithm.RSA)
    length = USUAL_LENGTH if wanted.length is None else wanted.length
    if length not in RSA_LENGTHS:
        raise InvalidField(f"RSA keys of {length} bits are not made; 1024 to 8192 in steps of 256 are")
    return rsa.generate_private_key(PUBLIC_EXPONENT, length)


def _dsa(wanted: Wanted) -> LibraryKey:
    if wanted.curve is not None:
        raise InvalidField("a DSA key pair is on no curve; leave the Recommended Curve out")
    length = USUAL_LENGTH if wanted.length is None else wanted.length
    if length not in DSA_LENGTHS:
        raise InvalidField(f"DSA keys of {length} bits are not made; possible: 1024, 2048, 3072")
    if wanted.qlength not in (None, DSA_LENGTHS[length]):
        raise InvalidField(f"a DSA key of {length} bits is made with a Qlength of {DSA_LENGTHS[length]} bits")
    return dsa.generate_private_key(length)


def _dh(wanted: Wanted) -> LibraryKey:
    if wanted.curve is not None:
        raise InvalidField("a DH key pair is on no curve; use ECDH for a Recommended Curve")
    length = USUAL_LENGTH if wanted.length is None else wanted.length
    if length not in groups.OFFSETS:
        known = ", ".join(map(str, groups.OFFSETS))
        raise InvalidField(f"DH keys of {length} bits are not made; possible: {known}")
    # P of these groups is a safe prime, so the order of the subgroup has one bit less.
    if wanted.qlength not in (None, length - 1):
        raise InvalidField(f"a DH key of {length} bits is made with a Qlength of {length - 1} bits")
    return groups.group(length).parameters().generate_private_key()


def _elliptic(wanted: Wanted) -> LibraryKey:
    curve = wanted.curve
    if curve is None and wanted.length is not None:
        if wanted.length not in P_CURVES:
            raise InvalidField(f"no P curve has {wanted.length} bits; name the Recommended Curve")
        curve = P_CURVES[wanted.length]
    elif curve is None:
        curve = USUAL_CURVE
    made_on = library_curve(curve)
    if made_on is None:
        raise FeatureNotSupported(f"keys on the curve {spec_name(curve)} are not made here")
    check_length(wanted.length, CURVES[curve].bits)
    # INTEROP(OASIS TC-DERIVEKEY-6): Qlength stands beside the curve, with the length of the curve.
    check_length(wanted.qlength, CURVES[curve].bits)
    return ec.generate_private_key(made_on)


def _montgomery_or_elliptic(wanted: Wanted) -> LibraryKey:
    """Make what is for key agreement: on Curve25519 and Curve448 too."""
    fixed = None if wanted.curve is None else MONTGOMERY.get(wanted.curve)
    return _elliptic(wanted) if fixed is None else _generated(fixed, wanted)


def _fixed(algorithm: Algorithm, wanted: Wanted) -> LibraryKey:
    _without_domain(wanted, algorithm)
    return _generated(FIXED[algorithm], wanted)


def _generated(fixed: Description, wanted: Wanted) -> LibraryKey:
    check_length(wanted.length, fixed.length)
    made: LibraryKey = fixed.family.private.generate()
    return made


def _without_domain(wanted: Wanted, algorithm: Algorithm) -> None:
    if wanted.curve is not None or wanted.qlength is not None:
        raise InvalidField(f"{spec_name(algorithm)} has no Cryptographic Domain Parameters; leave them out")


MAKERS: Final[Mapping[Algorithm, Maker]] = {
    Algorithm.RSA: _rsa,
    Algorithm.DSA: _dsa,
    Algorithm.DH: _dh,
    Algorithm.ECDSA: _elliptic,
    Algorithm.ECMQV: _elliptic,
    Algorithm.EC: _montgomery_or_elliptic,
    Algorithm.ECDH: _montgomery_or_elliptic,
    **{asked: partial(_fixed, asked) for asked in FIXED},
}

NOT_MADE: Final = ASYMMETRIC - set(MAKERS)
"""Asymmetric algorithms without a generator here; their keys can be registered."""

check_total(MAKERS, Algorithm, NOT_MADE | KEYLESS | set(LENGTHS))


def create(algorithm: Algorithm, wanted: Wanted) -> tuple[KeyBlock, KeyBlock]:
    """Return a fresh (private, public) pair; slow.

    Raises InvalidField for a length or curve that the algorithm does not have and for an algorithm without
    key pairs, FeatureNotSupported for what exists but is not made here.
    """
    if algorithm in LENGTHS or algorithm in KEYLESS:
        raise InvalidField(f"{spec_name(algorithm)} has no key pairs")
    maker = MAKERS.get(algorithm)
    if maker is None:
        raise FeatureNotSupported(f"{spec_name(algorithm)} key pairs are not made here")
    private: Any = maker(wanted)
    made = describe(private)
    assert made is not None
    private_format, public_format = FORMATS[made.family]
    return (
        _block(private, private_format, algorithm, made.length),
        _block(private.public_key(), public_format, algorithm, made.length),
    )


def _block(key: LibraryKey, key_format: Format, algorithm: Algorithm, length: int) -> KeyBlock:
    return KeyBlock(
        key_format_type=key_format,
        key_value=KeyValue(key_material=writers(key)[key_format](key)),
        cryptographic_algorithm=algorithm,
        cryptographic_length=length,
    )
