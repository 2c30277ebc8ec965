"""Fresh key pairs."""

import hashlib

import pytest

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.crypto.keys import groups
from strongroom.crypto.keys.curves import CURVES
from strongroom.crypto.keys.defaults import FORMATS
from strongroom.crypto.keys.families import FIXED, MONTGOMERY
from strongroom.crypto.keys.pairs import MAKERS, NOT_MADE
from strongroom.crypto.keys.symmetric import KEYLESS, LENGTHS
from strongroom.crypto.post_quantum.adapter import KINDS
from strongroom.domain.errors import FeatureNotSupported, InvalidField
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import PrivateKey, PublicKey
from strongroom.model.structures import CryptographicDomainParameters as Domain
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyFormatType as Format
from strongroom.registry import RecommendedCurve as Curve
from tests.unit.crypto.build import domain, told

MADE_ON = [curve for curve, entry in CURVES.items() if entry.library is not None]
FIXED_ALGORITHMS = [algorithm for algorithm in FIXED if algorithm not in KINDS]
ON_CURVES = [Algorithm.EC, Algorithm.ECDSA, Algorithm.ECDH, Algorithm.ECMQV]


async def assert_pair(
    crypto: Cryptographer, made: tuple[KeyBlock, KeyBlock], algorithm: Algorithm, length: int
) -> None:
    """Expect two keys that say what they are and are that."""
    for block, value in zip(made, (PrivateKey(key_block=made[0]), PublicKey(key_block=made[1])), strict=True):
        assert (block.cryptographic_algorithm, block.cryptographic_length) == (algorithm, length)
        assert told(await crypto.examine(value)) == (algorithm, length)


def formats(made: tuple[KeyBlock, KeyBlock]) -> tuple[Format, Format]:
    return made[0].key_format_type, made[1].key_format_type


@pytest.mark.parametrize("length", [1024, 2048, 2304])
async def test_rsa_pairs_come_as_pkcs_1(crypto: Cryptographer, length: int) -> None:
    """KMIP 2.1 table 81."""
    made = await crypto.create_key_pair(Algorithm.RSA, length, None)
    assert formats(made) == (Format.PKCS_1, Format.PKCS_1)
    await assert_pair(crypto, made, Algorithm.RSA, length)


@pytest.mark.parametrize("curve", MADE_ON)
async def test_elliptic_pairs_are_made_on_every_curve_of_the_library(
    crypto: Cryptographer, curve: Curve
) -> None:
    """KMIP 2.1 table 81."""
    made = await crypto.create_key_pair(Algorithm.ECDSA, None, curve)
    assert formats(made) == (Format.TRANSPARENT_EC_PRIVATE_KEY, Format.TRANSPARENT_EC_PUBLIC_KEY)
    await assert_pair(crypto, made, Algorithm.ECDSA, CURVES[curve].bits)
    assert domain(await crypto.examine(PublicKey(key_block=made[1]))) == Domain(recommended_curve=curve)


@pytest.mark.parametrize("algorithm", [Algorithm.EC, Algorithm.ECDH])
@pytest.mark.parametrize(("curve", "length"), [(Curve.CURVE25519, 256), (Curve.CURVE448, 448)])
async def test_pairs_for_agreement_are_made_on_montgomery_curves(
    crypto: Cryptographer, algorithm: Algorithm, curve: Curve, length: int
) -> None:
    made = await crypto.create_key_pair(algorithm, None, curve)
    assert formats(made) == (Format.PKCS_8, Format.X_509)
    await assert_pair(crypto, made, algorithm, length)
    assert domain(await crypto.examine(PublicKey(key_block=made[1]))) == Domain(recommended_curve=curve)


@pytest.mark.parametrize("algorithm", [Algorithm.ECDSA, Algorithm.ECMQV])
async def test_nothing_is_signed_on_a_montgomery_curve(crypto: Cryptographer, algorithm: Algorithm) -> None:
    with pytest.raises(FeatureNotSupported):
        await crypto.create_key_pair(algorithm, None, Curve.CURVE25519)


@pytest.mark.parametrize("algorithm", FIXED_ALGORITHMS)
async def test_a_kind_of_one_size_needs_its_algorithm_alone(
    crypto: Cryptographer, algorithm: Algorithm
) -> None:
    made = await crypto.create_key_pair(algorithm, None, None)
    assert formats(made) == (Format.PKCS_8, Format.X_509)
    await assert_pair(crypto, made, algorithm, FIXED[algorithm].length)
    again = await crypto.create_key_pair(algorithm, FIXED[algorithm].length, None)
    assert again != made


@pytest.mark.parametrize("algorithm", FIXED_ALGORITHMS)
async def test_a_kind_of_one_size_has_no_other(crypto: Cryptographer, algorithm: Algorithm) -> None:
    with pytest.raises(InvalidField, match="Cryptographic Length"):
        await crypto.create_key_pair(algorithm, 768, None)
    with pytest.raises(InvalidField, match="Domain Parameters"):
        await crypto.create_key_pair(algorithm, None, Curve.P_256)


@pytest.mark.parametrize(
    ("algorithm", "length"),
    [
        (Algorithm.ML_KEM_768, 9472),
        (Algorithm.ML_KEM_1024, 12544),
        (Algorithm.ML_DSA_44, 10496),
        (Algorithm.ML_DSA_65, 15616),
        (Algorithm.ML_DSA_87, 20736),
    ],
)
async def test_a_lattice_key_is_as_long_as_its_public_half(
    crypto: Cryptographer, algorithm: Algorithm, length: int
) -> None:
    """What OpenSSL 3.5 prints of such keys."""
    private, public = await crypto.create_key_pair(algorithm, None, None)
    assert private.cryptographic_length == public.cryptographic_length == length


@pytest.mark.parametrize(("length", "qlength"), [(1024, 160), (2048, 256)])
async def test_dsa_pairs_come_spelt_out(crypto: Cryptographer, length: int, qlength: int) -> None:
    """KMIP 2.1 table 81; the sizes of FIPS 186-4 §4.2."""
    made = await crypto.create_key_pair(Algorithm.DSA, length, None, qlength)
    assert formats(made) == (Format.TRANSPARENT_DSA_PRIVATE_KEY, Format.TRANSPARENT_DSA_PUBLIC_KEY)
    await assert_pair(crypto, made, Algorithm.DSA, length)
    assert domain(await crypto.examine(PublicKey(key_block=made[1]))) == Domain(qlength=qlength)


@pytest.mark.parametrize("qlength", [None, 2047])
async def test_dh_pairs_come_spelt_out(crypto: Cryptographer, qlength: int | None) -> None:
    made = await crypto.create_key_pair(Algorithm.DH, 2048, None, qlength)
    assert formats(made) == (Format.TRANSPARENT_DH_PRIVATE_KEY, Format.TRANSPARENT_DH_PUBLIC_KEY)
    await assert_pair(crypto, made, Algorithm.DH, 2048)


@pytest.mark.parametrize(
    ("bits", "digest"),
    [
        (2048, "9cd3b7f336872f46c09428d1bbc19877a4d440512cda8d1c1cf0cd6e33698966"),
        (3072, "0eaf67db3a839156d5013494a5318a772b5697d270d721f37f092efc69ea5a17"),
        (4096, "4648414224ac881b3d0dc59b466f96d06a558278776807797ecf1f66ff397b3e"),
        (6144, "227ac9066b3ddd9e193670cda2388fa884f65ba0cf98b742d1fe77a6687c79c7"),
        (8192, "770b14efaf6f049929c523113b3fa99a8d11dab1b18af3609590122075d19833"),
    ],
)
def test_the_groups_are_those_of_the_rfc(bits: int, digest: str) -> None:
    """RFC 7919 appendix A; SHA-256 of each prime, as `openssl genpkey -genparam` writes it."""
    group = groups.group(bits)
    assert group.g == 2
    assert hashlib.sha256(group.p.to_bytes(bits // 8, "big")).hexdigest() == digest


@pytest.mark.parametrize("algorithm", ON_CURVES)
@pytest.mark.parametrize(
    ("length", "curve"),
    [(192, Curve.P_192), (224, Curve.P_224), (256, Curve.P_256), (384, Curve.P_384), (521, Curve.P_521)],
)
async def test_a_length_alone_means_the_p_curve(
    crypto: Cryptographer, algorithm: Algorithm, length: int, curve: Curve
) -> None:
    private, _ = await crypto.create_key_pair(algorithm, length, None)
    facts = await crypto.examine(PrivateKey(key_block=private))
    assert facts.cryptographic_algorithm is algorithm
    assert facts.attributes[0].value.recommended_curve is curve


@pytest.mark.parametrize(
    ("algorithm", "length"), [(Algorithm.RSA, 3072), (Algorithm.DH, 3072), (Algorithm.EC, 256)]
)
async def test_what_is_left_open_is_chosen_here(
    crypto: Cryptographer, algorithm: Algorithm, length: int
) -> None:
    """KMIP 1.4 table 168: of a pair, the Cryptographic Length is not required."""
    await assert_pair(crypto, await crypto.create_key_pair(algorithm, None, None), algorithm, length)


@pytest.mark.parametrize(
    ("algorithm", "length", "curve", "qlength"),
    [
        *((Algorithm.RSA, length, None, None) for length in (0, 512, 1023, 2049, 16384)),
        (Algorithm.RSA, 2048, Curve.P_256, None),
        (Algorithm.RSA, 2048, None, 256),
        (Algorithm.EC, 255, None, None),
        (Algorithm.EC, 384, Curve.P_256, None),
        (Algorithm.EC, None, Curve.P_256, 255),
        (Algorithm.ECDH, 255, Curve.CURVE25519, None),
        (Algorithm.DSA, 1536, None, None),
        (Algorithm.DSA, 2048, None, 224),
        (Algorithm.DSA, 2048, Curve.P_256, None),
        (Algorithm.DH, 1024, None, None),
        (Algorithm.DH, 2048, None, 256),
        (Algorithm.DH, 2048, Curve.P_256, None),
    ],
)
async def test_what_contradicts_itself_or_is_not_made_is_refused(
    crypto: Cryptographer, algorithm: Algorithm, length: int | None, curve: Curve | None, qlength: int | None
) -> None:
    with pytest.raises(InvalidField):
        await crypto.create_key_pair(algorithm, length, curve, qlength)


async def test_a_qlength_beside_the_curve_is_that_of_the_curve(crypto: Cryptographer) -> None:
    """As the OASIS cases of Derive Key ask for a pair."""
    made = await crypto.create_key_pair(Algorithm.EC, None, Curve.SECP256K1, 256)
    await assert_pair(crypto, made, Algorithm.EC, 256)


@pytest.mark.parametrize("algorithm", ON_CURVES)
@pytest.mark.parametrize("curve", sorted(set(CURVES) - set(MADE_ON) - set(MONTGOMERY)))
async def test_a_curve_that_the_library_lacks_is_unsupported(
    crypto: Cryptographer, algorithm: Algorithm, curve: Curve
) -> None:
    with pytest.raises(FeatureNotSupported):
        await crypto.create_key_pair(algorithm, None, curve)


@pytest.mark.parametrize("algorithm", sorted(NOT_MADE))
async def test_an_algorithm_that_is_not_made_here_is_unsupported(
    crypto: Cryptographer, algorithm: Algorithm
) -> None:
    with pytest.raises(FeatureNotSupported):
        await crypto.create_key_pair(algorithm, 2048, None)


@pytest.mark.parametrize("algorithm", sorted(set(LENGTHS) | KEYLESS))
async def test_an_algorithm_without_pairs_is_refused(crypto: Cryptographer, algorithm: Algorithm) -> None:
    with pytest.raises(InvalidField, match="no key pairs"):
        await crypto.create_key_pair(algorithm, 256, None)


def test_every_algorithm_is_made_or_refused() -> None:
    assert set(MAKERS) | NOT_MADE | KEYLESS | set(LENGTHS) == set(Algorithm)
    assert {family.usual for family in FORMATS} | set(ON_CURVES) == set(MAKERS)


@pytest.mark.parametrize("curve", [c for c in Curve if c in {int(a) for a in FIXED} and c not in MADE_ON])
async def test_a_curve_is_not_taken_for_the_algorithm_of_its_number(
    crypto: Cryptographer, curve: Curve
) -> None:
    """Brainpool P160r1 has the number of Ed25519, and members of two enumerations are equal as numbers."""
    for algorithm in (Algorithm.EC, Algorithm.ECDH):
        if curve not in MONTGOMERY:
            with pytest.raises(FeatureNotSupported):
                await crypto.create_key_pair(algorithm, None, curve)
