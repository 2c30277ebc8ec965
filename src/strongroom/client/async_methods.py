"""The common operations as methods.

Rule: each builds a request and picks from the answer; nothing is decided here. `methods.py` is made from this
file by `tools/gen_client_methods.py`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from strongroom.client.attributes import AttributeLike, KeyPair, key_of, template
from strongroom.client.errors import (
    AmbiguousName,
    KMIPError,
    ObjectNotFound,
)
from strongroom.client.material import bytes_of, key_block_of, secret
from strongroom.domain.operation import Request, Response
from strongroom.model.attribute_list import AttributeInstance, AttributeKey, Attributes
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
from strongroom.model.struct import Seconds
from strongroom.model.structures import CryptographicParameters, RevocationReason
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.decrypt import DecryptRequest
from strongroom.operations.delete_attribute import DeleteAttributeRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.discover_versions import DiscoverVersionsRequest
from strongroom.operations.encrypt import EncryptRequest, EncryptResponse
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attribute_list import GetAttributeListRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.operations.query import QueryRequest, QueryResponse
from strongroom.operations.re_key import ReKeyRequest
from strongroom.operations.re_key_key_pair import ReKeyKeyPairRequest
from strongroom.operations.register import RegisterRequest
from strongroom.operations.revoke import RevokeRequest
from strongroom.operations.set_attribute import SetAttributeRequest
from strongroom.registry import (
    V1_3,
    V2_0,
    V3_0,
    BatchErrorContinuationOption,
    CertificateType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    ObjectType,
    OpaqueDataType,
    Operation,
    QueryFunction,
    RecommendedCurve,
    ResultReason,
    ResultStatus,
    RevocationReasonCode,
    SecretDataType,
    State,
    StorageStatusMask,
    Version,
)
from strongroom.registry.names import defined_values

R = TypeVar("R", bound=Response)

_NAMESAKES = 100  # told at most of an ambiguous name
_ENCRYPT_AND_DECRYPT = CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.DECRYPT


class AsyncMethods:
    """What one can ask for without writing a request. Each raises KMIPError.

    Names of parameters are those of the specification. `attributes` are further attributes of a new object,
    made with `strongroom.client.attributes.attribute`.
    """

    async def call(self, request: Request[R]) -> R:
        """Return the answer to one request; raises KMIPError."""
        raise NotImplementedError

    async def batch(
        self, requests: Sequence[Request[Any]], *, on_error: BatchErrorContinuationOption | None = None
    ) -> list[Response | KMIPError]:
        """Return an outcome for each request."""
        raise NotImplementedError

    async def negotiate(self) -> Version:
        """Return the version that client and server speak."""
        raise NotImplementedError

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

    async def get(
        self, unique_identifier: str, *, key_format_type: KeyFormatType | None = None
    ) -> ManagedObjectStruct:
        """Return an object; None for the format means the one that it was registered in."""
        request = GetRequest(
            unique_identifier=UniqueIdentifier(unique_identifier), key_format_type=key_format_type
        )
        return (await self.call(request)).managed_object

    async def get_material(
        self, unique_identifier: str, *, key_format_type: KeyFormatType | None = None
    ) -> SecretBytes:
        """Return the bytes of a key, secret, certificate or opaque object."""
        return bytes_of(await self.get(unique_identifier, key_format_type=key_format_type))

    async def locate(
        self,
        *,
        name: str | None = None,
        object_type: ObjectType | None = None,
        state: State | None = None,
        cryptographic_algorithm: CryptographicAlgorithm | None = None,
        cryptographic_length: int | None = None,
        cryptographic_usage_mask: CryptographicUsageMask | None = None,
        object_group: str | None = None,
        attributes: Iterable[AttributeInstance] = (),
        storage_status_mask: StorageStatusMask | None = None,
        maximum_items: int | None = None,
        offset_items: int | None = None,
    ) -> list[UniqueIdentifier]:
        """Return the objects that meet every condition; without any, all objects.

        A date attribute given twice is a range. Without `maximum_items` the server is asked until it has told
        all of them; before KMIP 1.3 it may keep some back.
        """
        given = template(
            attributes,
            name=name,
            object_type=object_type,
            state=state,
            cryptographic_algorithm=cryptographic_algorithm,
            cryptographic_length=cryptographic_length,
            cryptographic_usage_mask=cryptographic_usage_mask,
            object_group=object_group,
        )
        request = LocateRequest(
            maximum_items=maximum_items,
            offset_items=offset_items,
            storage_status_mask=storage_status_mask,
            attributes=given,
        )
        page = await self.call(request)
        found = dict.fromkeys(page.unique_identifier)
        if maximum_items is None and await self.negotiate() >= V1_3:
            start, before = offset_items or 0, 0
            # A page without anything new ends it, whatever the server says there still is.
            while before < len(found) and start + len(found) != page.located_items:
                before = len(found)
                page = await self.call(request.replace(offset_items=start + before))
                found |= dict.fromkeys(page.unique_identifier)
        return list(found)

    async def find(self, name: str) -> UniqueIdentifier:
        """Return the one object with this name; raises ObjectNotFound and AmbiguousName."""
        found = await self.locate(name=name, maximum_items=_NAMESAKES)
        if not found:
            raise ObjectNotFound(
                f"no object is named {name!r}",
                operation=Operation.LOCATE,
                status=ResultStatus.OPERATION_FAILED,
                reason=ResultReason.OBJECT_NOT_FOUND,
            )
        if len(found) > 1:
            raise AmbiguousName(name, found)
        return found[0]

    async def get_attributes(self, unique_identifier: str, *names: AttributeLike) -> Attributes:
        """Return the attributes with these names, or all; what the object does not have is left out."""
        request = GetAttributesRequest(
            unique_identifier=UniqueIdentifier(unique_identifier),
            attribute_reference=tuple(key_of(name) for name in names),
        )
        return (await self.call(request)).attributes.attributes

    async def get_attribute_list(self, unique_identifier: str) -> list[AttributeKey]:
        """Return which attributes an object has."""
        request = GetAttributeListRequest(unique_identifier=UniqueIdentifier(unique_identifier))
        return list((await self.call(request)).attribute_reference)

    async def add_attribute(self, unique_identifier: str, attribute: AttributeInstance) -> None:
        """Add an attribute, or one more value of it."""
        await self.call(
            AddAttributeRequest(
                unique_identifier=UniqueIdentifier(unique_identifier), new_attribute=attribute
            )
        )

    async def modify_attribute(
        self,
        unique_identifier: str,
        attribute: AttributeInstance,
        *,
        current: AttributeInstance | None = None,
    ) -> None:
        """Change the value of an attribute that is there.

        Where it has several, 1.x tells them by `attribute.index`, 2.x by `current`.
        """
        await self.call(
            ModifyAttributeRequest(
                unique_identifier=UniqueIdentifier(unique_identifier),
                current_attribute=current,
                new_attribute=attribute,
            )
        )

    async def set_attribute(self, unique_identifier: str, attribute: AttributeInstance) -> None:
        """Give an attribute its only value, whether it is there or not (KMIP 2.0 and later)."""
        await self.call(
            SetAttributeRequest(
                unique_identifier=UniqueIdentifier(unique_identifier), new_attribute=attribute
            )
        )

    async def delete_attribute(
        self,
        unique_identifier: str,
        name: AttributeLike,
        *,
        attribute_index: int | None = None,
        current: AttributeInstance | None = None,
    ) -> None:
        """Delete an attribute.

        Where it has several values, 1.x tells them by `attribute_index`, 2.x by `current`.
        """
        key = key_of(name) if current is None else None
        newer = await self.negotiate() >= V2_0
        await self.call(
            DeleteAttributeRequest(
                unique_identifier=UniqueIdentifier(unique_identifier),
                current_attribute=current,
                attribute_reference=key if newer else None,
                attribute_name=None if newer else key,
                attribute_index=attribute_index,
            )
        )

    async def activate(self, unique_identifier: str) -> None:
        """Make a Pre-Active object Active."""
        await self.call(ActivateRequest(unique_identifier=UniqueIdentifier(unique_identifier)))

    async def revoke(
        self,
        unique_identifier: str,
        *,
        revocation_reason_code: RevocationReasonCode = RevocationReasonCode.UNSPECIFIED,
        revocation_message: str | None = None,
        compromise_occurrence_date: datetime | None = None,
    ) -> None:
        """Deactivate an object; with Key Compromise or CA Compromise as the reason, call it compromised."""
        reason = RevocationReason(
            revocation_reason_code=revocation_reason_code, revocation_message=revocation_message
        )
        await self.call(
            RevokeRequest(
                unique_identifier=UniqueIdentifier(unique_identifier),
                revocation_reason=reason,
                compromise_occurrence_date=compromise_occurrence_date,
            )
        )

    async def destroy(self, unique_identifier: str) -> None:
        """Delete the material of an object for good."""
        await self.call(DestroyRequest(unique_identifier=UniqueIdentifier(unique_identifier)))

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

    async def encrypt(
        self,
        unique_identifier: str,
        data: bytes | SecretBytes,
        *,
        cryptographic_parameters: CryptographicParameters | None = None,
        iv_counter_nonce: bytes | None = None,
        authenticated_encryption_additional_data: bytes | None = None,
    ) -> EncryptResponse:
        """Encrypt on the server; the answer has data, and IV and tag where the mode has them (KMIP 1.2)."""
        return await self.call(
            EncryptRequest(
                unique_identifier=UniqueIdentifier(unique_identifier),
                cryptographic_parameters=cryptographic_parameters,
                data=secret(data),
                iv_counter_nonce=iv_counter_nonce,
                authenticated_encryption_additional_data=authenticated_encryption_additional_data,
            )
        )

    async def decrypt(
        self,
        unique_identifier: str,
        data: bytes,
        *,
        cryptographic_parameters: CryptographicParameters | None = None,
        iv_counter_nonce: bytes | None = None,
        authenticated_encryption_additional_data: bytes | None = None,
        authenticated_encryption_tag: bytes | None = None,
    ) -> SecretBytes:
        """Decrypt on the server (KMIP 1.2)."""
        request = DecryptRequest(
            unique_identifier=UniqueIdentifier(unique_identifier),
            cryptographic_parameters=cryptographic_parameters,
            data=data,
            iv_counter_nonce=iv_counter_nonce,
            authenticated_encryption_additional_data=authenticated_encryption_additional_data,
            authenticated_encryption_tag=authenticated_encryption_tag,
        )
        plain = (await self.call(request)).data
        return SecretBytes(b"") if plain is None else plain

    async def query(self, *query_functions: QueryFunction) -> QueryResponse:
        """Return what the server says of itself; without functions, everything that the version can ask."""
        wanted = query_functions
        if not wanted:
            defined = defined_values("QueryFunction", await self.negotiate())
            wanted = tuple(function for function in QueryFunction if function in defined)
        return await self.call(QueryRequest(query_function=wanted))

    async def discover_versions(self) -> list[Version]:
        """Return the versions that the server speaks, in its order of preference."""
        found = await self.call(DiscoverVersionsRequest())
        return [Version(v.protocol_version_major, v.protocol_version_minor) for v in found.protocol_version]
