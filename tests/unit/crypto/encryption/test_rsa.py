"""Encrypt and Decrypt with RSA."""

import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import PrivateFormat, load_der_private_key

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.crypto.encryption.rsa import REFUSED_HASHES, REFUSED_PADDINGS
from strongroom.domain.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidField,
    KeyValueNotPresent,
    UnsupportedCryptographicParameters,
)
from strongroom.model.keys import KeyBlock
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import CryptographicAlgorithm, KeyFormatType
from strongroom.registry import HashingAlgorithm as Hashing
from strongroom.registry import PaddingMethod as Padding
from tests.unit.crypto.build import Pairs, block, decrypt, der, encrypt, spki

OAEP = Parameters(padding_method=Padding.OAEP)
PKCS1 = Parameters(padding_method=Padding.PKCS1_V1_5)
HASHES = sorted(set(Hashing) - REFUSED_HASHES)

# The first example of each file of test vectors that RSA Laboratories published with PKCS#1.
PRIME_1 = (
    "d32737e7267ffe1341b2d5c0d150a81b586fb3132bed2f8d5262864a9cb9f30a"
    "f38be448598d413a172efb802c21acf1c11c520c2f26a471dcad212eac7ca39d"
)
PRIME_2 = (
    "cc8853d1d54da630fac004f471f281c7b8982d8224a490edbeb33d3e3d5cc93c"
    "4765703d1dd791642f1f116a0dd852be2419b2af72bfe9a030e860b0288b5d77"
)
MESSAGE = bytes.fromhex("6628194e12073db03ba94cda9ef9532397d50dba79b987004afefe34")
PUBLISHED = {
    "OAEP 1.1": (
        OAEP,
        "354fe67b4a126d5d35fe36c777791a3f7ba13def484e2d3908aff722fad468fb"
        "21696de95d0be911c2d3174f8afcc201035f7b6d8e69402de5451618c21a535f"
        "a9d7bfc5b8dd9fc243f8cf927db31322d6e881eaa91a996170e657a05a266426"
        "d98c88003f8477c1227094a0d9fa1e8c4024309ce1ecccb5210035d47ac72e8a",
    ),
    "PKCS#1 v1.5 1.1": (
        PKCS1,
        "50b4c14136bd198c2f3c3ed243fce036e168d56517984a263cd66492b80804f1"
        "69d210f2b9bdfb48b12f9ea05009c77da257cc600ccefe3a6283789d8ea0e607"
        "ac58e2690ec4ebc10146e8cbaa5ed4d5cce6fe7b0ff9efc1eabb564dbf498285"
        "f449ee61dd7b42ee5b5892cb90601f30cda07bf26489310bcd23b528ceab3c31",
    ),
}


def private_block(key: rsa.RSAPrivateKey) -> KeyBlock:
    return block(KeyFormatType.PKCS_8, der(key), algorithm=CryptographicAlgorithm.RSA)


def public_block(key: rsa.RSAPrivateKey) -> KeyBlock:
    return block(KeyFormatType.X_509, spki(key), algorithm=CryptographicAlgorithm.RSA)


@pytest.fixture
def key(pairs: Pairs) -> rsa.RSAPrivateKey:
    found = pairs["rsa"]
    assert isinstance(found, rsa.RSAPrivateKey)
    return found


@pytest.mark.parametrize(("parameters", "sealed"), PUBLISHED.values(), ids=PUBLISHED)
async def test_a_published_ciphertext_is_decrypted(
    crypto: Cryptographer, parameters: Parameters, sealed: str
) -> None:
    e, p, q = 65537, int(PRIME_1, 16), int(PRIME_2, 16)
    d = rsa.rsa_recover_private_exponent(e, p, q)
    numbers = rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=d % (p - 1),
        dmq1=d % (q - 1),
        iqmp=pow(q, -1, p),
        public_numbers=rsa.RSAPublicNumbers(e, p * q),
    )
    found = await decrypt(crypto, private_block(numbers.private_key()), bytes.fromhex(sealed), parameters)
    assert found == MESSAGE


@pytest.mark.parametrize(("hashing", "masking"), list(itertools.product(HASHES, HASHES)))
@pytest.mark.parametrize("label", [None, b"", b"label"])
async def test_oaep_takes_each_hash_mask_generator_hash_and_label(
    crypto: Cryptographer, key: rsa.RSAPrivateKey, hashing: Hashing, masking: Hashing, label: bytes | None
) -> None:
    parameters = OAEP.replace(
        hashing_algorithm=hashing, mask_generator_hashing_algorithm=masking, p_source=label
    )
    made = await encrypt(crypto, public_block(key), MESSAGE, parameters)
    assert made.data != (await encrypt(crypto, public_block(key), MESSAGE, parameters)).data
    assert made.iv_counter_nonce is None
    assert made.authentication_tag is None
    assert await decrypt(crypto, private_block(key), made.data, parameters) == MESSAGE
    other = parameters.replace(p_source=b"another label")
    with pytest.raises(CryptographicFailure):
        await decrypt(crypto, private_block(key), made.data, other)


@pytest.mark.parametrize(
    ("parameters", "hashing", "masking"),
    [
        (OAEP, SHA1(), SHA1()),
        (OAEP.replace(hashing_algorithm=Hashing.SHA_256), SHA256(), SHA1()),
    ],
)
async def test_what_the_parameters_leave_out_is_sha_1(
    crypto: Cryptographer,
    key: rsa.RSAPrivateKey,
    parameters: Parameters,
    hashing: HashAlgorithm,
    masking: HashAlgorithm,
) -> None:
    """KMIP 2.1 §4.16 for the mask generator, PKCS#1 A.2.1 for the hash."""
    made = await encrypt(crypto, public_block(key), MESSAGE, parameters)
    library = padding.OAEP(mgf=padding.MGF1(masking), algorithm=hashing, label=None)
    assert key.decrypt(made.data, library) == MESSAGE


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257])
async def test_a_ciphertext_that_is_none_has_one_failure(
    crypto: Cryptographer, key: rsa.RSAPrivateKey, size: int
) -> None:
    with pytest.raises(CryptographicFailure, match=r"^the data cannot be decrypted$"):
        await decrypt(crypto, private_block(key), bytes([1] * size), OAEP)


async def test_a_wrong_padding_of_pkcs_1_gives_noise_and_no_error(
    crypto: Cryptographer, key: rsa.RSAPrivateKey
) -> None:
    """faults 25. Implicit rejection: who can tell decrypts what is not theirs (Bleichenbacher)."""
    numbers = key.public_key().public_numbers()
    wrong = pow(3, numbers.e, numbers.n).to_bytes(256, "big")
    first = await decrypt(crypto, private_block(key), wrong, PKCS1)
    assert first == await decrypt(crypto, private_block(key), wrong, PKCS1)
    assert len(first) <= 256 - 11


@pytest.mark.parametrize(("parameters", "most"), [(OAEP, 256 - 42), (PKCS1, 256 - 11)])
async def test_data_may_be_as_long_as_the_padding_leaves_room(
    crypto: Cryptographer, key: rsa.RSAPrivateKey, parameters: Parameters, most: int
) -> None:
    made = await encrypt(crypto, public_block(key), bytes(most), parameters)
    assert await decrypt(crypto, private_block(key), made.data, parameters) == bytes(most)
    with pytest.raises(BadCryptographicParameters, match="too many"):
        await encrypt(crypto, public_block(key), bytes(most + 1), parameters)


@pytest.mark.parametrize("method", sorted(REFUSED_PADDINGS))
async def test_other_paddings_are_refused(
    crypto: Cryptographer, key: rsa.RSAPrivateKey, method: Padding
) -> None:
    with pytest.raises(UnsupportedCryptographicParameters):
        await encrypt(crypto, public_block(key), MESSAGE, Parameters(padding_method=method))


@pytest.mark.parametrize("hashing", sorted(REFUSED_HASHES))
async def test_other_hash_functions_are_refused(
    crypto: Cryptographer, key: rsa.RSAPrivateKey, hashing: Hashing
) -> None:
    for parameters in (
        OAEP.replace(hashing_algorithm=hashing),
        OAEP.replace(mask_generator_hashing_algorithm=hashing),
    ):
        with pytest.raises(UnsupportedCryptographicParameters):
            await decrypt(crypto, private_block(key), bytes(256), parameters)


async def test_a_padding_must_be_named(crypto: Cryptographer, key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(BadCryptographicParameters, match="Padding Method"):
        await encrypt(crypto, public_block(key), MESSAGE, Parameters())


async def test_what_rsa_does_not_take_is_refused(crypto: Cryptographer, key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(BadCryptographicParameters, match="neither IV"):
        await encrypt(crypto, public_block(key), MESSAGE, OAEP, iv=bytes(16))
    with pytest.raises(BadCryptographicParameters, match="neither IV"):
        await decrypt(crypto, private_block(key), bytes(256), OAEP, additional=b"x")


async def test_each_half_does_its_own_part(crypto: Cryptographer, key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(InvalidField, match="to encrypt"):
        await encrypt(crypto, private_block(key), MESSAGE, OAEP)
    with pytest.raises(InvalidField, match="to decrypt"):
        await decrypt(crypto, public_block(key), bytes(256), OAEP)
    pkcs1 = block(
        KeyFormatType.PKCS_1,
        der(key, PrivateFormat.TraditionalOpenSSL),
        algorithm=CryptographicAlgorithm.RSA,
    )
    made = await encrypt(crypto, public_block(key), MESSAGE, OAEP)
    assert await decrypt(crypto, pkcs1, made.data, OAEP) == MESSAGE
    with pytest.raises(InvalidField):
        await encrypt(crypto, pkcs1, MESSAGE, OAEP)
    with pytest.raises(KeyValueNotPresent):
        await decrypt(crypto, private_block(key).replace(key_value=None), made.data, OAEP)


async def test_a_key_of_another_kind_is_refused(crypto: Cryptographer, pairs: Pairs) -> None:
    other = load_der_private_key(der(pairs["p256"]), None)
    named = CryptographicAlgorithm.RSA
    with pytest.raises(InvalidField, match="not an RSA public key"):
        await encrypt(crypto, block(KeyFormatType.X_509, spki(other), algorithm=named), MESSAGE, OAEP)
    with pytest.raises(InvalidField, match="not an RSA private key"):
        await decrypt(crypto, block(KeyFormatType.PKCS_8, der(other), algorithm=named), bytes(256), OAEP)


async def test_data_in_parts_is_encrypted_at_the_end(crypto: Cryptographer, key: rsa.RSAPrivateKey) -> None:
    given = {"iv_counter_nonce": None, "additional_data": None}
    encryption = await crypto.begin_encryption(public_block(key), OAEP, **given, legacy=False)
    assert (await encryption.update(SecretBytes(MESSAGE[:5]))).data == b""
    sealed = (await encryption.finish(SecretBytes(MESSAGE[5:]))).data
    decryption = await crypto.begin_decryption(
        private_block(key), OAEP, **given, authentication_tag=None, legacy=False
    )
    assert (await decryption.update(sealed[:100])).reveal() == b""
    assert decryption.held == 100
    assert (await decryption.finish(sealed[100:], authentication_tag=None)).reveal() == MESSAGE
