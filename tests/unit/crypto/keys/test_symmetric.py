"""Fresh symmetric keys."""

import pytest

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.crypto.keys.symmetric import ASYMMETRIC, KEYLESS, LENGTHS, length_of, material_size
from strongroom.domain.errors import InvalidField
from strongroom.model.objects import SymmetricKey
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyFormatType
from tests.unit.crypto.build import material

EVERY_LENGTH = [(algorithm, length) for algorithm, lengths in LENGTHS.items() for length in lengths.legal]
CORNERS = [
    (algorithm, length)
    for algorithm, lengths in LENGTHS.items()
    for length in sorted({min(lengths.legal), lengths.usual, max(lengths.legal)})
]


@pytest.mark.parametrize(("algorithm", "length"), CORNERS)
async def test_every_symmetric_algorithm_can_be_created(
    crypto: Cryptographer, algorithm: Algorithm, length: int
) -> None:
    block = await crypto.create_symmetric_key(algorithm, length)
    assert block.key_format_type is KeyFormatType.RAW
    assert (block.cryptographic_algorithm, block.cryptographic_length) == (algorithm, length)
    assert len(material(SymmetricKey(key_block=block))) == material_size(algorithm, length)


@pytest.mark.parametrize("algorithm", LENGTHS)
async def test_a_key_without_a_length_gets_the_usual_one(crypto: Cryptographer, algorithm: Algorithm) -> None:
    block = await crypto.create_symmetric_key(algorithm, None)
    assert block.cryptographic_length == LENGTHS[algorithm].usual
    assert LENGTHS[algorithm].usual in LENGTHS[algorithm].legal


@pytest.mark.parametrize(
    ("length", "size"), [(112, 16), (128, 16), (168, 24), (192, 24)], ids=lambda n: str(n)
)
async def test_3des_material_has_its_parity_bits_whether_the_length_counts_them_or_not(
    crypto: Cryptographer, length: int, size: int
) -> None:
    """KMIP 1.4 §2.1.3; OASIS SKFF-M-12 and SKFF-O-6 show 168 bits as 24 bytes and 112 as 16."""
    key = SymmetricKey(key_block=await crypto.create_symmetric_key(Algorithm.DES3, length))
    assert len(material(key)) == size
    assert all(byte.bit_count() % 2 == 1 for byte in material(key))


@pytest.mark.parametrize("algorithm", [Algorithm.DES, Algorithm.DES3])
def test_the_length_of_des_material_leaves_parity_out(algorithm: Algorithm) -> None:
    assert length_of(Algorithm.DES, 8) == 56
    assert length_of(Algorithm.DES3, 16) == 112
    assert length_of(Algorithm.DES3, 24) == 168
    assert length_of(algorithm, 7) is None


async def test_two_keys_differ(crypto: Cryptographer) -> None:
    first = await crypto.create_symmetric_key(Algorithm.AES, 256)
    second = await crypto.create_symmetric_key(Algorithm.AES, 256)
    assert first != second


@pytest.mark.parametrize(
    ("algorithm", "length"),
    [
        (Algorithm.AES, 127),
        (Algorithm.AES, 0),
        (Algorithm.AES, -128),
        (Algorithm.DES3, 120),
        (Algorithm.SEED, 256),
    ],
)
async def test_a_length_that_the_algorithm_does_not_have_is_refused(
    crypto: Cryptographer, algorithm: Algorithm, length: int
) -> None:
    with pytest.raises(InvalidField, match=f"no keys of {length} bits"):
        await crypto.create_symmetric_key(algorithm, length)


@pytest.mark.parametrize("algorithm", sorted(ASYMMETRIC | KEYLESS))
@pytest.mark.parametrize("length", [256, None])
async def test_an_algorithm_without_symmetric_keys_is_refused(
    crypto: Cryptographer, algorithm: Algorithm, length: int | None
) -> None:
    with pytest.raises(InvalidField, match="no symmetric keys"):
        await crypto.create_symmetric_key(algorithm, length)


def test_every_legal_length_is_found_again_from_its_material() -> None:
    for algorithm, length in EVERY_LENGTH:
        found = length_of(algorithm, material_size(algorithm, length))
        assert found is not None
        assert material_size(algorithm, found) == material_size(algorithm, length)
