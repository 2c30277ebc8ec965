"""Keys spelt out in numbers (KMIP 1.4 §2.1.7, 2.1 §3.4-3.12), to and from the library's keys.

Rule: one reader and one writer per structure. A structure that does not hold enough to make a key gives None:
such a key is stored as it came.
"""

import secrets
from math import gcd
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x448, x25519

from strongroom.crypto.keys.curves import BY_LIBRARY_NAME, CURVES, library_curve
from strongroom.crypto.keys.families import LibraryKey
from strongroom.crypto.keys.finite_field import (
    DHParameterNumbers,
    DHPrivateKey,
    DHPrivateNumbers,
    DHPublicKey,
    DHPublicNumbers,
)
from strongroom.crypto.keys.groups import may_be_loaded
from strongroom.domain.errors import InvalidField
from strongroom.model.keys import (
    TransparentDHPrivateKey,
    TransparentDHPublicKey,
    TransparentDSAPrivateKey,
    TransparentDSAPublicKey,
    TransparentECPrivateKey,
    TransparentECPublicKey,
    TransparentKey,
    TransparentRSAPrivateKey,
    TransparentRSAPublicKey,
)
from strongroom.model.structures import CryptographicDomainParameters as Domain
from strongroom.registry import RecommendedCurve as Curve

MAXIMUM_BITS: Final = 16384
"""The longest number that is computed with; a request may hold longer ones only to keep the server busy."""

MAXIMUM_RECOVERED_BITS: Final = 4096
"""The longest modulus that is factored with the help of both exponents: half a second of arithmetic."""

_ATTEMPTS: Final = 32
"""Each finds the factors with a chance of at least one half, if there are any."""

_MOST_TWOS: Final = 256
"""Powers of two in e * d - 1; a random pair of primes has a handful."""

_MOST_WORK: Final = 4096**3
"""Bits of P squared times bits of X of the costliest key whose public number is worked out: that holds the
interpreter, here for a fifth of a second."""

_HYBRID: Final = (b"\x06", b"\x07")

_LIBRARY_DSA_LENGTHS: Final = frozenset({1024, 2048, 3072, 4096})


def to_library(key: TransparentKey) -> LibraryKey | None:
    """Return the key; None when it cannot be made from what is there or the library lacks its kind.

    An RSA private key is not checked. Raises InvalidField for absurd sizes, and the library's ValueError for
    numbers that are no key.
    """
    check_sizes(key)
    match key:
        case TransparentRSAPrivateKey():
            numbers = _rsa_numbers(key)
            return None if numbers is None else numbers.private_key(unsafe_skip_rsa_key_validation=True)
        case TransparentRSAPublicKey():
            return rsa.RSAPublicNumbers(key.public_exponent, key.modulus).public_key()
        case TransparentECPrivateKey(recommended_curve=Curve.CURVE25519):
            return x25519.X25519PrivateKey.from_private_bytes(key.d.to_bytes(32, "little"))
        case TransparentECPrivateKey(recommended_curve=Curve.CURVE448):
            return x448.X448PrivateKey.from_private_bytes(key.d.to_bytes(56, "little"))
        case TransparentECPublicKey(recommended_curve=Curve.CURVE25519):
            return x25519.X25519PublicKey.from_public_bytes(key.q_string)
        case TransparentECPublicKey(recommended_curve=Curve.CURVE448):
            return x448.X448PublicKey.from_public_bytes(key.q_string)
        case TransparentECPrivateKey():
            curve = library_curve(key.recommended_curve)
            return None if curve is None else ec.derive_private_key(key.d, curve)
        case TransparentECPublicKey():
            curve = library_curve(key.recommended_curve)
            return None if curve is None else _ec_public(curve, key.q_string)
        case TransparentDSAPrivateKey() | TransparentDSAPublicKey():
            return _dsa(key)
        case TransparentDHPrivateKey() | TransparentDHPublicKey():
            return _dh(key)
        case _:
            return None


def _ec_public(curve: ec.EllipticCurve, point: bytes) -> ec.EllipticCurvePublicKey:
    """Return the key at a point in any form of X9.62; the library reads all but the hybrid one."""
    if point[:1] not in _HYBRID:
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    key = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + point[1:])
    if hybrid_point(key) != point:
        raise ValueError("the two halves of the hybrid point contradict each other")
    return key


def hybrid_point(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return the point in hybrid form: uncompressed, with the parity of Y in front (X9.62 §4.3.6)."""
    plain = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return _HYBRID[plain[-1] & 1] + plain[1:]


def check_sizes(key: TransparentKey) -> None:
    """Raise InvalidField for a number that no key has."""
    for field in type(key).fields:
        number = getattr(key, field.name)
        if isinstance(number, int) and (number < 0 or number.bit_length() > MAXIMUM_BITS):
            name = field.name.replace("_", " ").title()
            raise InvalidField(f"{name} is negative or has more than {MAXIMUM_BITS} bits")


def check_dh(key: TransparentDHPrivateKey | TransparentDHPublicKey) -> None:
    """Raise InvalidField unless each number of a DH key is in its range.

    The library would also ask whether P is prime, and hold the interpreter for as long as that takes.
    """
    own = key.x if isinstance(key, TransparentDHPrivateKey) else key.y
    order = key.p if key.q is None else key.q
    if not key.p & 1 or not 1 < key.g < key.p - 1 or not 1 < own < key.p - 1 or not 1 < order <= key.p:
        raise InvalidField("the numbers of the DH key are out of their ranges")


def shown_by(key: TransparentKey) -> tuple[int | None, Domain | None]:
    """Return Cryptographic Length and Domain Parameters as far as the structure shows them by itself."""
    match key:
        case TransparentRSAPrivateKey() | TransparentRSAPublicKey():
            return key.modulus.bit_length(), None
        case (
            TransparentDSAPrivateKey()
            | TransparentDSAPublicKey()
            | TransparentDHPrivateKey()
            | TransparentDHPublicKey()
        ):
            return key.p.bit_length(), None if key.q is None else Domain(qlength=key.q.bit_length())
        case TransparentECPrivateKey() | TransparentECPublicKey():
            entry = CURVES.get(key.recommended_curve)
            return None if entry is None else entry.bits, Domain(recommended_curve=key.recommended_curve)
        case _:
            return None, None


def _rsa_numbers(key: TransparentRSAPrivateKey) -> rsa.RSAPrivateNumbers | None:
    """Return all eight numbers, missing ones worked out; None when too few are there (KMIP 1.4 §2.1.7.4)."""
    n, e, d, p, q = key.modulus, key.public_exponent, key.private_exponent, key.p, key.q
    if d is None and None in (p, q) and None in (key.prime_exponent_p, key.prime_exponent_q):
        raise InvalidField("an RSA private key needs Private Exponent, P and Q, or both prime exponents")
    if p is not None and q is not None and e is None and d is not None:
        # Public and private exponent are each other's inverse, so the same function finds either.
        e = rsa.rsa_recover_private_exponent(d, p, q)
    if e is None:
        return None
    if p is not None and q is not None:
        d = rsa.rsa_recover_private_exponent(e, p, q) if d is None else d
    elif d is not None and n.bit_length() <= MAXIMUM_RECOVERED_BITS:
        p, q = _prime_factors(n, e, d)
    else:
        return None
    return rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, p) if key.prime_exponent_p is None else key.prime_exponent_p,
        dmq1=rsa.rsa_crt_dmq1(d, q) if key.prime_exponent_q is None else key.prime_exponent_q,
        iqmp=rsa.rsa_crt_iqmp(p, q) if key.crt_coefficient is None else key.crt_coefficient,
        public_numbers=rsa.RSAPublicNumbers(e, n),
    )


def _prime_factors(n: int, e: int, d: int) -> tuple[int, int]:
    """Return P and Q (NIST SP 800-56B §C.2); raises InvalidField.

    The library's function tries 500 times, and for each power of two in e * d - 1, which numbers made for it
    stretch to days. Here an attempt costs one power, and one that no pair of primes explains is the last.
    """
    product = e * d - 1
    twos = (product & -product).bit_length() - 1
    if product > 0 and 0 < twos <= _MOST_TWOS and n & 1 and n > 8:
        for _ in range(_ATTEMPTS):
            root = pow(2 + secrets.randbelow(n - 3), product >> twos, n)
            if root in (1, n - 1):
                continue
            for _ in range(twos):
                before, root = root, root * root % n
                if root in (1, n - 1):
                    break
            if root == 1:
                p = gcd(before - 1, n)
                return max(p, n // p), min(p, n // p)
            if root != n - 1:
                break
    raise InvalidField("the RSA exponents do not belong to the modulus")


def _public_number(g: int, x: int, p: int) -> int:
    """Return the public number of a DSA or DH key, which a transparent private key leaves out."""
    if not 1 < g < p or not 0 < x < p:
        raise InvalidField("G or X is not between 1 and P")
    return pow(g, x, p)


def _dsa(key: TransparentDSAPrivateKey | TransparentDSAPublicKey) -> LibraryKey | None:
    if key.p.bit_length() not in _LIBRARY_DSA_LENGTHS:
        return None
    parameters = dsa.DSAParameterNumbers(key.p, key.q, key.g)
    if isinstance(key, TransparentDSAPublicKey):
        return dsa.DSAPublicNumbers(key.y, parameters).public_key()
    y = _public_number(key.g, key.x, key.p)
    return dsa.DSAPrivateNumbers(key.x, dsa.DSAPublicNumbers(y, parameters)).private_key()


def _dh(key: TransparentDHPrivateKey | TransparentDHPublicKey) -> LibraryKey | None:
    if not may_be_loaded(key.p, key.g, key.q):
        return None
    parameters = DHParameterNumbers(key.p, key.g, key.q)
    if isinstance(key, TransparentDHPublicKey):
        return DHPublicNumbers(key.y, parameters).public_key()
    if key.p.bit_length() ** 2 * key.x.bit_length() > _MOST_WORK:
        return None
    y = _public_number(key.g, key.x, key.p)
    return DHPrivateNumbers(key.x, DHPublicNumbers(y, parameters)).private_key()


def rsa_private(key: rsa.RSAPrivateKey) -> TransparentKey:
    numbers = key.private_numbers()
    return TransparentRSAPrivateKey(
        modulus=numbers.public_numbers.n,
        private_exponent=numbers.d,
        public_exponent=numbers.public_numbers.e,
        p=numbers.p,
        q=numbers.q,
        prime_exponent_p=numbers.dmp1,
        prime_exponent_q=numbers.dmq1,
        crt_coefficient=numbers.iqmp,
    )


def rsa_public(key: rsa.RSAPublicKey) -> TransparentKey:
    numbers = key.public_numbers()
    return TransparentRSAPublicKey(modulus=numbers.n, public_exponent=numbers.e)


def ec_private(key: ec.EllipticCurvePrivateKey) -> TransparentKey:
    return TransparentECPrivateKey(
        recommended_curve=BY_LIBRARY_NAME[key.curve.name], d=key.private_numbers().private_value
    )


def ec_public(key: ec.EllipticCurvePublicKey, point: bytes | None = None) -> TransparentKey:
    """Return the structure; its point is uncompressed unless another form is given (KMIP 1.4 §2.1.3)."""
    if point is None:
        point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return TransparentECPublicKey(recommended_curve=BY_LIBRARY_NAME[key.curve.name], q_string=point)


# The specification does not say how a key on Curve25519 or Curve448 is spelt out. D is the number that takes
# the base point to Q: RFC 7748 §5 reads it from the bytes of the key, lowest first, with some bits set to
# fixed values. Q String is the encoding of Q in the same RFC.
def montgomery_private(key: x25519.X25519PrivateKey | x448.X448PrivateKey) -> TransparentKey:
    scalar = bytearray(key.private_bytes_raw())
    if isinstance(key, x25519.X25519PrivateKey):
        curve = Curve.CURVE25519
        scalar[0] &= 0xF8
        scalar[-1] = scalar[-1] & 0x7F | 0x40
    else:
        curve = Curve.CURVE448
        scalar[0] &= 0xFC
        scalar[-1] |= 0x80
    return TransparentECPrivateKey(recommended_curve=curve, d=int.from_bytes(scalar, "little"))


def montgomery_public(key: x25519.X25519PublicKey | x448.X448PublicKey) -> TransparentKey:
    curve = Curve.CURVE25519 if isinstance(key, x25519.X25519PublicKey) else Curve.CURVE448
    return TransparentECPublicKey(recommended_curve=curve, q_string=key.public_bytes_raw())


def dsa_private(key: dsa.DSAPrivateKey) -> TransparentKey:
    numbers = key.private_numbers()
    domain = numbers.public_numbers.parameter_numbers
    return TransparentDSAPrivateKey(p=domain.p, q=domain.q, g=domain.g, x=numbers.x)


def dsa_public(key: dsa.DSAPublicKey) -> TransparentKey:
    numbers = key.public_numbers()
    domain = numbers.parameter_numbers
    return TransparentDSAPublicKey(p=domain.p, q=domain.q, g=domain.g, y=numbers.y)


def dh_private(key: DHPrivateKey) -> TransparentKey:
    numbers = key.private_numbers()
    domain = numbers.public_numbers.parameter_numbers
    return TransparentDHPrivateKey(p=domain.p, q=domain.q, g=domain.g, x=numbers.x)


def dh_public(key: DHPublicKey) -> TransparentKey:
    numbers = key.public_numbers()
    domain = numbers.parameter_numbers
    return TransparentDHPublicKey(p=domain.p, q=domain.q, g=domain.g, y=numbers.y)
