"""Keys spelt out in numbers, when they are registered (KMIP 1.4 §2.1.7)."""

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, PublicFormat

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.crypto.keys import transparent
from strongroom.crypto.keys.curves import CURVES
from strongroom.crypto.keys.families import MONTGOMERY
from strongroom.domain.errors import InvalidField, KmipError
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
from strongroom.model.structures import CryptographicDomainParameters
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyFormatType as Format
from strongroom.registry import RecommendedCurve as Curve
from tests.unit.crypto.build import Pairs, der, domain, private, public, symmetric, told


def spelt(pairs: Pairs) -> TransparentRSAPrivateKey:
    key = pairs["rsa"]
    assert isinstance(key, rsa.RSAPrivateKey)
    made = transparent.rsa_private(key)
    assert isinstance(made, TransparentRSAPrivateKey)
    return made


PROTH = 3 * 2**3912 + 1
"""A prime with a great many powers of two in its order."""


@pytest.mark.parametrize("modulus", [PROTH, 3 * 2**36 + 1, 2**521 - 1, 7, 1, 2**2048])
def test_exponents_that_give_no_factors_are_refused_at_once(modulus: int) -> None:
    """Otherwise one request would keep a thread busy for days."""
    exponent = pow(65537, -1, modulus - 1) if modulus > 65537 and modulus & 1 else 3
    numbers = {"modulus": modulus, "public_exponent": 65537, "private_exponent": exponent}
    with pytest.raises(InvalidField):
        transparent.to_library(TransparentRSAPrivateKey(**numbers))


async def test_a_dh_key_that_takes_long_to_work_out_is_stored_and_not_converted(
    crypto: Cryptographer,
) -> None:
    huge = TransparentDHPrivateKey(p=2**16384 - 1, g=3, x=2**16383 + 1)
    key = private(Format.TRANSPARENT_DH_PRIVATE_KEY, huge)
    assert told(await crypto.examine(key)) == (Algorithm.DH, 16384)
    with pytest.raises(KmipError):
        await crypto.convert(key, Format.PKCS_8)


ENOUGH = [
    pytest.param({}, id="everything"),
    pytest.param(dict.fromkeys(("p", "q")), id="no primes"),
    pytest.param(dict.fromkeys(("private_exponent",)), id="no private exponent"),
    pytest.param(dict.fromkeys(("public_exponent",)), id="no public exponent"),
    pytest.param(dict.fromkeys(("prime_exponent_p", "prime_exponent_q", "crt_coefficient")), id="no CRT"),
    pytest.param(
        dict.fromkeys(("p", "q", "prime_exponent_p", "prime_exponent_q", "crt_coefficient")),
        id="exponents only",
    ),
]


@pytest.mark.parametrize("missing", ENOUGH)
async def test_missing_parts_of_an_rsa_key_are_worked_out(
    crypto: Cryptographer, pairs: Pairs, missing: dict[str, None]
) -> None:
    """KMIP 1.4 §2.1.7.4 makes all parts but the modulus optional."""
    key = private(Format.TRANSPARENT_RSA_PRIVATE_KEY, spelt(pairs).replace(**missing))
    assert told(await crypto.examine(key)) == (Algorithm.RSA, 2048)
    whole = await crypto.convert(key, Format.PKCS_1)
    assert whole == private(Format.PKCS_1, der(pairs["rsa"], PrivateFormat.TraditionalOpenSSL))


async def test_an_rsa_key_that_cannot_be_completed_is_stored_as_it_is(
    crypto: Cryptographer, pairs: Pairs
) -> None:
    only = dict.fromkeys(("private_exponent", "p", "q"))
    key = private(Format.TRANSPARENT_RSA_PRIVATE_KEY, spelt(pairs).replace(**only))
    assert told(await crypto.examine(key)) == (Algorithm.RSA, 2048)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"private_exponent": 3}, id="private exponent"),
        pytest.param({"public_exponent": 3}, id="public exponent"),
        pytest.param({"prime_exponent_p": 5}, id="prime exponent P"),
        pytest.param({"prime_exponent_q": 5}, id="prime exponent Q"),
        pytest.param({"crt_coefficient": 5}, id="CRT coefficient"),
        pytest.param({"p": 15}, id="P"),
        pytest.param({"modulus": 1}, id="modulus of one"),
        pytest.param({"modulus": 0}, id="modulus of zero"),
        pytest.param({"modulus": -1}, id="negative modulus"),
        pytest.param({"p": 0, "q": 0}, id="P and Q of zero"),
        pytest.param({"modulus": 1 << 20_000}, id="absurdly long modulus"),
        pytest.param({"public_exponent": 1 << 20_000}, id="absurdly long exponent"),
        pytest.param({"public_exponent": 2}, id="even exponent"),
        pytest.param(dict.fromkeys(("private_exponent", "p", "prime_exponent_q")), id="too little is there"),
    ],
)
async def test_rsa_numbers_that_do_not_belong_together_are_refused(
    crypto: Cryptographer, pairs: Pairs, change: dict[str, int | None]
) -> None:
    with pytest.raises(InvalidField):
        await crypto.examine(private(Format.TRANSPARENT_RSA_PRIVATE_KEY, spelt(pairs).replace(**change)))


async def test_an_rsa_key_whose_factor_is_not_prime_is_refused(crypto: Cryptographer, pairs: Pairs) -> None:
    whole = spelt(pairs)
    assert whole.p is not None
    assert whole.q is not None
    p, q, e = whole.p, whole.q * 3, 65537
    key = TransparentRSAPrivateKey(modulus=p * q, public_exponent=e, p=p, q=q)
    with pytest.raises(InvalidField):
        await crypto.examine(private(Format.TRANSPARENT_RSA_PRIVATE_KEY, key))


@pytest.mark.parametrize(
    ("modulus", "exponent"),
    [
        (2**16384 + 1, 65537),
        (2**2048 + 1, 2**2047 + 1),
        (2**2048 + 1, 2**256 + 1),
        (2**2048 + 1, 65536),
        (2**2048, 65537),
        (2**2048 + 1, 1),
    ],
    ids=["long modulus", "long exponent", "longer than FIPS allows", "even", "even modulus", "one"],
)
async def test_a_public_rsa_key_out_of_bounds_is_refused(
    crypto: Cryptographer, modulus: int, exponent: int
) -> None:
    """FIPS 186-5 §5.4; to verify with such a key takes seconds, and it is nobody's."""
    spelt_out = TransparentRSAPublicKey(modulus=modulus, public_exponent=exponent)
    with pytest.raises(InvalidField):
        await crypto.examine(public(Format.TRANSPARENT_RSA_PUBLIC_KEY, spelt_out))


def compressed_point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def elliptic(pairs: Pairs, name: str) -> ec.EllipticCurvePrivateKey:
    key = pairs[name]
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


@pytest.mark.parametrize(
    ("private_format", "public_format", "algorithm"),
    [
        (Format.TRANSPARENT_EC_PRIVATE_KEY, Format.TRANSPARENT_EC_PUBLIC_KEY, Algorithm.EC),
        (Format.TRANSPARENT_ECDSA_PRIVATE_KEY, Format.TRANSPARENT_ECDSA_PUBLIC_KEY, Algorithm.ECDSA),
        (Format.TRANSPARENT_ECDH_PRIVATE_KEY, Format.TRANSPARENT_ECDH_PUBLIC_KEY, Algorithm.ECDH),
        (Format.TRANSPARENT_ECMQV_PRIVATE_KEY, Format.TRANSPARENT_ECMQV_PUBLIC_KEY, Algorithm.ECMQV),
    ],
)
async def test_a_transparent_elliptic_format_names_the_algorithm(
    crypto: Cryptographer, pairs: Pairs, private_format: Format, public_format: Format, algorithm: Algorithm
) -> None:
    key = elliptic(pairs, "p256")
    for value in (
        private(private_format, transparent.ec_private(key)),
        public(public_format, transparent.ec_public(key.public_key())),
        *(
            public(public_format, transparent.ec_public(key.public_key(), form(key.public_key())))
            for form in (compressed_point, transparent.hybrid_point)
        ),
    ):
        facts = await crypto.examine(value)
        assert told(facts) == (algorithm, 256)
        assert domain(facts) == CryptographicDomainParameters(recommended_curve=Curve.P_256)


@pytest.mark.parametrize("flip", [0, -1])
async def test_a_hybrid_point_that_contradicts_itself_is_refused(
    crypto: Cryptographer, pairs: Pairs, flip: int
) -> None:
    """X9.62 §4.3.7: the parity in front is that of Y, and the point is on the curve."""
    key = elliptic(pairs, "p256").public_key()
    point = bytearray(transparent.hybrid_point(key))
    point[flip] ^= 1
    with pytest.raises(InvalidField):
        await crypto.examine(
            public(Format.TRANSPARENT_EC_PUBLIC_KEY, transparent.ec_public(key, bytes(point)))
        )


def test_a_key_on_curve25519_is_spelt_out_as_its_scalar() -> None:
    """RFC 7748 §5.2, the scalar of the first vector, in bytes and as a number."""
    secret = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    number = 31029842492115040904895560451863089656472772604678260265531221036453811406496
    own = x25519.X25519PrivateKey.from_private_bytes(secret)
    spelt = transparent.montgomery_private(own)
    assert spelt == TransparentECPrivateKey(recommended_curve=Curve.CURVE25519, d=number)
    again = transparent.to_library(spelt)
    assert isinstance(again, x25519.X25519PrivateKey)
    assert again.public_key() == own.public_key()
    assert transparent.to_library(transparent.montgomery_public(own.public_key())) == own.public_key()


@pytest.mark.parametrize(
    ("curve", "size"), [(Curve.CURVE25519, 32), (Curve.CURVE448, 56)], ids=["Curve25519", "Curve448"]
)
async def test_a_montgomery_key_of_another_size_is_refused(
    crypto: Cryptographer, curve: Curve, size: int
) -> None:
    for bad in (
        private(
            Format.TRANSPARENT_EC_PRIVATE_KEY,
            TransparentECPrivateKey(recommended_curve=curve, d=1 << 8 * size),
        ),
        public(
            Format.TRANSPARENT_EC_PUBLIC_KEY,
            TransparentECPublicKey(recommended_curve=curve, q_string=bytes(size + 1)),
        ),
    ):
        with pytest.raises(InvalidField):
            await crypto.examine(bad)


@pytest.mark.parametrize("curve", [c for c, e in CURVES.items() if e.library is None and c not in MONTGOMERY])
async def test_a_key_on_a_curve_that_the_library_lacks_is_stored(crypto: Cryptographer, curve: Curve) -> None:
    for value in (
        private(Format.TRANSPARENT_EC_PRIVATE_KEY, TransparentECPrivateKey(recommended_curve=curve, d=5)),
        public(
            Format.TRANSPARENT_EC_PUBLIC_KEY,
            TransparentECPublicKey(recommended_curve=curve, q_string=b"\4" + bytes(42)),
        ),
    ):
        facts = await crypto.examine(value)
        assert told(facts) == (Algorithm.EC, CURVES[curve].bits)
        assert domain(facts) == CryptographicDomainParameters(recommended_curve=curve)


@pytest.mark.parametrize(
    "key",
    [
        TransparentECPrivateKey(recommended_curve=Curve.P_256, d=0),
        TransparentECPrivateKey(recommended_curve=Curve.P_256, d=1 << 256),
        TransparentECPrivateKey(recommended_curve=Curve.P_256, d=-5),
        TransparentECPrivateKey(recommended_curve=Curve.P_256, d=1 << 20_000),
    ],
    ids=["zero", "beyond the order", "negative", "absurdly long"],
)
async def test_a_d_that_is_not_on_the_curve_is_refused(
    crypto: Cryptographer, key: TransparentECPrivateKey
) -> None:
    with pytest.raises(InvalidField):
        await crypto.examine(private(Format.TRANSPARENT_EC_PRIVATE_KEY, key))


@pytest.mark.parametrize(
    "point", [b"", b"\0", b"\4" + bytes(64), b"\4" + bytes(63), b"\2" + b"\xff" * 32, b"\5" + bytes(64)]
)
async def test_a_point_that_is_not_on_the_curve_is_refused(crypto: Cryptographer, point: bytes) -> None:
    key = TransparentECPublicKey(recommended_curve=Curve.P_256, q_string=point)
    with pytest.raises(InvalidField):
        await crypto.examine(public(Format.TRANSPARENT_EC_PUBLIC_KEY, key))


OASIS_DSA = TransparentDSAPrivateKey(
    p=int(
        "fca682ce8e12caba26efccf7110e526db078b05edecbcd1eb4a208f3ae1617ae"
        "01f35b91a47e6df63413c5e12ed0899bcd132acd50d99151bdc43ee737592e17",
        16,
    ),
    q=0x962EDDCC369CBA8EBB260EE6B6A126D9346E38C5,
    g=int(
        "678471b27a9cf44ee91a49c5147db1a9aaf244f05a434d6486931d2d14271b9e"
        "35030b71fd73da179069b32e2935630e1c2062354d0da20a6c416e50be794ca4",
        16,
    ),
    x=0x95411D740D2443FA3F97D1ED9A0411BB45E7131,
)
"""The 512-bit domain that OASIS BL-M-13 registers: too short for the library, not for the store."""


async def test_a_dsa_key_too_short_for_the_library_is_stored(crypto: Cryptographer) -> None:
    facts = await crypto.examine(
        private(Format.TRANSPARENT_DSA_PRIVATE_KEY, OASIS_DSA, algorithm=Algorithm.DSA, length=512)
    )
    assert told(facts) == (Algorithm.DSA, 512)
    assert domain(facts) == CryptographicDomainParameters(qlength=160)
    with pytest.raises(InvalidField):
        await crypto.examine(private(Format.TRANSPARENT_DSA_PRIVATE_KEY, OASIS_DSA, length=1024))


async def test_transparent_dsa_keys_tell_what_they_are(crypto: Cryptographer, pairs: Pairs) -> None:
    key = pairs["dsa"]
    assert isinstance(key, dsa.DSAPrivateKey)
    for value in (
        private(Format.TRANSPARENT_DSA_PRIVATE_KEY, transparent.dsa_private(key)),
        public(Format.TRANSPARENT_DSA_PUBLIC_KEY, transparent.dsa_public(key.public_key())),
    ):
        facts = await crypto.examine(value)
        assert told(facts) == (Algorithm.DSA, 1024)
        assert domain(facts) == CryptographicDomainParameters(qlength=160)
    broken = transparent.dsa_public(key.public_key())
    assert isinstance(broken, TransparentDSAPublicKey)
    with pytest.raises(InvalidField):
        await crypto.examine(public(Format.TRANSPARENT_DSA_PUBLIC_KEY, broken.replace(g=0)))
    endless = OASIS_DSA.replace(p=(1 << 1024) - 1, x=0)
    with pytest.raises(InvalidField):
        await crypto.examine(private(Format.TRANSPARENT_DSA_PRIVATE_KEY, endless))


MODP_768 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A63A3620FFFFFFFFFFFFFFFF",
    16,
)
"""The first Oakley group (RFC 2409 §6.1)."""


async def test_dh_numbers_tell_what_they_are(crypto: Cryptographer) -> None:
    mine = TransparentDHPrivateKey(p=MODP_768, g=2, x=12345)
    theirs = TransparentDHPublicKey(p=MODP_768, g=2, q=(MODP_768 - 1) // 2, y=pow(2, 12345, MODP_768))
    facts = await crypto.examine(private(Format.TRANSPARENT_DH_PRIVATE_KEY, mine))
    assert (told(facts), domain(facts)) == ((Algorithm.DH, 768), None)
    facts = await crypto.examine(public(Format.TRANSPARENT_DH_PUBLIC_KEY, theirs))
    assert (told(facts), domain(facts)) == ((Algorithm.DH, 768), CryptographicDomainParameters(qlength=767))


@pytest.mark.parametrize(
    "change",
    [{"p": 16}, {"p": -7}, {"g": 0}, {"g": 1}, {"x": 0}, {"x": MODP_768}, {"q": 0}, {"p": 1 << 20_000}],
)
async def test_dh_numbers_out_of_range_are_refused(crypto: Cryptographer, change: dict[str, int]) -> None:
    key = TransparentDHPrivateKey(p=MODP_768, g=2, x=12345).replace(**change)
    with pytest.raises(InvalidField):
        await crypto.examine(private(Format.TRANSPARENT_DH_PRIVATE_KEY, key))


async def test_a_structure_of_another_format_is_refused(crypto: Cryptographer) -> None:
    exponent = TransparentRSAPublicKey(modulus=15, public_exponent=3)
    for value in (
        private(Format.TRANSPARENT_EC_PRIVATE_KEY, exponent),
        symmetric(Format.TRANSPARENT_SYMMETRIC_KEY, exponent),
    ):
        with pytest.raises(InvalidField):
            await crypto.examine(value)


@pytest.mark.parametrize(
    ("key_format", "algorithm"),
    [
        (Format.TRANSPARENT_DH_PRIVATE_KEY, Algorithm.DSA),
        (Format.TRANSPARENT_EC_PRIVATE_KEY, Algorithm.RSA),
    ],
)
async def test_a_format_that_names_another_algorithm_is_refused(
    crypto: Cryptographer, key_format: Format, algorithm: Algorithm
) -> None:
    key: TransparentKey = TransparentDHPrivateKey(p=MODP_768, g=2, x=12345)
    if key_format is Format.TRANSPARENT_EC_PRIVATE_KEY:
        key = TransparentECPrivateKey(recommended_curve=Curve.K_163, d=5)
    with pytest.raises(InvalidField):
        await crypto.examine(private(key_format, key, algorithm=algorithm))
