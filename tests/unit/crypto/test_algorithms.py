"""Encrypt and Decrypt with every cipher: published vectors, at once and in parts."""

from typing import Any, NamedTuple

import pytest

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.crypto.encryption.ciphers import REFUSED_ALGORITHMS, SCHEMES
from strongroom.domain.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidField,
    KmipError,
    UnsupportedCryptographicParameters,
)
from strongroom.model.keys import KeyBlock
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import BlockCipherMode as Mode
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyFormatType, ResultReason
from strongroom.registry import PaddingMethod as Padding
from tests.unit.crypto.build import block, decrypt, encrypt


class Vector(NamedTuple):
    """A published case, in hexadecimal digits."""

    source: str
    algorithm: Algorithm
    mode: Mode | None
    key: str
    iv: str | None
    plain: str
    cipher: str
    additional: str | None = None
    tag: str | None = None
    counter: int | None = None

    @property
    def parameters(self) -> Parameters:
        return Parameters(
            block_cipher_mode=self.mode,
            tag_length=None if self.tag is None else len(self.tag) // 2,
            initial_counter_value=self.counter,
        )


SP_800_38_PLAIN = "6bc1bee22e409f96e93d7e117393172a"
SP_800_38_KEY = "2b7e151628aed2a6abf7158809cf4f3c"
COUNTING = "000102030405060708090a0b0c0d0e0f"
SM4_KEY = "0123456789abcdeffedcba9876543210"
SM4_PLAIN = "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffaaaaaaaabbbbbbbb"
SCHNEIER_KEY = "0123456789abcdeff0e1d2c3b4a59687"
SCHNEIER_PLAIN = "37363534333231204e6f77206973207468652074696d6520666f722000"
LADIES = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    b"sunscreen would be it."
).hex()

VECTORS = [
    Vector(
        "SP 800-38C example 3", Algorithm.AES, Mode.CCM, "404142434445464748494a4b4c4d4e4f",
        "101112131415161718191a1b", "202122232425262728292a2b2c2d2e2f3031323334353637",
        "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5",
        additional="000102030405060708090a0b0c0d0e0f10111213", tag="484392fbc1b09951",
    ),
    Vector(
        "NIST CAVS CCM-VADT128", Algorithm.AES, Mode.CCM, "d24a3d3dde8c84830280cb87abad0bb3",
        "f1100035bb24a8d26004e0e24b", "7c86135ed9c2a515aaae0e9a208133897269220f30870006",
        "1faeb0ee2ca2cd52f0aa3966578344f24e69b742c4ab37ab", tag="1123301219c70599b7c373ad4b3ad67b",
    ),
    Vector(
        "IEEE 1619 vector 2", Algorithm.AES, Mode.XTS, "11" * 16 + "22" * 16, "3333333333" + "00" * 11,
        "44" * 32, "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0",
    ),
    Vector(
        "NIST CAVS XTSGenAES256", Algorithm.AES, Mode.XTS,
        "ef010ca1a3663e32534349bc0bae62232a1573348568fb9ef41768a7674f507a"
        "727f98755397d0e0aa32f830338cc7a926c773f09e57b357cd156afbca46e1a0",
        "bb" + "00" * 15, "ed98e01770a853b49db9e6aaf88f0a41b9b56e91a5a2b11d40529254f5523e75",
        "ca20c55e8dc149687d2541de39c3df6300bb5a163c10ced3666b1357db8bd39d",
    ),
    Vector(
        "RFC 3394 §4.1", Algorithm.AES, Mode.NISTKEYWRAP, COUNTING, None,
        "00112233445566778899aabbccddeeff", "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5",
    ),
    Vector(
        "RFC 5649 §6", Algorithm.AES, Mode.AESKEYWRAPPADDING,
        "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", None,
        "c37b7e6492584340bed12207808941155068f738",
        "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
    ),
    Vector(
        "RFC 3713 128 bits", Algorithm.CAMELLIA, Mode.ECB, SM4_KEY, None, SM4_KEY,
        "67673138549669730857065648eabe43",
    ),
    Vector(
        "RFC 3713 192 bits", Algorithm.CAMELLIA, Mode.ECB, SM4_KEY + "0011223344556677", None, SM4_KEY,
        "b4993401b3e996f84ee5cee7d79b09b9",
    ),
    Vector(
        "RFC 3713 256 bits", Algorithm.CAMELLIA, Mode.ECB,
        SM4_KEY + "00112233445566778899aabbccddeeff", None, SM4_KEY, "9acc237dff16d76c20ef7c919e3a7509",
    ),
    Vector(
        "OpenSSL", Algorithm.CAMELLIA, Mode.CBC, SP_800_38_KEY, COUNTING, SP_800_38_PLAIN,
        "1607cf494b36bbf00daeb0b503c831ab",
    ),
    Vector(
        "OpenSSL", Algorithm.CAMELLIA, Mode.CFB, SP_800_38_KEY, COUNTING, SP_800_38_PLAIN,
        "14f7646187817eb586599146b82bd719",
    ),
    Vector(
        "OpenSSL", Algorithm.CAMELLIA, Mode.OFB, SP_800_38_KEY, COUNTING, SP_800_38_PLAIN,
        "14f7646187817eb586599146b82bd719",
    ),
    Vector(
        "GB/T 32907-2016", Algorithm.SM4, Mode.ECB, SM4_KEY, None, SM4_KEY,
        "681edf34d206965e86b3e94f536e4246",
    ),
    Vector(
        "draft-ribose-cfrg-sm4-10 A.2.2.1", Algorithm.SM4, Mode.CBC, SM4_KEY, COUNTING, SM4_PLAIN,
        "78ebb11cc40b0a48312aaeb2040244cb4cb7016951909226979b0d15dc6a8f6d",
    ),
    Vector(
        "draft-ribose-cfrg-sm4-10 A.2.4.1", Algorithm.SM4, Mode.CFB, SM4_KEY, COUNTING, SM4_PLAIN,
        "ac3236cb861dd316e6413b4e3c7524b769d4c54ed433b9a0346009beb37b2b3f",
    ),
    Vector(
        "draft-ribose-cfrg-sm4-10 A.2.3.1", Algorithm.SM4, Mode.OFB, SM4_KEY, COUNTING, SM4_PLAIN,
        "ac3236cb861dd316e6413b4e3c7524b71d01aca2487ca582cbf5463e6698539b",
    ),
    Vector(
        "draft-ribose-cfrg-sm4-10 A.2.5.1", Algorithm.SM4, Mode.CTR, SM4_KEY, COUNTING,
        "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb", "ac3236cb970cc20791364c395a1342d1",
    ),
    Vector(
        "RFC 8998 A.2", Algorithm.SM4, Mode.GCM, SM4_KEY, "00001234567800000000abcd",
        "".join(digit * 16 for digit in "abcdefea"),
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d",
        additional="feedfacedeadbeeffeedfacedeadbeefabaddad2", tag="83de3541e4c2b58177e065a9bf7b62ec",
    ),
    Vector(
        "RFC 8439 A.1 #1", Algorithm.CHACHA20, None, "00" * 32, "00" * 12, "00" * 64,
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
    ),
    Vector(
        "RFC 8439 A.1 #2", Algorithm.CHACHA20, None, "00" * 32, "00" * 12, "00" * 32,
        "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed", counter=1,
    ),
    Vector(
        "the same, in the counter of 64 bits", Algorithm.CHACHA20, None, "00" * 32, "00" * 8, "00" * 32,
        "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed", counter=1,
    ),
    Vector(
        "the same, as the library takes it", Algorithm.CHACHA20, None, "00" * 32, "01" + "00" * 15,
        "00" * 32, "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed",
    ),
    *(
        Vector(
            "RFC 8439 §2.8.2", Algorithm.CHACHA20POLY1305, mode,
            "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
            "070000004041424344454647", LADIES,
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
            "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
            "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
            "3ff4def08e4b7a9de576d26586cec64b6116",
            additional="50515253c0c1c2c3c4c5c6c7", tag=tag,
        )
        for mode in (None, Mode.AEAD)
        for tag in ("1ae10b594f09e26a7e902ecbd0600691", "1ae10b594f09e26a7e902ecb")
    ),
    Vector(
        "FIPS 81 (DES)", Algorithm.DES, Mode.ECB, "0123456789abcdef", None, "4e6f772069732074",
        "3fa40e8a984d4815",
    ),
    Vector(
        "NIST CAVS TECBMMT2", Algorithm.DES3, Mode.ECB, "ad192fd064b5579e7a4fb3c8f794f22a", None,
        "13bad542f3652d67", "908e543cf2cb254f",
    ),
    Vector(
        "NIST CAVS TCBCMMT3", Algorithm.DES3, Mode.CBC,
        "a49d7564199e97cb529d2c9d97bf2f98d35edf57ba1f7358", "c2e999cb6249023c",
        "c689aee38a301bb316da75db36f110b5", "e9afaba5ec75ea1bbe65506655bb4ecb",
    ),
    Vector(
        "NIST CAVS TCFB64MMT3", Algorithm.DES3, Mode.CFB,
        "cb37f85b32dfad768643cddae5a470d6f2cd94e3fbe508a4", "3def8dc845ee8345", "ee04103555f9f28b",
        "96ef9c65c761f30b",
    ),
    Vector(
        "NIST CAVS TOFBMMT3", Algorithm.DES3, Mode.OFB,
        "37b6375bf834a88adac74016f79b891af75175a4ad7f3d9e", "482945e59c624338", "775b80930a04a408",
        "85149a67b2167ede",
    ),
    Vector(
        "Schneier", Algorithm.BLOWFISH, Mode.ECB, "1111111111111111", None, "1111111111111111",
        "2466dd878b963c9d",
    ),
    Vector(
        "Schneier", Algorithm.BLOWFISH, Mode.CBC, SCHNEIER_KEY, "fedcba9876543210",
        SCHNEIER_PLAIN + "000000", "6b77b4d63006dee605b156e27403979358deb9e7154616d959f1652bd5ff92cc",
    ),
    Vector(
        "Schneier", Algorithm.BLOWFISH, Mode.CFB, SCHNEIER_KEY, "fedcba9876543210", SCHNEIER_PLAIN,
        "e73214a2822139caf26ecf6d2eb9e76e3da3de04d1517200519d57a6c3",
    ),
    Vector(
        "Schneier", Algorithm.BLOWFISH, Mode.OFB, SCHNEIER_KEY, "fedcba9876543210", SCHNEIER_PLAIN,
        "e73214a2822139ca62b343cc5b65587310dd908d0c241b2263c2cf80da",
    ),
    Vector(
        "RFC 2144 B.1", Algorithm.CAST5, Mode.ECB, "0123456712345678234567893456789a", None,
        "0123456789abcdef", "238b4fe5847e44b2",
    ),
    Vector(
        "RFC 2144 B.1", Algorithm.CAST5, Mode.ECB, "0123456712", None, "0123456789abcdef",
        "7ac816d16e9b302e",
    ),
    Vector(
        "NESSIE", Algorithm.IDEA, Mode.ECB, "80" + "00" * 15, None, "00" * 8, "b1f5f7f87901370f"
    ),
    Vector(
        "pyca/cryptography", Algorithm.IDEA, Mode.CBC, "1f8e4973953f3fb0bd6b16662e9a3c17",
        "2fe2b333ceda8f98", "45cf12964fc824ab76616ae2f4bf0822", "2cb10d22ac22a375c0021ab6732936c1",
    ),
    Vector(
        "RFC 4269 B.1", Algorithm.SEED, Mode.ECB, "00" * 16, None, COUNTING,
        "5ebac6e0054e166819aff1cc6d346cdb",
    ),
    Vector(
        "RFC 4196", Algorithm.SEED, Mode.CBC, "ed2401ad22fa255991bafdb01fefd697",
        "93eb149f92c9905bae5cd34da06c3c8e",
        "b40d7003d9b6904b35622750c91a24575bb9a632364aa26e3ac0cf3a9c9d0dcb",
        "f072c5b1a0588c105af8301adcd91dd067f6822155304bf3aad75ceb44341c25",
    ),
    Vector(
        "pyca/cryptography", Algorithm.RC2, Mode.CBC, "30" * 16, "30" * 8,
        "74686520717569636b2062726f776e20666f78206a756d706564206f76657220"
        "746865206c617a7920646f6721212121",
        "5b886175cdbb0161badf64936b8ee4cb8f4b75fc28833f61668bb2bea88cfd32"
        "c410ac7ec016c5028f75078a88968887",
    ),
    Vector(
        "RFC 6229", Algorithm.RC4, None, "0102030405", None, "00" * 16, "b2396305f03dc027ccc3524a0a1118a8"
    ),
]  # fmt: skip


def _title(vector: Vector) -> str:
    mode = "" if vector.mode is None else f" {vector.mode.name}"
    return f"{vector.algorithm.name}{mode} {len(vector.key) * 4} {vector.source}"


def key_of(algorithm: Algorithm, material: bytes) -> KeyBlock:
    return block(KeyFormatType.RAW, material, algorithm=algorithm, length=len(material) * 8)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


@pytest.mark.parametrize("vector", VECTORS, ids=_title)
async def test_a_published_vector_comes_out(crypto: Cryptographer, vector: Vector) -> None:
    key = key_of(vector.algorithm, bytes.fromhex(vector.key))
    given: dict[str, Any] = {"iv": _bytes(vector.iv), "additional": _bytes(vector.additional), "legacy": True}
    made = await encrypt(crypto, key, bytes.fromhex(vector.plain), vector.parameters, **given)
    assert made.data.hex() == vector.cipher
    assert made.authentication_tag == _bytes(vector.tag)
    tag = _bytes(vector.tag)
    plain = await decrypt(crypto, key, made.data, vector.parameters, tag=tag, **given)
    assert plain.hex() == vector.plain


@pytest.mark.parametrize("vector", VECTORS, ids=_title)
@pytest.mark.parametrize("size", [1, 7, 16])
async def test_parts_of_any_size_give_the_published_vector(
    crypto: Cryptographer, vector: Vector, size: int
) -> None:
    key, plain = key_of(vector.algorithm, bytes.fromhex(vector.key)), bytes.fromhex(vector.plain)
    given: dict[str, Any] = {
        "iv_counter_nonce": _bytes(vector.iv),
        "additional_data": _bytes(vector.additional),
        "legacy": True,
    }
    encryption = await crypto.begin_encryption(key, vector.parameters, **given)
    sealed = b""
    for start in range(0, len(plain), size):
        sealed += (await encryption.update(SecretBytes(plain[start : start + size]))).data
    last = await encryption.finish(SecretBytes(b""))
    assert (sealed + last.data).hex() == vector.cipher
    assert last.authentication_tag == _bytes(vector.tag)
    decryption = await crypto.begin_decryption(key, vector.parameters, authentication_tag=None, **given)
    sealed, opened = sealed + last.data, b""
    for start in range(0, len(sealed), size):
        opened += (await decryption.update(sealed[start : start + size])).reveal()
    if vector.tag is not None:
        assert opened == b"", "nothing is given out that the tag has yet to prove"
    end = await decryption.finish(b"", authentication_tag=last.authentication_tag)
    assert opened + end.reveal() == plain


def test_every_algorithm_and_mode_has_a_vector_or_is_the_same_code_as_one_that_has() -> None:
    have = {(vector.algorithm, vector.mode) for vector in VECTORS}
    modes_of_block_ciphers = {Mode.ECB, Mode.CBC, Mode.CFB, Mode.OFB}
    for algorithm, schemes in SCHEMES.items():
        assert any(known is algorithm for known, _ in have) or algorithm is Algorithm.AES
        for mode in schemes:
            elsewhere = algorithm is Algorithm.AES and mode in modes_of_block_ciphers | {Mode.CTR, Mode.GCM}
            assert (algorithm, mode) in have or mode in modes_of_block_ciphers or elsewhere


ALL = [(algorithm, mode) for algorithm, schemes in SCHEMES.items() for mode in schemes]


@pytest.mark.parametrize(("algorithm", "mode"), ALL)
async def test_a_random_iv_serves_every_cipher_that_has_one(
    crypto: Cryptographer, algorithm: Algorithm, mode: Mode | None
) -> None:
    scheme = SCHEMES[algorithm][mode]
    key = key_of(algorithm, bytes(range(max(scheme.key_sizes))))
    parameters = Parameters(block_cipher_mode=mode, random_iv=True)
    made = await encrypt(crypto, key, b"a secret of 32 bytes in 4 blocks", parameters, legacy=True)
    assert (made.iv_counter_nonce is None) is (scheme.iv is None)
    assert (made.authentication_tag is None) is (not scheme.tags)
    opened = await decrypt(
        crypto,
        key,
        made.data,
        parameters,
        iv=made.iv_counter_nonce,
        tag=made.authentication_tag,
        legacy=True,
    )
    assert opened == b"a secret of 32 bytes in 4 blocks"


LEGACY = [
    Algorithm.DES,
    Algorithm.DES3,
    Algorithm.BLOWFISH,
    Algorithm.CAST5,
    Algorithm.IDEA,
    Algorithm.SEED,
    Algorithm.RC2,
    Algorithm.RC4,
]


async def test_legacy_ciphers_need_the_policy_and_the_refusal_names_it(crypto: Cryptographer) -> None:
    found = [a for a, schemes in SCHEMES.items() if any(s.legacy for s in schemes.values())]
    assert set(found) == set(LEGACY)
    for algorithm in LEGACY:
        mode = next(iter(SCHEMES[algorithm]))
        for run in (encrypt, decrypt):
            with pytest.raises(UnsupportedCryptographicParameters, match=r'legacy = "on" in the \[policy\]'):
                await run(crypto, key_of(algorithm, bytes(16)), bytes(8), Parameters(block_cipher_mode=mode))


@pytest.mark.parametrize("algorithm", sorted(REFUSED_ALGORITHMS))
async def test_what_encrypts_nothing_is_refused(crypto: Cryptographer, algorithm: Algorithm) -> None:
    with pytest.raises(UnsupportedCryptographicParameters):
        await encrypt(crypto, key_of(algorithm, bytes(16)), bytes(16), Parameters(block_cipher_mode=Mode.ECB))


@pytest.mark.parametrize(("algorithm", "mode"), ALL)
async def test_a_key_of_the_wrong_size_is_refused(
    crypto: Cryptographer, algorithm: Algorithm, mode: Mode | None
) -> None:
    scheme = SCHEMES[algorithm][mode]
    size = next(n for n in (3, 1) if n not in scheme.key_sizes)
    with pytest.raises(InvalidField, match=f"no keys of {size} bytes"):
        await encrypt(
            crypto,
            key_of(algorithm, bytes(size)),
            bytes(16),
            Parameters(block_cipher_mode=mode, random_iv=True),
            legacy=True,
        )


async def test_a_key_of_xts_is_used_in_no_other_mode(crypto: Cryptographer) -> None:
    key = key_of(Algorithm.AES, bytes(range(64)))
    with pytest.raises(InvalidField, match="no keys of 64 bytes"):
        await encrypt(crypto, key, bytes(16), Parameters(block_cipher_mode=Mode.ECB))


@pytest.mark.parametrize(
    ("mode", "size"),
    [(Mode.XTS, 15), (Mode.NISTKEYWRAP, 8), (Mode.NISTKEYWRAP, 17), (Mode.AESKEYWRAPPADDING, 0)],
)
async def test_data_of_a_size_that_the_mode_does_not_take_is_refused(
    crypto: Cryptographer, mode: Mode, size: int
) -> None:
    parameters = Parameters(block_cipher_mode=mode, random_iv=True)
    with pytest.raises(BadCryptographicParameters):
        await encrypt(crypto, key_of(Algorithm.AES, bytes(range(32))), bytes(size), parameters)


async def test_xts_with_one_key_twice_is_refused(crypto: Cryptographer) -> None:
    """NIST SP 800-38E and FIPS 140: the two keys differ."""
    parameters = Parameters(block_cipher_mode=Mode.XTS, random_iv=True)
    with pytest.raises(BadCryptographicParameters, match="halves"):
        await encrypt(crypto, key_of(Algorithm.AES, bytes(32)), bytes(32), parameters)


TAGGED = [
    (Algorithm.AES, Mode.CCM),
    (Algorithm.AES, Mode.GCM),
    (Algorithm.SM4, Mode.GCM),
    (Algorithm.CHACHA20POLY1305, Mode.AEAD),
]


@pytest.mark.parametrize(("algorithm", "mode"), TAGGED)
@pytest.mark.parametrize("tag_length", [12, 16])
@pytest.mark.parametrize("wrong", ["data", "iv", "additional", "tag", "length of the tag"])
async def test_a_tag_notices_any_change(
    crypto: Cryptographer, algorithm: Algorithm, mode: Mode, tag_length: int, wrong: str
) -> None:
    key = key_of(algorithm, bytes(range(max(SCHEMES[algorithm][mode].key_sizes))))
    parameters = Parameters(block_cipher_mode=mode, tag_length=tag_length)
    made = await encrypt(crypto, key, b"data", parameters, iv=bytes(12), additional=b"more")
    tag = made.authentication_tag
    assert tag is not None
    assert len(tag) == tag_length
    tags = {"tag": bytes(tag_length), "length of the tag": tag[:8]}
    with pytest.raises(CryptographicFailure, match=r"^the data cannot be decrypted$"):
        await decrypt(
            crypto,
            key,
            b"dbta" if wrong == "data" else made.data,
            parameters,
            iv=b"\1" * 12 if wrong == "iv" else bytes(12),
            additional=None if wrong == "additional" else b"more",
            tag=tags.get(wrong, tag),
        )


@pytest.mark.parametrize(("algorithm", "mode"), TAGGED)
@pytest.mark.parametrize("length", [0, 1, 4, 17, 32])
async def test_a_tag_length_that_is_not_made_is_a_general_failure(
    crypto: Cryptographer, algorithm: Algorithm, mode: Mode, length: int
) -> None:
    key = key_of(algorithm, bytes(min(SCHEMES[algorithm][mode].key_sizes)))
    parameters = Parameters(block_cipher_mode=mode, tag_length=length, random_iv=True)
    with pytest.raises(KmipError) as caught:
        await encrypt(crypto, key, b"data", parameters)
    assert caught.value.reason is ResultReason.GENERAL_FAILURE


@pytest.mark.parametrize("mode", [Mode.NISTKEYWRAP, Mode.AESKEYWRAPPADDING])
async def test_a_wrapped_key_that_was_changed_is_not_unwrapped(crypto: Cryptographer, mode: Mode) -> None:
    key, parameters = key_of(Algorithm.AES, bytes(32)), Parameters(block_cipher_mode=mode)
    made = await encrypt(crypto, key, bytes(32), parameters)
    for data in (made.data[:-1] + b"\0", made.data[:-8], made.data[:-1], b""):
        with pytest.raises(CryptographicFailure, match=r"^the data cannot be decrypted$"):
            await decrypt(crypto, key, data, parameters)


@pytest.mark.parametrize(
    ("algorithm", "mode", "given"),
    [
        (Algorithm.CHACHA20, Mode.CBC, {"iv": bytes(12)}),
        (Algorithm.AES, None, {"iv": bytes(16)}),
        (Algorithm.AES, Mode.NISTKEYWRAP, {"iv": bytes(8)}),
        (Algorithm.AES, Mode.XTS, {"iv": bytes(16), "additional": b"x"}),
        (Algorithm.CHACHA20, None, {"iv": bytes(12), "additional": b"x"}),
    ],
)
async def test_what_does_not_belong_to_the_cipher_is_refused(
    crypto: Cryptographer, algorithm: Algorithm, mode: Mode | None, given: dict[str, Any]
) -> None:
    key = key_of(algorithm, bytes(range(32)))
    with pytest.raises(BadCryptographicParameters):
        await encrypt(crypto, key, bytes(32), Parameters(block_cipher_mode=mode), **given)


@pytest.mark.parametrize(
    ("iv", "parameters", "size"),
    [
        (bytes(12), Parameters(initial_counter_value=0x7FFFFFFF, counter_length=64), 1),
        (bytes(12), Parameters(initial_counter_value=-1), 1),
        (bytes(16), Parameters(initial_counter_value=1), 1),
        (bytes(16), Parameters(counter_length=32), 1),
        (b"\xff\xff\xff\xff" + bytes(12), Parameters(), 65),
    ],
)
async def test_a_counter_of_chacha20_that_does_not_add_up_is_refused(
    crypto: Cryptographer, iv: bytes, parameters: Parameters, size: int
) -> None:
    with pytest.raises(BadCryptographicParameters):
        await encrypt(crypto, key_of(Algorithm.CHACHA20, bytes(32)), bytes(size), parameters, iv=iv)


async def test_a_stream_of_ctr_stops_where_the_counter_would_run_into_the_nonce(
    crypto: Cryptographer,
) -> None:
    parameters = Parameters(block_cipher_mode=Mode.CTR, initial_counter_value=0)
    encryption = await crypto.begin_encryption(
        key_of(Algorithm.AES, bytes(16)),
        parameters,
        iv_counter_nonce=bytes(15),
        additional_data=None,
        legacy=False,
    )
    await encryption.update(SecretBytes(bytes(256 * 16)))
    with pytest.raises(BadCryptographicParameters, match="4096 bytes"):
        await encryption.update(SecretBytes(b"x"))


@pytest.mark.parametrize("padding", [Padding.PKCS5, Padding.ANSI_X9_23])
@pytest.mark.parametrize("algorithm", [Algorithm.DES3, Algorithm.SM4])
@pytest.mark.parametrize("size", [0, 7, 8, 16])
async def test_padding_fills_blocks_of_any_length(
    crypto: Cryptographer, algorithm: Algorithm, padding: Padding, size: int
) -> None:
    key, unit = key_of(algorithm, bytes(range(16))), 8 if algorithm is Algorithm.DES3 else 16
    parameters = Parameters(block_cipher_mode=Mode.ECB, padding_method=padding)
    made = await encrypt(crypto, key, bytes(size), parameters, legacy=True)
    assert len(made.data) == (size // unit + 1) * unit
    assert await decrypt(crypto, key, made.data, parameters, legacy=True) == bytes(size)
