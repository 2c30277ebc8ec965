"""Encrypt and Decrypt on the server."""

from collections.abc import AsyncIterator

from strongroom.client.async_methods.core import AsyncCore
from strongroom.client.errors import ProtocolError
from strongroom.client.material import secret
from strongroom.client.parts import Source, parts
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.decrypt import DecryptRequest
from strongroom.operations.encrypt import EncryptRequest, EncryptResponse
from strongroom.registry import BlockCipherMode


class AsyncEncryption(AsyncCore):
    """Encrypt and Decrypt on the server."""

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

    def encrypt_parts(
        self,
        unique_identifier: str,
        source: Source,
        *,
        cryptographic_parameters: CryptographicParameters | None = None,
        iv_counter_nonce: bytes | None = None,
        authenticated_encryption_additional_data: bytes | None = None,
    ) -> "AsyncEncryptedParts":
        """Encrypt data of any length, a file or an iterable, and return the parts as they come.

        What takes more than one message needs KMIP 1.3.
        """
        first = EncryptRequest(
            unique_identifier=UniqueIdentifier(unique_identifier),
            cryptographic_parameters=cryptographic_parameters,
            iv_counter_nonce=iv_counter_nonce,
            authenticated_encryption_additional_data=authenticated_encryption_additional_data,
        )
        return AsyncEncryptedParts(self, first, source)

    async def decrypt_parts(
        self,
        unique_identifier: str,
        source: Source,
        *,
        cryptographic_parameters: CryptographicParameters | None = None,
        iv_counter_nonce: bytes | None = None,
        authenticated_encryption_additional_data: bytes | None = None,
        authenticated_encryption_tag: bytes | None = None,
    ) -> AsyncIterator[SecretBytes]:
        """Yield the plaintext of data of any length.

        Of a mode with a tag, Strongroom gives nothing out before the tag is right, and holds all of it until
        then; of any other mode, what came before a failure is worth nothing.
        """
        first = DecryptRequest(
            unique_identifier=UniqueIdentifier(unique_identifier),
            cryptographic_parameters=cryptographic_parameters,
            iv_counter_nonce=iv_counter_nonce,
            authenticated_encryption_additional_data=authenticated_encryption_additional_data,
            authenticated_encryption_tag=authenticated_encryption_tag,
        )
        correlation_value: bytes | None = None
        for part in parts(source):
            request = first if part.first else DecryptRequest(unique_identifier=first.unique_identifier)
            answer = await self.call(request.replace(data=part.data, **part.fields(correlation_value)))
            correlation_value = answer.correlation_value
            if answer.data is not None:
                yield answer.data


class AsyncEncryptedParts:
    """Ciphertext, part by part.

    `iv_counter_nonce` is there with the first part if the server chose it, `authenticated_encryption_tag` is
    there at the end if the mode has one. Who goes over it again has all of it encrypted anew, and both belong
    to the last time.
    """

    def __init__(self, core: AsyncCore, first: EncryptRequest, source: Source) -> None:
        self._core = core
        self._first = first
        self._source = source
        self.iv_counter_nonce = first.iv_counter_nonce
        self.authenticated_encryption_tag: bytes | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        correlation_value: bytes | None = None
        self.iv_counter_nonce = self._first.iv_counter_nonce
        self.authenticated_encryption_tag = None
        for part in parts(self._source):
            unique_identifier = self._first.unique_identifier
            request = self._first if part.first else EncryptRequest(unique_identifier=unique_identifier)
            answer = await self._core.call(
                request.replace(data=SecretBytes(part.data), **part.fields(correlation_value))
            )
            correlation_value = answer.correlation_value
            self.iv_counter_nonce = self.iv_counter_nonce or answer.iv_counter_nonce
            self.authenticated_encryption_tag = answer.authenticated_encryption_tag
            if answer.data is not None:
                yield answer.data
        self._check_complete()

    def _check_complete(self) -> None:
        """Return if all has come that decryption takes; raises ProtocolError."""
        asked = self._first.cryptographic_parameters or CryptographicParameters()
        has_iv = asked.random_iv is True and asked.block_cipher_mode is not BlockCipherMode.ECB
        if has_iv and self.iv_counter_nonce is None:
            raise ProtocolError("the server did not send the IV that it was asked to choose")
        if asked.tag_length is not None and self.authenticated_encryption_tag is None:
            raise ProtocolError("the server did not send the tag that it was asked for")
