"""Bytes into managed objects and out of them.

Rule: no cryptography; DER stays as it is.
"""

from typing import Final

from strongroom.client.errors import InvalidRequest, ProtocolError
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import Certificate, ManagedObjectStruct, OpaqueObject
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, EncryptionKeyInformation
from strongroom.model.wrapping import KeyWrappingSpecification
from strongroom.registry import (
    BlockCipherMode,
    CryptographicAlgorithm,
    EncodingOption,
    KeyFormatType,
    WrappingMethod,
)

_AES_KEY_WRAP: Final = CryptographicParameters(block_cipher_mode=BlockCipherMode.NISTKEYWRAP)


def secret(value: bytes | SecretBytes) -> SecretBytes:
    """Return the value in the type of secrets."""
    return value if isinstance(value, SecretBytes) else SecretBytes(value)


def key_block_of(
    material: SecretBytes,
    key_format_type: KeyFormatType,
    cryptographic_algorithm: CryptographicAlgorithm | None = None,
    cryptographic_length: int | None = None,
) -> KeyBlock:
    """Return a key block around bytes; the length is in bits."""
    return KeyBlock(
        key_format_type=key_format_type,
        key_value=KeyValue(key_material=material),
        cryptographic_algorithm=cryptographic_algorithm,
        cryptographic_length=cryptographic_length,
    )


def bytes_of(managed_object: ManagedObjectStruct) -> SecretBytes:
    """Return the bytes of an object; raises InvalidRequest for one that has none, or numbers instead."""
    match managed_object:
        case Certificate():
            return SecretBytes(managed_object.certificate_value)
        case OpaqueObject():
            return managed_object.opaque_data_value
    key_block: KeyBlock | None = getattr(managed_object, "key_block", None)
    if key_block is None:
        raise InvalidRequest(f"a {type(managed_object).__name__} has no bytes of its own; use get()")
    value = key_block.key_value
    material = value.key_material if isinstance(value, KeyValue) else value
    if material is None:
        raise ProtocolError("the server sent a key without its value")
    if not isinstance(material, SecretBytes):
        raise InvalidRequest(
            f"the server gives the key out as {key_block.key_format_type.name}, number by number; "
            "ask for another key_format_type"
        )
    return material


def wrapping(
    wrapping_key: str | None,
    specification: KeyWrappingSpecification | None = None,
    *,
    cryptographic_parameters: CryptographicParameters = _AES_KEY_WRAP,
) -> KeyWrappingSpecification | None:
    """Return how to wrap: the bytes of the key alone, encrypted; raises InvalidRequest for two answers."""
    if wrapping_key is None:
        return specification
    if specification is not None:
        raise InvalidRequest("give a wrapping_key or a key_wrapping_specification, not both")
    return KeyWrappingSpecification(
        wrapping_method=WrappingMethod.ENCRYPT,
        encryption_key_information=EncryptionKeyInformation(
            unique_identifier=UniqueIdentifier(wrapping_key),
            cryptographic_parameters=cryptographic_parameters,
        ),
        encoding_option=EncodingOption.NO_ENCODING,
    )


def wrapped_as_asked(
    managed_object: ManagedObjectStruct, specification: KeyWrappingSpecification | None
) -> ManagedObjectStruct:
    """Return an object that came as it was asked for; raises ProtocolError for a key that is not wrapped.

    Whoever asked for a wrapped key puts what comes where no key in clear may be.
    """
    if specification is None:
        return managed_object
    key_block: KeyBlock | None = getattr(managed_object, "key_block", None)
    found = None if key_block is None else key_block.key_wrapping_data
    if found is None or found.wrapping_method != specification.wrapping_method:
        raise ProtocolError("the server did not wrap the key as it was asked to; nothing of it is given out")
    return managed_object
