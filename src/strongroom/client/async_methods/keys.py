"""Keys that the server makes."""

from collections.abc import Iterable

from strongroom.client.async_methods.core import AsyncCore
from strongroom.client.attributes import KeyPair, template
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.struct import BigInt, Int32, Seconds
from strongroom.model.structures import DerivationParameters
from strongroom.operations.create import CreateRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.create_split_key import CreateSplitKeyRequest
from strongroom.operations.derive_key import DeriveKeyRequest
from strongroom.operations.join_split_key import JoinSplitKeyRequest
from strongroom.operations.re_key import ReKeyRequest
from strongroom.operations.re_key_key_pair import ReKeyKeyPairRequest
from strongroom.registry import (
    V3_0,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DerivationMethod,
    ObjectType,
    RecommendedCurve,
    SecretDataType,
    SplitKeyMethod,
)

_ENCRYPT_AND_DECRYPT = CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.DECRYPT


class AsyncKeys(AsyncCore):
    """Keys that the server makes."""

    async def create_symmetric_key(
        self,
        *,
        name: str | None = None,
        cryptographic_algorithm: CryptographicAlgorithm = CryptographicAlgorithm.AES,
        cryptographic_length: int | None = 256,
        cryptographic_usage_mask: CryptographicUsageMask = _ENCRYPT_AND_DECRYPT,
        attributes: Iterable[AttributeInstance] = (),
    ) -> UniqueIdentifier:
        """Have the server make a key; `cryptographic_length` is in bits."""
        given = template(
            attributes,
            name=name,
            cryptographic_algorithm=cryptographic_algorithm,
            cryptographic_length=cryptographic_length,
            cryptographic_usage_mask=cryptographic_usage_mask,
        )
        request = CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=given)
        return (await self.call(request)).unique_identifier

    async def create_key_pair(
        self,
        *,
        cryptographic_algorithm: CryptographicAlgorithm = CryptographicAlgorithm.RSA,
        cryptographic_length: int | None = None,
        recommended_curve: RecommendedCurve | None = None,
        private_key_name: str | None = None,
        public_key_name: str | None = None,
        private_key_usage_mask: CryptographicUsageMask = CryptographicUsageMask.SIGN,
        public_key_usage_mask: CryptographicUsageMask = CryptographicUsageMask.VERIFY,
        attributes: Iterable[AttributeInstance] = (),
    ) -> KeyPair:
        """Have the server make a key pair, of a length in bits or on a curve; `attributes` go to both."""
        request = CreateKeyPairRequest(
            common_attributes=template(
                attributes,
                cryptographic_algorithm=cryptographic_algorithm,
                cryptographic_length=cryptographic_length,
                recommended_curve=recommended_curve,
            ),
            private_key_attributes=template(
                name=private_key_name, cryptographic_usage_mask=private_key_usage_mask
            ),
            public_key_attributes=template(
                name=public_key_name, cryptographic_usage_mask=public_key_usage_mask
            ),
        )
        made = await self.call(request)
        return KeyPair(made.private_key_unique_identifier, made.public_key_unique_identifier)

    async def re_key(self, unique_identifier: str, *, offset: int | None = None) -> UniqueIdentifier:
        """Replace a symmetric key and return the new one.

        `offset`: seconds from the creation of the new key to its activation; None keeps the dates.
        """
        request = ReKeyRequest(
            unique_identifier=UniqueIdentifier(unique_identifier),
            offset=None if offset is None else Seconds(offset),
        )
        return (await self.call(request)).unique_identifier

    async def re_key_key_pair(
        self, private_key_unique_identifier: str, *, offset: int | None = None
    ) -> KeyPair:
        """Replace a key pair and return the new one; `offset` as in `re_key`."""
        identifier = UniqueIdentifier(private_key_unique_identifier)
        newest = await self.negotiate() >= V3_0
        request = ReKeyKeyPairRequest(
            private_key_unique_identifier=None if newest else identifier,
            unique_identifier=identifier if newest else None,
            offset=None if offset is None else Seconds(offset),
        )
        made = await self.call(request)
        return KeyPair(made.private_key_unique_identifier, made.public_key_unique_identifier)

    async def derive_key(
        self,
        *unique_identifiers: str,
        derivation_method: DerivationMethod,
        derivation_parameters: DerivationParameters,
        object_type: ObjectType = ObjectType.SYMMETRIC_KEY,
        name: str | None = None,
        cryptographic_algorithm: CryptographicAlgorithm | None = CryptographicAlgorithm.AES,
        cryptographic_length: int | None = 256,
        cryptographic_usage_mask: CryptographicUsageMask = _ENCRYPT_AND_DECRYPT,
        attributes: Iterable[AttributeInstance] = (),
    ) -> UniqueIdentifier:
        """Have the server derive a key, or Secret Data, from keys that it has.

        Secret Data has no algorithm: give None.
        """
        request = DeriveKeyRequest(
            object_type=object_type,
            unique_identifier=tuple(map(UniqueIdentifier, unique_identifiers)),
            derivation_method=derivation_method,
            derivation_parameters=derivation_parameters,
            attributes=template(
                attributes,
                name=name,
                cryptographic_algorithm=cryptographic_algorithm,
                cryptographic_length=cryptographic_length,
                cryptographic_usage_mask=cryptographic_usage_mask,
            ),
        )
        return (await self.call(request)).unique_identifier

    async def create_split_key(
        self,
        unique_identifier: str | None = None,
        *,
        split_key_parts: int,
        split_key_threshold: int,
        split_key_method: SplitKeyMethod = SplitKeyMethod.POLYNOMIAL_SHARING_GF_2_8,
        prime_field_size: int | None = None,
        cryptographic_algorithm: CryptographicAlgorithm | None = None,
        cryptographic_length: int | None = None,
        cryptographic_usage_mask: CryptographicUsageMask | None = None,
        attributes: Iterable[AttributeInstance] = (),
    ) -> list[UniqueIdentifier]:
        """Have the server split a key, or a new one, into parts of which a threshold makes it again.

        A new one needs `cryptographic_algorithm` and `cryptographic_length`, and only its parts are kept.
        `attributes` go to every part.
        """
        request = CreateSplitKeyRequest(
            object_type=ObjectType.SPLIT_KEY,
            unique_identifier=None if unique_identifier is None else UniqueIdentifier(unique_identifier),
            split_key_parts=Int32(split_key_parts),
            split_key_threshold=Int32(split_key_threshold),
            split_key_method=split_key_method,
            prime_field_size=None if prime_field_size is None else BigInt(prime_field_size),
            attributes=template(
                attributes,
                cryptographic_algorithm=cryptographic_algorithm,
                cryptographic_length=cryptographic_length,
                cryptographic_usage_mask=cryptographic_usage_mask,
            ),
        )
        return list((await self.call(request)).unique_identifier)

    async def join_split_key(
        self,
        *unique_identifiers: str,
        object_type: ObjectType = ObjectType.SYMMETRIC_KEY,
        secret_data_type: SecretDataType | None = None,
        name: str | None = None,
        cryptographic_usage_mask: CryptographicUsageMask | None = None,
        attributes: Iterable[AttributeInstance] = (),
    ) -> UniqueIdentifier:
        """Have the server make the whole of parts, as an object of its own."""
        request = JoinSplitKeyRequest(
            object_type=object_type,
            unique_identifier=tuple(map(UniqueIdentifier, unique_identifiers)),
            secret_data_type=secret_data_type,
            attributes=template(attributes, name=name, cryptographic_usage_mask=cryptographic_usage_mask),
        )
        return (await self.call(request)).unique_identifier
