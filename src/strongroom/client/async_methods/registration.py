"""Objects that exist already and are given to the server."""

from collections.abc import Iterable

from strongroom.client.async_methods.core import AsyncCore
from strongroom.client.attributes import template
from strongroom.client.material import key_block_of, secret
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import (
    OBJECT_TYPES,
    Certificate,
    ManagedObjectStruct,
    OpaqueObject,
    PrivateKey,
    PublicKey,
    SecretData,
    SymmetricKey,
)
from strongroom.model.secret import SecretBytes
from strongroom.operations.register import RegisterRequest
from strongroom.registry import (
    CertificateType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    OpaqueDataType,
    SecretDataType,
)

_ENCRYPT_AND_DECRYPT = CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.DECRYPT


class AsyncRegistration(AsyncCore):
    """Objects that exist already and are given to the server."""

    async def register(
        self,
        managed_object: ManagedObjectStruct,
        *,
        name: str | None = None,
        cryptographic_usage_mask: CryptographicUsageMask | None = None,
        attributes: Iterable[AttributeInstance] = (),
    ) -> UniqueIdentifier:
        """Give the server an object to keep."""
        key_block: KeyBlock | None = getattr(managed_object, "key_block", None)
        given = template(
            attributes,
            name=name,
            # INTEROP(PyKMIP 0.11): takes these from the attributes, not from the Key Block.
            cryptographic_algorithm=None if key_block is None else key_block.cryptographic_algorithm,
            cryptographic_length=None if key_block is None else key_block.cryptographic_length,
            cryptographic_usage_mask=cryptographic_usage_mask,
        )
        request = RegisterRequest(
            object_type=OBJECT_TYPES[type(managed_object)], attributes=given, managed_object=managed_object
        )
        return (await self.call(request)).unique_identifier

    async def register_symmetric_key(
        self,
        key: bytes | SecretBytes,
        *,
        name: str | None = None,
        cryptographic_algorithm: CryptographicAlgorithm = CryptographicAlgorithm.AES,
        cryptographic_usage_mask: CryptographicUsageMask = _ENCRYPT_AND_DECRYPT,
        attributes: Iterable[AttributeInstance] = (),
    ) -> UniqueIdentifier:
        """Give the server a key that exists already."""
        material = secret(key)
        block = key_block_of(material, KeyFormatType.RAW, cryptographic_algorithm, len(material) * 8)
        return await self.register(
            SymmetricKey(key_block=block),
            name=name,
            cryptographic_usage_mask=cryptographic_usage_mask,
            attributes=attributes,
        )

    async def register_private_key(
        self,
        key: bytes | SecretBytes,
        *,
        key_format_type: KeyFormatType = KeyFormatType.PKCS_8,
        cryptographic_algorithm: CryptographicAlgorithm,
        cryptographic_length: int,
        name: str | None = None,
        cryptographic_usage_mask: CryptographicUsageMask = CryptographicUsageMask.SIGN,
        attributes: Iterable[AttributeInstance] = (),
    ) -> UniqueIdentifier:
        """Give the server a private key in DER."""
        block = key_block_of(secret(key), key_format_type, cryptographic_algorithm, cryptographic_length)
        return await self.register(
            PrivateKey(key_block=block),
            name=name,
            cryptographic_usage_mask=cryptographic_usage_mask,
            attributes=attributes,
        )

    async def register_public_key(
        self,
        key: bytes,
        *,
        key_format_type: KeyFormatType = KeyFormatType.X_509,
        cryptographic_algorithm: CryptographicAlgorithm,
        cryptographic_length: int,
        name: str | None = None,
        cryptographic_usage_mask: CryptographicUsageMask = CryptographicUsageMask.VERIFY,
        attributes: Iterable[AttributeInstance] = (),
    ) -> UniqueIdentifier:
        """Give the server a public key in DER; the default format is a SubjectPublicKeyInfo."""
        block = key_block_of(secret(key), key_format_type, cryptographic_algorithm, cryptographic_length)
        return await self.register(
            PublicKey(key_block=block),
            name=name,
            cryptographic_usage_mask=cryptographic_usage_mask,
            attributes=attributes,
        )

    async def register_secret_data(
        self,
        value: bytes | SecretBytes,
        *,
        name: str | None = None,
        secret_data_type: SecretDataType = SecretDataType.PASSWORD,
        cryptographic_usage_mask: CryptographicUsageMask = CryptographicUsageMask.VERIFY,
        attributes: Iterable[AttributeInstance] = (),
    ) -> UniqueIdentifier:
        """Give the server a password or another secret that is no key."""
        block = key_block_of(secret(value), KeyFormatType.OPAQUE)
        return await self.register(
            SecretData(secret_data_type=secret_data_type, key_block=block),
            name=name,
            cryptographic_usage_mask=cryptographic_usage_mask,
            attributes=attributes,
        )

    async def register_opaque_object(
        self,
        value: bytes | SecretBytes,
        *,
        name: str | None = None,
        opaque_data_type: OpaqueDataType | int = 0x80000000,
        attributes: Iterable[AttributeInstance] = (),
    ) -> UniqueIdentifier:
        """Give the server bytes that mean nothing to it; the type is your own number from 0x80000000 on."""
        managed_object = OpaqueObject(
            # A vendor's number is kept as a plain integer all the way.
            opaque_data_type=opaque_data_type,  # type: ignore[arg-type]
            opaque_data_value=secret(value),
        )
        return await self.register(managed_object, name=name, attributes=attributes)

    async def register_certificate(
        self,
        certificate: bytes,
        *,
        name: str | None = None,
        certificate_type: CertificateType = CertificateType.X_509,
        cryptographic_usage_mask: CryptographicUsageMask | None = None,
        attributes: Iterable[AttributeInstance] = (),
    ) -> UniqueIdentifier:
        """Give the server a certificate in DER."""
        return await self.register(
            Certificate(certificate_type=certificate_type, certificate_value=certificate),
            name=name,
            cryptographic_usage_mask=cryptographic_usage_mask,
            attributes=attributes,
        )
