"""Key blocks and objects for the tests of this folder."""

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.domain.crypto import ObjectFacts
from strongroom.domain.encryption import Encrypted
from strongroom.model.keys import KeyBlock, KeyMaterial, KeyValue, TransparentKey, spell_out
from strongroom.model.objects import PrivateKey, PublicKey, SecretData, SymmetricKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicDomainParameters
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import CryptographicAlgorithm, KeyFormatType, SecretDataType, Tag

Pairs = dict[str, PrivateKeyTypes]


def block(
    key_format: KeyFormatType,
    material: bytes | TransparentKey,
    *,
    algorithm: CryptographicAlgorithm | None = None,
    length: int | None = None,
) -> KeyBlock:
    """Return a key block with this material, bytes or spelt out."""
    stored: KeyMaterial = SecretBytes(material) if isinstance(material, bytes) else spell_out(material)
    return KeyBlock(
        key_format_type=key_format,
        key_value=KeyValue(key_material=stored),
        cryptographic_algorithm=algorithm,
        cryptographic_length=length,
    )


def symmetric(
    key_format: KeyFormatType,
    material: bytes | TransparentKey,
    *,
    algorithm: CryptographicAlgorithm | None = None,
    length: int | None = None,
) -> SymmetricKey:
    return SymmetricKey(key_block=block(key_format, material, algorithm=algorithm, length=length))


def private(
    key_format: KeyFormatType,
    material: bytes | TransparentKey,
    *,
    algorithm: CryptographicAlgorithm | None = None,
    length: int | None = None,
) -> PrivateKey:
    return PrivateKey(key_block=block(key_format, material, algorithm=algorithm, length=length))


def public(
    key_format: KeyFormatType,
    material: bytes | TransparentKey,
    *,
    algorithm: CryptographicAlgorithm | None = None,
    length: int | None = None,
) -> PublicKey:
    return PublicKey(key_block=block(key_format, material, algorithm=algorithm, length=length))


def secret(key_format: KeyFormatType, material: bytes) -> SecretData:
    return SecretData(secret_data_type=SecretDataType.PASSWORD, key_block=block(key_format, material))


def material(value: SymmetricKey | PrivateKey | PublicKey | SecretData) -> bytes:
    """Return the material of a format that is a byte string."""
    key_value = value.key_block.key_value
    assert isinstance(key_value, KeyValue)
    assert isinstance(key_value.key_material, SecretBytes)
    return key_value.key_material.reveal()


def aes(key: str) -> KeyBlock:
    return block(
        KeyFormatType.RAW, bytes.fromhex(key), algorithm=CryptographicAlgorithm.AES, length=len(key) * 4
    )


async def encrypt(
    crypto: Cryptographer,
    key: KeyBlock,
    data: bytes,
    parameters: Parameters,
    *,
    iv: bytes | None = None,
    additional: bytes | None = None,
    legacy: bool = False,
) -> Encrypted:
    encrypt_with_key = crypto.encryption(key, parameters, legacy=legacy)
    return await encrypt_with_key(SecretBytes(data), iv_counter_nonce=iv, additional_data=additional)


async def decrypt(
    crypto: Cryptographer,
    key: KeyBlock,
    data: bytes,
    parameters: Parameters,
    *,
    iv: bytes | None = None,
    additional: bytes | None = None,
    tag: bytes | None = None,
    legacy: bool = False,
) -> bytes:
    decrypt_with_key = crypto.decryption(key, parameters, legacy=legacy)
    plain = await decrypt_with_key(
        data, iv_counter_nonce=iv, additional_data=additional, authentication_tag=tag
    )
    return plain.reveal()


def der(key: PrivateKeyTypes, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    return key.private_bytes(Encoding.DER, form, NoEncryption())


def spki(key: PrivateKeyTypes) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def told(facts: ObjectFacts) -> tuple[CryptographicAlgorithm | None, int | None]:
    return facts.cryptographic_algorithm, facts.cryptographic_length


def domain(facts: ObjectFacts) -> CryptographicDomainParameters | None:
    assert all(a.key is Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS for a in facts.attributes)
    return next((a.value for a in facts.attributes), None)
