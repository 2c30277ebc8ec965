"""IV, counter and nonce: given, made here, or refused."""

import pytest

from strongroom.crypto import leniency
from strongroom.crypto.cryptographer import Cryptographer
from strongroom.crypto.encryption.ciphers import SCHEMES
from strongroom.crypto.encryption.initialization import IvRule, chosen, counter_block, fitting
from strongroom.crypto.encryption.parts import check_counter
from strongroom.crypto.leniency import Leniencies
from strongroom.domain.errors import BadCryptographicParameters, UnsupportedCryptographicParameters
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import BlockCipherMode as Mode
from strongroom.registry import CryptographicAlgorithm as Algorithm
from tests.unit.crypto.build import aes, decrypt, encrypt


def rule(mode: Mode) -> IvRule:
    """Return what AES takes in a mode."""
    found = SCHEMES[Algorithm.AES][mode].iv
    assert found is not None
    return found


MODES_WITH_IV = [Mode.CBC, Mode.CFB, Mode.OFB, Mode.CTR, Mode.GCM]


@pytest.mark.parametrize("mode", MODES_WITH_IV)
async def test_random_iv_makes_one_and_returns_it(crypto: Cryptographer, mode: Mode) -> None:
    """KMIP 1.4 §4.29: the value used, if Random IV is set and none was given."""
    parameters = Parameters(block_cipher_mode=mode, random_iv=True)
    first = await encrypt(crypto, aes("00" * 16), bytes(32), parameters)
    second = await encrypt(crypto, aes("00" * 16), bytes(32), parameters)
    assert first.iv_counter_nonce is not None
    assert len(first.iv_counter_nonce) == (12 if mode is Mode.GCM else 16)
    assert first.iv_counter_nonce != second.iv_counter_nonce
    plain = await decrypt(
        crypto,
        aes("00" * 16),
        first.data,
        parameters,
        iv=first.iv_counter_nonce,
        tag=first.authentication_tag,
    )
    assert plain == bytes(32)


@pytest.mark.parametrize("mode", MODES_WITH_IV)
async def test_a_given_iv_wins_over_random_iv_and_is_not_returned(crypto: Cryptographer, mode: Mode) -> None:
    parameters = Parameters(block_cipher_mode=mode, random_iv=True)
    first = await encrypt(crypto, aes("00" * 16), bytes(32), parameters, iv=bytes(16))
    second = await encrypt(crypto, aes("00" * 16), bytes(32), parameters, iv=bytes(16))
    assert first == second
    assert first.iv_counter_nonce is None


@pytest.mark.parametrize(
    ("mode", "iv_length", "size"),
    [(Mode.GCM, 64, 8), (Mode.GCM, 96, 12), (Mode.GCM, 128, 16), (Mode.CTR, 96, 12), (Mode.CBC, 128, 16)],
)
def test_iv_length_counts_bits(mode: Mode, iv_length: int, size: int) -> None:
    """KMIP 1.4 §3.6."""
    parameters = Parameters(iv_length=iv_length)
    used = Leniencies()
    assert len(chosen(rule(mode), parameters, used)) == size
    assert fitting(rule(mode), bytes(size), parameters, used) == bytes(size)
    assert not used.names


@pytest.mark.parametrize(("mode", "size"), [(Mode.GCM, 12), (Mode.CBC, 16)])
def test_an_iv_length_in_bytes_is_a_named_leniency(mode: Mode, size: int) -> None:
    """kmip-go sends 12 with GCM."""
    used = Leniencies()
    parameters = Parameters(iv_length=size)
    assert fitting(rule(mode), bytes(size), parameters, used) == bytes(size)
    assert used.names == {leniency.IV_LENGTH_IN_BYTES.name}
    used = Leniencies()
    assert len(chosen(rule(mode), parameters, used)) == size
    assert used.names == {leniency.IV_LENGTH_IN_BYTES.name}


@pytest.mark.parametrize(
    ("mode", "iv_length"), [(Mode.GCM, 100), (Mode.GCM, 7), (Mode.GCM, 2048), (Mode.CBC, 96), (Mode.CBC, 0)]
)
def test_an_iv_length_that_the_mode_does_not_have_is_refused(mode: Mode, iv_length: int) -> None:
    with pytest.raises(BadCryptographicParameters):
        chosen(rule(mode), Parameters(iv_length=iv_length), Leniencies())


@pytest.mark.parametrize("iv_length", [1, 7])
def test_a_random_nonce_that_would_come_again_soon_is_refused(iv_length: int) -> None:
    """A counter mode may have short nonces, but a key stream that comes twice gives the data away."""
    with pytest.raises(BadCryptographicParameters, match="64 bits"):
        chosen(rule(Mode.CTR), Parameters(iv_length=iv_length), Leniencies())
    assert len(chosen(rule(Mode.CTR), Parameters(iv_length=8), Leniencies())) == 8


@pytest.mark.parametrize(
    ("mode", "size"),
    [
        *((Mode.CBC, size) for size in (0, 12, 17)),
        *((Mode.CTR, size) for size in (0, 17)),
        *((Mode.GCM, size) for size in (0, 7, 129)),
        (Mode.CFB, 8),
        (Mode.OFB, 32),
    ],
)
def test_an_iv_of_the_wrong_length_is_refused(mode: Mode, size: int) -> None:
    with pytest.raises(BadCryptographicParameters, match="bytes"):
        fitting(rule(mode), bytes(size), Parameters(), Leniencies())


def test_an_iv_that_contradicts_iv_length_is_refused() -> None:
    with pytest.raises(BadCryptographicParameters, match="IV Length"):
        fitting(rule(Mode.GCM), bytes(12), Parameters(iv_length=128), Leniencies())


@pytest.mark.parametrize(
    "parameters", [Parameters(fixed_field_length=32), Parameters(invocation_field_length=64)]
)
def test_an_iv_with_fields_is_not_made_here(parameters: Parameters) -> None:
    with pytest.raises(UnsupportedCryptographicParameters):
        chosen(rule(Mode.GCM), parameters, Leniencies())


async def test_a_nonce_and_an_initial_counter_value_give_the_vector_of_rfc_3686(
    crypto: Cryptographer,
) -> None:
    parameters = Parameters(block_cipher_mode=Mode.CTR, counter_length=32, initial_counter_value=1)
    made = await encrypt(
        crypto,
        aes("ae6852f8121067cc4bf7a5765577f39e"),
        b"Single block msg",
        parameters,
        iv=bytes.fromhex("000000300000000000000000"),
    )
    assert made.data.hex() == "e4095d4fb7a7b3792d6175a3261311b8"


@pytest.mark.parametrize(
    ("iv", "parameters", "block"),
    [
        pytest.param(b"\7" * 16, Parameters(), b"\7" * 16, id="whole block"),
        pytest.param(
            b"\7" * 15 + b"\1",
            Parameters(counter_length=8, initial_counter_value=1),
            b"\7" * 15 + b"\1",
            id="whole block that agrees with the parameters",
        ),
        pytest.param(
            b"\7" * 8, Parameters(initial_counter_value=0), b"\7" * 8 + bytes(8), id="nonce, counter 0"
        ),
        pytest.param(
            b"\7" * 12,
            Parameters(initial_counter_value=258, counter_length=32),
            b"\7" * 12 + b"\0\0\1\2",
            id="nonce, counter of 32 bits",
        ),
    ],
)
def test_the_first_counter_block(iv: bytes, parameters: Parameters, block: bytes) -> None:
    assert counter_block(iv, parameters, 16)[0] == block


@pytest.mark.parametrize(
    ("iv", "parameters", "size"),
    [
        pytest.param(bytes(12), Parameters(), 16, id="nothing says where the counter starts"),
        pytest.param(bytes(12), Parameters(initial_counter_value=-1), 16, id="negative start"),
        pytest.param(bytes(15), Parameters(initial_counter_value=256), 16, id="start too big"),
        pytest.param(
            bytes(12), Parameters(initial_counter_value=1, counter_length=64), 16, id="counter too long"
        ),
        pytest.param(bytes(16), Parameters(initial_counter_value=1), 16, id="block with another start"),
        pytest.param(bytes(16), Parameters(counter_length=0), 16, id="no counter"),
        pytest.param(bytes(16), Parameters(counter_length=129), 16, id="counter longer than a block"),
        pytest.param(bytes(15), Parameters(initial_counter_value=255), 17, id="runs into the nonce"),
        pytest.param(b"\xff" * 16, Parameters(counter_length=8), 17, id="block runs into the nonce"),
    ],
)
def test_a_counter_that_does_not_add_up_is_refused(iv: bytes, parameters: Parameters, size: int) -> None:
    with pytest.raises(BadCryptographicParameters):
        check_counter(size, counter_block(iv, parameters, 16)[1])


def test_data_up_to_the_last_counter_value_is_taken() -> None:
    assert counter_block(bytes(15), Parameters(initial_counter_value=0), 16) == (bytes(16), 256 * 16)
