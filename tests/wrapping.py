"""What tests of wrapped keys say often.

Rule: helpers only; the values of the RFCs stand in the tests.
"""

from typing import Any

from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import ManagedObjectStruct, SymmetricKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import (
    CryptographicParameters,
    EncryptionKeyInformation,
    KeyWrappingData,
    MACSignatureKeyInformation,
)
from strongroom.model.wrapping import KeyWrappingSpecification
from strongroom.operations.get import GetRequest
from strongroom.registry import (
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    EncodingOption,
    KeyFormatType,
    ObjectType,
    PaddingMethod,
    Tag,
    WrappingMethod,
)
from tests.expect import mask, raw_key, registration
from tests.kms import TestKms, attribute

KEK = bytes(range(16))
WRAP, UNWRAP = CryptographicUsageMask.WRAP_KEY, CryptographicUsageMask.UNWRAP_KEY
MAC, VERIFY = CryptographicUsageMask.MAC_GENERATE, CryptographicUsageMask.MAC_VERIFY

NIST = CryptographicParameters(block_cipher_mode=BlockCipherMode.NISTKEYWRAP)
PADDED = CryptographicParameters(block_cipher_mode=BlockCipherMode.AESKEYWRAPPADDING)
CBC = CryptographicParameters(block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5)
GCM = CryptographicParameters(block_cipher_mode=BlockCipherMode.GCM)
CTR = CryptographicParameters(block_cipher_mode=BlockCipherMode.CTR)
HMAC = CryptographicParameters(cryptographic_algorithm=CryptographicAlgorithm.HMAC_SHA256)
CMAC = CryptographicParameters(block_cipher_mode=BlockCipherMode.CMAC)


def wrapping_key(
    kms: TestKms,
    *own: CryptographicParameters,
    material: bytes = KEK,
    usage: CryptographicUsageMask = WRAP | UNWRAP,
    active: bool = True,
) -> UniqueIdentifier:
    """Return an AES key to wrap with, registered with these Cryptographic Parameters."""
    dates = [attribute(Tag.ACTIVATION_DATE, kms.clock.now())] if active else []
    request = registration(
        ObjectType.SYMMETRIC_KEY,
        raw_key(material),
        mask(usage),
        *dates,
        *(attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, p, i) for i, p in enumerate(own)),
    )
    return kms.call(request).unique_identifier


def specification(
    key: UniqueIdentifier | None,
    parameters: CryptographicParameters | None = NIST,
    *,
    mac_key: UniqueIdentifier | None = None,
    mac: CryptographicParameters | None = HMAC,
    method: WrappingMethod = WrappingMethod.ENCRYPT,
    encoding: EncodingOption | None = EncodingOption.NO_ENCODING,
    attributes: tuple[Any, ...] = (),
) -> KeyWrappingSpecification:
    return KeyWrappingSpecification(
        wrapping_method=method,
        encryption_key_information=None
        if key is None
        else EncryptionKeyInformation(unique_identifier=key, cryptographic_parameters=parameters),
        mac_signature_key_information=None
        if mac_key is None
        else MACSignatureKeyInformation(unique_identifier=mac_key, cryptographic_parameters=mac),
        attribute_name=attributes,
        encoding_option=encoding,
    )


def get_wrapped(kms: TestKms, made: UniqueIdentifier, wanted: KeyWrappingSpecification, **call: Any) -> Any:
    """Return a key as the specification wants it."""
    request = GetRequest(unique_identifier=made, key_wrapping_specification=wanted)
    return kms.call(request, **call).managed_object


def wrapped_key(
    ciphertext: bytes,
    key: UniqueIdentifier,
    parameters: CryptographicParameters | None = NIST,
    *,
    encoding: EncodingOption | None = EncodingOption.NO_ENCODING,
    **data: Any,
) -> SymmetricKey:
    """Return an AES key of 128 bits that is wrapped with `key`."""
    return SymmetricKey(
        key_block=KeyBlock(
            key_format_type=KeyFormatType.RAW,
            key_value=SecretBytes(ciphertext),
            cryptographic_algorithm=CryptographicAlgorithm.AES,
            cryptographic_length=128,
            key_wrapping_data=KeyWrappingData(
                wrapping_method=WrappingMethod.ENCRYPT,
                encryption_key_information=EncryptionKeyInformation(
                    unique_identifier=key, cryptographic_parameters=parameters
                ),
                encoding_option=encoding,
                **data,
            ),
        )
    )


def material_of(value: ManagedObjectStruct) -> bytes:
    """Return the Key Material of a key that is not wrapped."""
    key_block: KeyBlock = value.key_block  # type: ignore[attr-defined]
    assert key_block.key_wrapping_data is None
    assert isinstance(key_block.key_value, KeyValue)
    material = key_block.key_value.key_material
    assert isinstance(material, SecretBytes)
    return material.reveal()


def ciphertext_of(value: ManagedObjectStruct) -> bytes:
    """Return the bytes of a wrapped key."""
    key_block: KeyBlock = value.key_block  # type: ignore[attr-defined]
    assert isinstance(key_block.key_value, SecretBytes)
    return key_block.key_value.reveal()
