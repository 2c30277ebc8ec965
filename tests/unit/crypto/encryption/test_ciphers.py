"""Encrypt and Decrypt with AES."""

from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import ANSIX923, PKCS7
from hypothesis import given
from hypothesis import strategies as st

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.crypto.encryption import ciphers
from strongroom.crypto.encryption.adapter import INLINE, QUICK_INLINE
from strongroom.crypto.encryption.ciphers import REFUSED_MODES, REFUSED_PADDINGS
from strongroom.crypto.encryption.keyed import KeyedCipher
from strongroom.crypto.encryption.parts import MUCH
from strongroom.crypto.leniency import Leniencies
from strongroom.domain.encryption import Encrypted
from strongroom.domain.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidField,
    KeyValueNotPresent,
    KmipError,
    MissingInitializationVector,
    UnsupportedCryptographicParameters,
)
from strongroom.model.keys import TransparentSymmetricKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import BlockCipherMode as Mode
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyFormatType, ResultReason
from strongroom.registry import PaddingMethod as Padding
from tests.unit.crypto.build import aes, block, decrypt, encrypt

KEY_128 = "2b7e151628aed2a6abf7158809cf4f3c"
KEY_192 = "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"
KEY_256 = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
IV = "000102030405060708090a0b0c0d0e0f"
COUNTER = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
PLAIN = (
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)

SP_800_38A = [
    pytest.param(
        Mode.ECB, KEY_128, None,
        "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
        "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4",
        id="F.1.1 ECB-AES128",
    ),
    pytest.param(
        Mode.ECB, KEY_256, None,
        "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"
        "b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7",
        id="F.1.5 ECB-AES256",
    ),
    pytest.param(
        Mode.CBC, KEY_128, IV,
        "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
        "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7",
        id="F.2.1 CBC-AES128",
    ),
    pytest.param(
        Mode.CBC, KEY_192, IV,
        "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"
        "571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd",
        id="F.2.3 CBC-AES192",
    ),
    pytest.param(
        Mode.CBC, KEY_256, IV,
        "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
        "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
        id="F.2.5 CBC-AES256",
    ),
    pytest.param(
        Mode.CFB, KEY_128, IV,
        "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b"
        "26751f67a3cbb140b1808cf187a4f4dfc04b05357c5d1c0eeac4c66f9ff7f2e6",
        id="F.3.13 CFB128-AES128",
    ),
    pytest.param(
        Mode.OFB, KEY_128, IV,
        "3b3fd92eb72dad20333449f8e83cfb4a7789508d16918f03f53c52dac54ed825"
        "9740051e9c5fecf64344f7a82260edcc304c6528f659c77866a510d9c1d6ae5e",
        id="F.4.1 OFB-AES128",
    ),
    pytest.param(
        Mode.CTR, KEY_128, COUNTER,
        "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
        "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
        id="F.5.1 CTR-AES128",
    ),
    pytest.param(
        Mode.CTR, KEY_256, COUNTER,
        "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
        "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
        id="F.5.5 CTR-AES256",
    ),
]  # fmt: skip

GCM_KEY = "feffe9928665731c6d6a8f9467308308"
GCM_PLAIN = (
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
)
GCM_IV = "cafebabefacedbaddecaf888"
GCM_DATA = "feedfacedeadbeeffeedfacedeadbeefabaddad2"


@dataclass(frozen=True)
class Gcm:
    """One test case of the GCM specification (McGrew and Viega, appendix B)."""

    key: str
    iv: str
    plain: str
    additional: str
    cipher: str
    tag: str


GCM_CASES = {
    "1": Gcm("00" * 16, "00" * 12, "", "", "", "58e2fccefa7e3061367f1d57a4e7455a"),
    "2": Gcm(
        "00" * 16, "00" * 12, "00" * 16, "",
        "0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf",
    ),
    "3": Gcm(
        GCM_KEY, GCM_IV, GCM_PLAIN, "",
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
        "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
        "4d5c2af327cd64a62cf35abd2ba6fab4",
    ),
    "4": Gcm(
        GCM_KEY, GCM_IV, GCM_PLAIN[:-8], GCM_DATA,
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
        "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
        "5bc94fbc3221a5db94fae95ae7121a47",
    ),
    "5": Gcm(
        GCM_KEY, "cafebabefacedbad", GCM_PLAIN[:-8], GCM_DATA,
        "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c7423"
        "73806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598",
        "3612d2e79e3b0785561be14aaca2fccb",
    ),
    "6": Gcm(
        GCM_KEY,
        "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728"
        "c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b",
        GCM_PLAIN[:-8], GCM_DATA,
        "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca7"
        "01e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca417034c34aee5",
        "619cc5aefffe0bfa462af43c1699d050",
    ),
    "14": Gcm(
        "00" * 32, "00" * 12, "00" * 16, "",
        "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("mode", "key", "iv", "cipher"), SP_800_38A)
async def test_modes_give_the_vectors_of_sp_800_38a(
    crypto: Cryptographer, mode: Mode, key: str, iv: str | None, cipher: str
) -> None:
    parameters = Parameters(block_cipher_mode=mode)
    given_iv = None if iv is None else bytes.fromhex(iv)
    made = await encrypt(crypto, aes(key), bytes.fromhex(PLAIN), parameters, iv=given_iv)
    assert made == Encrypted(data=bytes.fromhex(cipher))
    assert await decrypt(crypto, aes(key), made.data, parameters, iv=given_iv) == bytes.fromhex(PLAIN)


@pytest.mark.parametrize("case", GCM_CASES.values(), ids=GCM_CASES.keys())
@pytest.mark.parametrize("tag_length", [None, 16, 15, 14, 13, 12])
async def test_gcm_gives_the_cases_of_its_specification(
    crypto: Cryptographer, case: Gcm, tag_length: int | None
) -> None:
    """KMIP 1.4 §3.6: Tag Length is in bytes."""
    parameters = Parameters(block_cipher_mode=Mode.GCM, tag_length=tag_length)
    iv, additional = bytes.fromhex(case.iv), bytes.fromhex(case.additional) or None
    plain = bytes.fromhex(case.plain)
    made = await encrypt(crypto, aes(case.key), plain, parameters, iv=iv, additional=additional)
    assert made.data.hex() == case.cipher
    tag = made.authentication_tag
    assert tag == bytes.fromhex(case.tag)[:tag_length]
    assert made.iv_counter_nonce is None
    opened = await decrypt(
        crypto, aes(case.key), made.data, parameters, iv=iv, additional=additional, tag=tag
    )
    assert opened == plain


async def test_pkcs5_gives_the_answer_of_the_oasis_case(crypto: Cryptographer) -> None:
    """OASIS CS-BC-M-11: CBC with PKCS5, and what a wrong IV makes of the first block."""
    key = aes("0123456789abcdef0123456789abcdef")
    parameters = Parameters(block_cipher_mode=Mode.CBC, padding_method=Padding.PKCS5)
    plain = bytes.fromhex("010203040506070809101112131415160102030405060708091011121314151601")
    iv = bytes.fromhex("ff020304050607080910111213141516")
    made = await encrypt(crypto, key, plain, parameters, iv=iv)
    assert made.data.hex() == (
        "e768203ba72b6e157daaad34b1e791d8e88457dc147942f01bfaff7b28a3cdde2203d4d5a4c7928ba9e9cc78b66a6546"
    )
    assert await decrypt(crypto, key, made.data, parameters, iv=iv) == plain
    wrong = await decrypt(crypto, key, made.data, parameters, iv=bytes(16))
    assert wrong == bytes.fromhex("fe" + "00" * 15) + plain[16:]


@given(
    data=st.binary(max_size=100),
    mode=st.sampled_from([Mode.ECB, Mode.CBC]),
    padding=st.sampled_from([Padding.PKCS5, Padding.ANSI_X9_23]),
)
def test_padded_data_of_any_length_comes_back(data: bytes, mode: Mode, padding: Padding) -> None:
    parameters = Parameters(block_cipher_mode=mode, padding_method=padding, random_iv=True)
    scheme = ciphers.scheme_of(Algorithm.AES, parameters, legacy=False)
    cipher = KeyedCipher(scheme, SecretBytes(bytes(16)), parameters, Leniencies())
    made = cipher.encrypt(data, None, None)
    assert len(made.data) == len(data) // 16 * 16 + 16
    assert cipher.decrypt(made.data, made.iv_counter_nonce, None, None) == data


@pytest.mark.parametrize("size", [INLINE, INLINE + 1, QUICK_INLINE, QUICK_INLINE + 1])
async def test_big_data_takes_the_pool_and_gives_the_same(crypto: Cryptographer, size: int) -> None:
    parameters = Parameters(block_cipher_mode=Mode.GCM)
    data = bytes(size)
    made = await encrypt(crypto, aes(KEY_256), data, parameters, iv=bytes(12))
    assert len(made.data) == size
    tag = made.authentication_tag
    assert await decrypt(crypto, aes(KEY_256), made.data, parameters, iv=bytes(12), tag=tag) == data


async def test_a_transparent_symmetric_key_is_used_like_a_raw_one(crypto: Cryptographer) -> None:
    material = TransparentSymmetricKey(key=SecretBytes(bytes.fromhex(KEY_128)))
    key = block(KeyFormatType.TRANSPARENT_SYMMETRIC_KEY, material, algorithm=Algorithm.AES, length=128)
    parameters = Parameters(block_cipher_mode=Mode.ECB)
    data = bytes.fromhex(PLAIN)
    assert await encrypt(crypto, key, data, parameters) == await encrypt(
        crypto, aes(KEY_128), data, parameters
    )


FAILURES = {
    "padding": (Parameters(block_cipher_mode=Mode.CBC, padding_method=Padding.PKCS5), bytes(32)),
    "part of a block": (Parameters(block_cipher_mode=Mode.CBC, padding_method=Padding.PKCS5), bytes(17)),
    "padding of much data": (
        Parameters(block_cipher_mode=Mode.CBC, padding_method=Padding.PKCS5),
        bytes(32 * 1024),
    ),
    "part of a block after much data": (
        Parameters(block_cipher_mode=Mode.CBC, padding_method=Padding.ANSI_X9_23),
        bytes(32 * 1024 + 1),
    ),
    "nothing at all": (Parameters(block_cipher_mode=Mode.CBC, padding_method=Padding.PKCS5), b""),
    "part of a block, no padding": (Parameters(block_cipher_mode=Mode.CBC), bytes(17)),
    "tag": (Parameters(block_cipher_mode=Mode.GCM), bytes(16)),
    "shorter tag": (Parameters(block_cipher_mode=Mode.GCM, tag_length=12), bytes(16)),
    "tag of another length": (Parameters(block_cipher_mode=Mode.GCM, tag_length=4), bytes(16)),
}


async def _failure(crypto: Cryptographer, parameters: Parameters, data: bytes, tag: bytes) -> KmipError:
    with pytest.raises(KmipError) as caught:
        await decrypt(crypto, aes(KEY_128), data, parameters, iv=bytes(16), tag=tag)
    return caught.value


async def test_decryption_has_one_failure(crypto: Cryptographer) -> None:
    """A caller must not learn what was wrong with a ciphertext: that would be a padding oracle."""
    seen = set()
    for parameters, data in FAILURES.values():
        tag = bytes(parameters.tag_length or 16)
        error = await _failure(crypto, parameters, data, tag)
        seen.add((type(error), error.message))
    assert seen == {(CryptographicFailure, "the data cannot be decrypted")}


@pytest.mark.parametrize("size", [0, 1, 8, 11, 17])
async def test_a_tag_too_short_or_too_long_fails_like_a_wrong_one(crypto: Cryptographer, size: int) -> None:
    parameters = Parameters(block_cipher_mode=Mode.GCM)
    made = await encrypt(crypto, aes(KEY_128), b"data", parameters, iv=bytes(12))
    assert made.authentication_tag is not None
    cut = (made.authentication_tag + b"\0")[:size]
    with pytest.raises(CryptographicFailure, match="cannot be decrypted"):
        await decrypt(crypto, aes(KEY_128), made.data, parameters, iv=bytes(12), tag=cut)


@pytest.mark.parametrize("wrong", ["data", "iv", "additional", "tag", "key"])
@pytest.mark.parametrize("tag_length", [12, 16])
async def test_gcm_notices_any_change(crypto: Cryptographer, wrong: str, tag_length: int) -> None:
    parameters = Parameters(block_cipher_mode=Mode.GCM, tag_length=tag_length)
    made = await encrypt(crypto, aes(KEY_128), b"data", parameters, iv=bytes(12), additional=b"more")
    with pytest.raises(CryptographicFailure):
        await decrypt(
            crypto,
            aes(KEY_192 if wrong == "key" else KEY_128),
            b"dbta" if wrong == "data" else made.data,
            parameters,
            iv=b"\1" * 12 if wrong == "iv" else bytes(12),
            additional=None if wrong == "additional" else b"more",
            tag=bytes(tag_length) if wrong == "tag" else made.authentication_tag,
        )


@pytest.mark.parametrize("length", [-1, 0, 1, 11, 17, 32, 128])
async def test_a_tag_length_that_is_not_made_is_a_general_failure(crypto: Cryptographer, length: int) -> None:
    """OASIS CS-BC-M-GCM-1 says so, from 1.4 to 3.0."""
    parameters = Parameters(block_cipher_mode=Mode.GCM, tag_length=length)
    with pytest.raises(KmipError) as caught:
        await encrypt(crypto, aes(KEY_128), b"data", parameters, iv=bytes(12))
    assert caught.value.reason is ResultReason.GENERAL_FAILURE


async def test_gcm_decryption_needs_the_tag(crypto: Cryptographer) -> None:
    with pytest.raises(InvalidField, match="Authenticated Encryption Tag"):
        await decrypt(crypto, aes(KEY_128), b"data", Parameters(block_cipher_mode=Mode.GCM), iv=bytes(12))


@pytest.mark.parametrize("mode", [Mode.CBC, Mode.CFB, Mode.OFB, Mode.CTR, Mode.GCM])
async def test_an_iv_is_neither_guessed_nor_made_unasked(crypto: Cryptographer, mode: Mode) -> None:
    """OASIS CS-BC-M-13: Random IV does not help Decrypt either."""
    with pytest.raises(MissingInitializationVector):
        await encrypt(crypto, aes(KEY_128), bytes(16), Parameters(block_cipher_mode=mode))
    random = Parameters(block_cipher_mode=mode, random_iv=True)
    with pytest.raises(MissingInitializationVector):
        await decrypt(crypto, aes(KEY_128), bytes(16), random, tag=bytes(16))


async def test_an_iv_for_ecb_is_ignored(crypto: Cryptographer) -> None:
    parameters = Parameters(block_cipher_mode=Mode.ECB, random_iv=True)
    with_iv = await encrypt(crypto, aes(KEY_128), bytes(16), parameters, iv=bytes(3))
    assert with_iv == await encrypt(crypto, aes(KEY_128), bytes(16), parameters)
    assert with_iv.iv_counter_nonce is None


@pytest.mark.parametrize("mode", sorted(REFUSED_MODES))
async def test_other_modes_are_unsupported(crypto: Cryptographer, mode: Mode) -> None:
    for run in (encrypt, decrypt):
        with pytest.raises(UnsupportedCryptographicParameters):
            await run(crypto, aes(KEY_128), bytes(16), Parameters(block_cipher_mode=mode), iv=bytes(16))


@pytest.mark.parametrize("padding", sorted(REFUSED_PADDINGS))
@pytest.mark.parametrize("mode", [Mode.CBC, Mode.GCM])
async def test_other_paddings_are_unsupported(crypto: Cryptographer, mode: Mode, padding: Padding) -> None:
    parameters = Parameters(block_cipher_mode=mode, padding_method=padding)
    for run in (encrypt, decrypt):
        with pytest.raises(UnsupportedCryptographicParameters):
            await run(crypto, aes(KEY_128), bytes(16), parameters, iv=bytes(16))


@pytest.mark.parametrize("mode", [Mode.CFB, Mode.OFB, Mode.CTR, Mode.GCM])
async def test_a_mode_that_fills_nothing_up_takes_no_padding(crypto: Cryptographer, mode: Mode) -> None:
    parameters = Parameters(block_cipher_mode=mode, padding_method=Padding.PKCS5)
    for run in (encrypt, decrypt):
        with pytest.raises(BadCryptographicParameters, match="takes no padding"):
            await run(crypto, aes(KEY_128), bytes(16), parameters, iv=bytes(16))


def _without(modes: Iterable[Mode]) -> list[Parameters]:
    return [Parameters(block_cipher_mode=mode) for mode in modes]


@pytest.mark.parametrize("parameters", _without([Mode.ECB, Mode.CBC]), ids=["ECB", "CBC"])
async def test_data_that_is_not_whole_blocks_needs_a_padding(
    crypto: Cryptographer, parameters: Parameters
) -> None:
    with pytest.raises(BadCryptographicParameters, match="name a Padding Method"):
        await encrypt(crypto, aes(KEY_128), bytes(17), parameters, iv=bytes(16))


@pytest.mark.parametrize("mode", [Mode.ECB, Mode.CBC, Mode.CFB, Mode.OFB, Mode.CTR])
async def test_only_gcm_authenticates_additional_data(crypto: Cryptographer, mode: Mode) -> None:
    for run in (encrypt, decrypt):
        with pytest.raises(BadCryptographicParameters, match="additional data"):
            await run(
                crypto,
                aes(KEY_128),
                bytes(16),
                Parameters(block_cipher_mode=mode),
                iv=bytes(16),
                additional=b"x",
            )


async def test_a_mode_must_be_named(crypto: Cryptographer) -> None:
    with pytest.raises(BadCryptographicParameters, match="Block Cipher Mode"):
        await encrypt(crypto, aes(KEY_128), bytes(16), Parameters(), iv=bytes(16))


@pytest.mark.parametrize(
    "algorithm",
    [Algorithm.ARIA, Algorithm.TWOFISH, Algorithm.ECDSA, Algorithm.HMAC_SHA256, Algorithm.DES3],
)
async def test_other_algorithms_are_kept_but_not_used(crypto: Cryptographer, algorithm: Algorithm) -> None:
    key = block(KeyFormatType.RAW, bytes(16), algorithm=algorithm, length=128)
    with pytest.raises(UnsupportedCryptographicParameters):
        await encrypt(crypto, key, bytes(16), Parameters(block_cipher_mode=Mode.ECB))


async def test_parameters_for_another_algorithm_are_refused(crypto: Cryptographer) -> None:
    parameters = Parameters(block_cipher_mode=Mode.ECB, cryptographic_algorithm=Algorithm.DES3)
    with pytest.raises(BadCryptographicParameters, match="3DES"):
        await encrypt(crypto, aes(KEY_128), bytes(16), parameters)


async def test_a_key_of_unknown_algorithm_is_used_as_the_parameters_say(crypto: Cryptographer) -> None:
    key = block(KeyFormatType.RAW, bytes(16))
    named = Parameters(block_cipher_mode=Mode.ECB, cryptographic_algorithm=Algorithm.AES)
    assert len((await encrypt(crypto, key, bytes(16), named)).data) == 16
    with pytest.raises(BadCryptographicParameters, match="not known"):
        await encrypt(crypto, key, bytes(16), Parameters(block_cipher_mode=Mode.ECB))


async def test_a_key_in_a_form_that_hides_it_is_not_used(crypto: Cryptographer) -> None:
    parameters = Parameters(block_cipher_mode=Mode.ECB)
    opaque = block(KeyFormatType.OPAQUE, bytes(16), algorithm=Algorithm.AES, length=128)
    with pytest.raises(InvalidField, match="Opaque"):
        await encrypt(crypto, opaque, bytes(16), parameters)
    with pytest.raises(KeyValueNotPresent):
        await encrypt(crypto, opaque.replace(key_value=None), bytes(16), parameters)
    with pytest.raises(InvalidField, match="no keys of 5 bytes"):
        await encrypt(crypto, aes("0102030405"), bytes(16), parameters)


@pytest.mark.parametrize("padding", [Padding.PKCS5, Padding.ANSI_X9_23])
@pytest.mark.parametrize("more", [-17, -16, -1, 0, 1, 15, 16, 17])
def test_much_data_is_padded_as_little_is(padding: Padding, more: int) -> None:
    """Against parts that are short each: those go through the library as they are."""
    data = bytes(range(256)) * (MUCH // 256 + 1)
    data = data[: MUCH + more]
    parameters = Parameters(block_cipher_mode=Mode.CBC, padding_method=padding)
    scheme = ciphers.SCHEMES[Algorithm.AES][Mode.CBC]
    cipher = KeyedCipher(scheme, SecretBytes(bytes(16)), parameters, Leniencies())
    sealed = cipher.encrypt(data, bytes(16), None).data
    padder = (PKCS7(128) if padding is Padding.PKCS5 else ANSIX923(128)).padder()
    encryptor = Cipher(AES(bytes(16)), CBC(bytes(16))).encryptor()
    assert sealed == encryptor.update(b"".join((padder.update(data), padder.finalize())))
    assert cipher.decrypt(sealed, bytes(16), None, None) == data


@pytest.mark.parametrize(
    ("algorithm", "mode"), [(algorithm, mode) for algorithm, made in ciphers.SCHEMES.items() for mode in made]
)
@pytest.mark.parametrize("size", [64, 80_000])
def test_a_view_of_data_is_as_good_as_the_data(algorithm: Algorithm, mode: Mode | None, size: int) -> None:
    scheme = ciphers.SCHEMES[algorithm][mode]
    key, data = bytes(range(max(scheme.key_sizes))), bytes(range(256)) * size
    data = data[:size]
    padding = Padding.PKCS5 if scheme.padded else None
    iv = None if scheme.iv is None else bytes(scheme.iv.usual)
    cipher = KeyedCipher(scheme, SecretBytes(key), Parameters(padding_method=padding), Leniencies())
    try:
        made = cipher.encrypt(data, iv, None)
    except UnsupportedCryptographicParameters:
        pytest.skip("not in the library")
    assert cipher.encrypt(memoryview(data), iv, None) == made
    for sealed in (made.data, memoryview(made.data)):
        assert cipher.decrypt(sealed, iv, None, made.authentication_tag) == data
