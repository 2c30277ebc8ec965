"""Fresh key pairs."""

import pytest

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.crypto.curves import CURVES
from strongroom.crypto.pairs import MAKERS, NOT_MADE
from strongroom.crypto.symmetric import KEYLESS, LENGTHS
from strongroom.domain.errors import InvalidField, UnsupportedCryptographicParameters
from strongroom.model.objects import PrivateKey, PublicKey
from strongroom.model.structures import CryptographicDomainParameters
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyFormatType as Format
from strongroom.registry import RecommendedCurve as Curve
from strongroom.registry import Tag

MADE_ON = [curve for curve, entry in CURVES.items() if entry.library is not None]


@pytest.mark.parametrize("length", [1024, 2048, 2304])
async def test_rsa_pairs_come_as_pkcs_1(crypto: Cryptographer, length: int) -> None:
    private, public = await crypto.create_key_pair(Algorithm.RSA, length, None)
    for block, value in ((private, PrivateKey(key_block=private)), (public, PublicKey(key_block=public))):
        assert block.key_format_type is Format.PKCS_1
        assert (block.cryptographic_algorithm, block.cryptographic_length) == (Algorithm.RSA, length)
        facts = await crypto.examine(value)
        assert (facts.cryptographic_algorithm, facts.cryptographic_length) == (Algorithm.RSA, length)


@pytest.mark.parametrize("curve", MADE_ON)
async def test_elliptic_pairs_are_made_on_every_curve_of_the_library(
    crypto: Cryptographer, curve: Curve
) -> None:
    private, public = await crypto.create_key_pair(Algorithm.ECDSA, None, curve)
    assert (private.key_format_type, public.key_format_type) == (Format.ECPRIVATEKEY, Format.X_509)
    for value in (PrivateKey(key_block=private), PublicKey(key_block=public)):
        facts = await crypto.examine(value)
        assert facts.cryptographic_algorithm is Algorithm.ECDSA
        assert facts.cryptographic_length == CURVES[curve].bits
        assert [(a.key, a.value) for a in facts.attributes] == [
            (Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, CryptographicDomainParameters(recommended_curve=curve))
        ]


@pytest.mark.parametrize("algorithm", [Algorithm.EC, Algorithm.ECDSA, Algorithm.ECDH, Algorithm.ECMQV])
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


@pytest.mark.parametrize("length", [None, 0, 512, 1023, 2049, 16384])
async def test_an_rsa_length_that_is_not_made_is_refused(crypto: Cryptographer, length: int | None) -> None:
    with pytest.raises(InvalidField):
        await crypto.create_key_pair(Algorithm.RSA, length, None)


@pytest.mark.parametrize(
    ("length", "curve"),
    [(None, None), (255, None), (384, Curve.P_256)],
    ids=["neither", "no such curve", "contradiction"],
)
async def test_an_elliptic_pair_needs_a_curve(
    crypto: Cryptographer, length: int | None, curve: Curve | None
) -> None:
    with pytest.raises(InvalidField):
        await crypto.create_key_pair(Algorithm.EC, length, curve)


@pytest.mark.parametrize("curve", sorted(set(CURVES) - set(MADE_ON)))
async def test_a_curve_that_the_library_lacks_is_unsupported(crypto: Cryptographer, curve: Curve) -> None:
    with pytest.raises(UnsupportedCryptographicParameters):
        await crypto.create_key_pair(Algorithm.EC, None, curve)


@pytest.mark.parametrize("algorithm", sorted(NOT_MADE))
async def test_an_algorithm_that_is_not_made_here_is_unsupported(
    crypto: Cryptographer, algorithm: Algorithm
) -> None:
    with pytest.raises(UnsupportedCryptographicParameters):
        await crypto.create_key_pair(algorithm, 2048, None)


@pytest.mark.parametrize("algorithm", sorted(set(LENGTHS) | KEYLESS))
async def test_an_algorithm_without_pairs_is_refused(crypto: Cryptographer, algorithm: Algorithm) -> None:
    with pytest.raises(InvalidField, match="no key pairs"):
        await crypto.create_key_pair(algorithm, 256, None)


def test_every_algorithm_is_made_or_refused() -> None:
    assert set(MAKERS) | NOT_MADE | KEYLESS | set(LENGTHS) == set(Algorithm)
