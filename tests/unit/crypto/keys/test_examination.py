"""What keys tell when they are registered."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.crypto.keys.material import FORMATS
from strongroom.domain.crypto import ObjectFacts
from strongroom.domain.errors import InvalidField
from strongroom.model.keys import (
    TransparentKey,
    TransparentSymmetricKey,
)
from strongroom.model.objects import (
    DeviceCredential,
    OpaqueObject,
    PGPKey,
    PrivateKey,
    PublicKey,
    SplitKey,
    SymmetricKey,
)
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicDomainParameters, KeyWrappingData
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyFormatType as Format
from strongroom.registry import RecommendedCurve as Curve
from strongroom.registry import SplitKeyMethod, WrappingMethod
from tests.unit.crypto.build import Pairs, block, der, domain, private, public, secret, spki, symmetric, told

VENDOR_TYPE: Any = 0x80000001
"""The specification defines no Opaque Data Type, only extensions."""


@pytest.mark.parametrize(
    ("algorithm", "length", "size"),
    [
        (Algorithm.AES, 256, 32),
        (Algorithm.DES3, 168, 24),
        (Algorithm.DES3, 192, 24),
        (Algorithm.DES3, 112, 16),
        (Algorithm.SKIPJACK, 80, 10),
        (Algorithm.HMAC_SHA256, 8, 1),
        (0x80000001, 40, 5),
    ],
)
@pytest.mark.parametrize("key_format", [Format.RAW, Format.TRANSPARENT_SYMMETRIC_KEY])
async def test_a_true_declaration_is_kept(
    crypto: Cryptographer, key_format: Format, algorithm: Algorithm, length: int, size: int
) -> None:
    material: bytes | TransparentKey = bytes(size)
    if key_format is not Format.RAW:
        material = TransparentSymmetricKey(key=SecretBytes(bytes(size)))
    facts = await crypto.examine(symmetric(key_format, material, algorithm=algorithm, length=length))
    assert told(facts) == (algorithm, length)


async def test_what_the_key_block_leaves_out_comes_from_the_attributes(crypto: Cryptographer) -> None:
    facts = await crypto.examine(symmetric(Format.RAW, bytes(16)), algorithm=Algorithm.AES, length=128)
    assert told(facts) == (Algorithm.AES, 128)


async def test_an_undeclared_length_follows_from_the_material(crypto: Cryptographer) -> None:
    facts = await crypto.examine(symmetric(Format.RAW, bytes(24), algorithm=Algorithm.DES3))
    assert told(facts) == (Algorithm.DES3, 168)
    assert told(await crypto.examine(symmetric(Format.RAW, bytes(5)))) == (None, 40)


@pytest.mark.parametrize(
    ("algorithm", "length", "size"),
    [
        pytest.param(Algorithm.AES, 256, 16, id="shorter than declared"),
        pytest.param(Algorithm.AES, 128, 32, id="longer than declared"),
        pytest.param(Algorithm.AES, 16, 16, id="length in bytes"),
        pytest.param(Algorithm.AES, None, 17, id="no such AES key"),
        pytest.param(Algorithm.DES3, 112, 24, id="two keys declared, three sent"),
        pytest.param(Algorithm.RSA, 128, 16, id="asymmetric algorithm"),
        pytest.param(Algorithm.SHA3_256, 256, 32, id="hash function"),
        pytest.param(None, 256, 16, id="no algorithm, wrong length"),
        pytest.param(0x80000001, 41, 5, id="algorithm of a vendor, wrong length"),
        pytest.param(Algorithm.AES, -128, 16, id="negative length"),
        pytest.param(Algorithm.AES, None, 0, id="nothing"),
    ],
)
async def test_a_false_declaration_of_a_symmetric_key_is_refused(
    crypto: Cryptographer, algorithm: Algorithm | None, length: int | None, size: int
) -> None:
    with pytest.raises(InvalidField):
        await crypto.examine(symmetric(Format.RAW, bytes(size), algorithm=algorithm, length=length))
    with pytest.raises(InvalidField):
        await crypto.examine(symmetric(Format.RAW, bytes(size)), algorithm=algorithm, length=length)


async def test_two_declarations_must_agree(crypto: Cryptographer, pairs: Pairs) -> None:
    key = symmetric(Format.RAW, bytes(16), algorithm=Algorithm.AES, length=128)
    with pytest.raises(InvalidField, match="Cryptographic Algorithm"):
        await crypto.examine(key, algorithm=Algorithm.CAMELLIA)
    with pytest.raises(InvalidField, match="Cryptographic Length"):
        await crypto.examine(key, length=256)
    elliptic = private(Format.PKCS_8, der(pairs["p256"]), algorithm=Algorithm.ECDSA, length=256)
    assert told(await crypto.examine(elliptic, algorithm=Algorithm.EC)) == (Algorithm.ECDSA, 256)


@pytest.mark.parametrize(
    ("name", "algorithm", "length", "parameters"),
    [
        ("rsa", Algorithm.RSA, 2048, None),
        ("p256", Algorithm.EC, 256, CryptographicDomainParameters(recommended_curve=Curve.P_256)),
        ("p521", Algorithm.EC, 521, CryptographicDomainParameters(recommended_curve=Curve.P_521)),
        ("secp256k1", Algorithm.EC, 256, CryptographicDomainParameters(recommended_curve=Curve.SECP256K1)),
        ("dsa", Algorithm.DSA, 1024, CryptographicDomainParameters(qlength=160)),
        ("ed25519", Algorithm.ED25519, 256, None),
        ("x25519", Algorithm.ECDH, 256, CryptographicDomainParameters(recommended_curve=Curve.CURVE25519)),
    ],
)
async def test_der_tells_algorithm_length_and_domain(
    crypto: Cryptographer,
    pairs: Pairs,
    name: str,
    algorithm: Algorithm,
    length: int,
    parameters: CryptographicDomainParameters | None,
) -> None:
    for value in (
        private(Format.PKCS_8, der(pairs[name])),
        public(Format.X_509, spki(pairs[name])),
        private(Format.PKCS_8, der(pairs[name]), algorithm=algorithm, length=length),
    ):
        facts = await crypto.examine(value)
        assert told(facts) == (algorithm, length)
        assert domain(facts) == parameters


@pytest.mark.parametrize("algorithm", [Algorithm.EC, Algorithm.ECDSA, Algorithm.ECDH, Algorithm.ECMQV])
async def test_an_elliptic_key_may_be_called_by_its_purpose(
    crypto: Cryptographer, pairs: Pairs, algorithm: Algorithm
) -> None:
    key = public(Format.X_509, spki(pairs["p256"]), algorithm=algorithm, length=256)
    assert told(await crypto.examine(key)) == (algorithm, 256)


@pytest.mark.parametrize(
    ("name", "algorithm", "length"),
    [
        ("rsa", Algorithm.EC, 2048),
        ("rsa", Algorithm.RSA, 1024),
        ("rsa", Algorithm.AES, 2048),
        ("p256", Algorithm.RSA, 256),
        ("p256", Algorithm.ECDSA, 384),
        ("ed25519", Algorithm.ECDSA, 256),
    ],
)
async def test_a_false_declaration_of_a_pair_is_refused(
    crypto: Cryptographer, pairs: Pairs, name: str, algorithm: Algorithm, length: int
) -> None:
    for value in (
        private(Format.PKCS_8, der(pairs[name]), algorithm=algorithm, length=length),
        public(Format.X_509, spki(pairs[name]), algorithm=algorithm, length=length),
    ):
        with pytest.raises(InvalidField, match="says"):
            await crypto.examine(value)


async def test_an_encrypted_pkcs_8_key_is_stored_on_the_clients_word(
    crypto: Cryptographer, pairs: Pairs
) -> None:
    """KMIP 1.4 §2.1.3: PKCS#8 includes EncryptedPrivateKey; OASIS TC-ECC-2 registers one."""
    sealed = pairs["p256"].private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
    )
    facts = await crypto.examine(private(Format.PKCS_8, sealed, algorithm=Algorithm.ECDSA, length=256))
    assert told(facts) == (Algorithm.ECDSA, 256)


@pytest.mark.parametrize(
    ("labelled", "form"),
    [(Format.PKCS_1, PrivateFormat.PKCS8), (Format.PKCS_8, PrivateFormat.TraditionalOpenSSL)],
)
async def test_a_mislabelled_format_is_refused(
    crypto: Cryptographer, pairs: Pairs, labelled: Format, form: PrivateFormat
) -> None:
    with pytest.raises(InvalidField, match="Key Format Type says"):
        await crypto.examine(private(labelled, der(pairs["rsa"], form)))


async def test_a_key_of_another_kind_than_the_format_holds_is_refused(
    crypto: Cryptographer, pairs: Pairs
) -> None:
    for value in (
        private(Format.PKCS_1, der(pairs["p256"], PrivateFormat.TraditionalOpenSSL)),
        private(Format.ECPRIVATEKEY, der(pairs["rsa"], PrivateFormat.TraditionalOpenSSL)),
        public(Format.PKCS_1, spki(pairs["p256"])),
    ):
        with pytest.raises(InvalidField, match="not a key in format"):
            await crypto.examine(value)


@pytest.mark.parametrize("key_format", [Format.OPAQUE, Format.PKCS_12, 0x80000001])
async def test_material_that_cannot_be_read_is_stored_on_the_clients_word(
    crypto: Cryptographer, key_format: Format
) -> None:
    key = private(key_format, b"whatever", algorithm=Algorithm.RSA, length=2048)
    assert told(await crypto.examine(key)) == (Algorithm.RSA, 2048)
    assert told(await crypto.examine(private(key_format, b"whatever"))) == (None, None)


async def test_wrapped_material_is_not_looked_at(crypto: Cryptographer) -> None:
    wrapped = block(Format.RAW, b"", algorithm=Algorithm.AES, length=128).replace(
        key_value=SecretBytes(bytes(24)),
        key_wrapping_data=KeyWrappingData(wrapping_method=WrappingMethod.ENCRYPT),
    )
    assert told(await crypto.examine(SymmetricKey(key_block=wrapped))) == (Algorithm.AES, 128)
    assert crypto.digest(SymmetricKey(key_block=wrapped)) is None


async def test_a_key_value_of_bytes_needs_key_wrapping_data(crypto: Cryptographer) -> None:
    bare = block(Format.RAW, b"").replace(key_value=SecretBytes(bytes(24)))
    with pytest.raises(InvalidField, match="Key Wrapping Data"):
        await crypto.examine(SymmetricKey(key_block=bare))


async def test_a_key_that_is_kept_elsewhere_has_only_a_declaration(crypto: Cryptographer) -> None:
    """KMIP 1.2 §3.32: Key Value Location."""
    absent = block(Format.RAW, b"", algorithm=Algorithm.AES, length=128).replace(key_value=None)
    assert told(await crypto.examine(SymmetricKey(key_block=absent))) == (Algorithm.AES, 128)
    assert crypto.digest(SymmetricKey(key_block=absent)) is None


async def test_other_objects_with_key_blocks_are_stored_on_the_clients_word(crypto: Cryptographer) -> None:
    assert told(await crypto.examine(secret(Format.OPAQUE, b"password"))) == (None, None)
    assert told(await crypto.examine(secret(Format.RAW, b"password"))) == (None, None)
    part = SplitKey(
        split_key_parts=3,
        key_part_identifier=1,
        split_key_threshold=2,
        split_key_method=SplitKeyMethod.XOR,
        key_block=block(Format.RAW, bytes(17), algorithm=Algorithm.AES, length=128),
    )
    assert told(await crypto.examine(part)) == (Algorithm.AES, 128)
    openpgp = PGPKey(pgp_key_version=3, key_block=block(Format.RAW, b"openpgp"))
    assert told(await crypto.examine(openpgp)) == (None, None)


async def test_objects_without_key_blocks_tell_nothing(crypto: Cryptographer) -> None:
    opaque = OpaqueObject(opaque_data_type=VENDOR_TYPE, opaque_data_value=SecretBytes(b"anything"))
    assert await crypto.examine(opaque) == ObjectFacts()
    assert await crypto.examine(DeviceCredential()) == ObjectFacts()


@pytest.mark.parametrize("make", [symmetric, private, public], ids=["symmetric", "private", "public"])
async def test_a_format_that_the_object_cannot_have_is_refused(crypto: Cryptographer, make: object) -> None:
    assert callable(make)
    for key_format in Format:
        value = make(key_format, b"anything")
        assert isinstance(value, SymmetricKey | PrivateKey | PublicKey)
        if key_format not in FORMATS[type(value)]:
            with pytest.raises(InvalidField, match="is not kept in format"):
                await crypto.examine(value)


@pytest.mark.parametrize(
    ("key_format", "material"),
    [
        (Format.RAW, TransparentSymmetricKey(key=SecretBytes(bytes(16)))),
        (Format.TRANSPARENT_SYMMETRIC_KEY, bytes(16)),
    ],
    ids=["bytes expected", "structure expected"],
)
async def test_material_must_have_the_form_of_its_format(
    crypto: Cryptographer, key_format: Format, material: bytes | TransparentKey
) -> None:
    with pytest.raises(InvalidField, match="Key Material of format"):
        await crypto.examine(symmetric(key_format, material))
    with pytest.raises(InvalidField, match="Key Material of format"):
        crypto.digest(symmetric(key_format, material))
