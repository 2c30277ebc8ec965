"""A root key in another key manager: an AES-256 key that stays there.

Rule: an ordinary KMIP client asks it to encrypt and decrypt (AES-GCM); the key itself is never asked for. The
profile says where the other server is and who we are to it.

    sealed   bytes of the IV (1), IV, what was encrypted, tag (16 bytes)
"""

import secrets
from collections.abc import Mapping
from typing import Any, Final

from strongroom.client.errors import CryptographicFailure, InvalidSettings, KMIPError
from strongroom.client.sync import Client
from strongroom.domain.ports import RootKeyError, RootKeyUnavailable
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import V1_4, BlockCipherMode, CryptographicAlgorithm, Tag
from strongroom.rootkey.elsewhere import Unreachable

TIMEOUT: Final = 3.0
"""Seconds for connecting and for an answer."""

_TAG_SIZE: Final = 16
_GCM: Final = CryptographicParameters(
    block_cipher_mode=BlockCipherMode.GCM,
    cryptographic_algorithm=CryptographicAlgorithm.AES,
    tag_length=_TAG_SIZE,
)


class KeyManagerKey:
    """A connection to the key manager that has the key. See `rootkey.elsewhere.Way`; raises Unreachable."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._key = str(parameters["key"])
        try:
            self._client = Client.from_profile(parameters["profile"], timeout=TIMEOUT)
        except KMIPError as error:
            raise Unreachable(str(error)) from error

    def seal(self, key: SecretBytes, associated: bytes) -> bytes:
        iv = secrets.token_bytes(12)
        try:
            answer = self._client.encrypt(
                self._key,
                key,
                cryptographic_parameters=_GCM,
                iv_counter_nonce=iv,
                authenticated_encryption_additional_data=associated,
            )
        except KMIPError as error:
            raise Unreachable(str(error)) from error
        tag = answer.authenticated_encryption_tag
        if answer.data is None or tag is None or len(tag) != _TAG_SIZE:
            raise Unreachable("the other key manager has not encrypted with AES-GCM")
        iv = answer.iv_counter_nonce or iv
        return bytes([len(iv)]) + iv + answer.data + tag

    def open(self, sealed: bytes, associated: bytes) -> SecretBytes:
        iv, rest = sealed[1 : 1 + sealed[0]], sealed[1 + sealed[0] :]
        try:
            return self._client.decrypt(
                self._key,
                rest[:-_TAG_SIZE],
                cryptographic_parameters=_GCM,
                iv_counter_nonce=iv,
                authenticated_encryption_additional_data=associated,
                authenticated_encryption_tag=rest[-_TAG_SIZE:],
            )
        except CryptographicFailure as error:
            raise RootKeyError(
                "the other key manager cannot decrypt a wrapped key: it is damaged, or its key is another one"
            ) from error
        except KMIPError as error:
            raise Unreachable(str(error)) from error

    def close(self) -> None:
        self._client.close()


def create(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Make a key in another key manager, and return the parameters of its record. `parameters`: profile.

    Raises RootKeyError.
    """
    name = f"strongroom root key {secrets.token_hex(8)}"
    try:
        with Client.from_profile(parameters["profile"], timeout=TIMEOUT) as client:
            key = client.create_symmetric_key(name=name, attributes=_kept_in(client))
            client.activate(key)
        made = {**parameters, "key": str(key)}
        sample, associated = SecretBytes(secrets.token_bytes(32)), b"strongroom tries the key manager"
        way = KeyManagerKey(made)
        opened = way.open(way.seal(sample, associated), associated)
        way.close()
    except InvalidSettings as error:
        raise RootKeyError(str(error)) from error
    except (KMIPError, Unreachable) as error:
        raise RootKeyUnavailable(f"no key could be made in the other key manager: {error}") from error
    if opened != sample:
        raise RootKeyError("the other key manager does not give back what it was given; do not use it")
    return made


def _kept_in(client: Client) -> list[AttributeInstance]:
    """Return what keeps the key from being fetched, where the other server knows of it."""
    if client.negotiate() < V1_4:
        return []
    return [AttributeInstance(Tag.SENSITIVE, True), AttributeInstance(Tag.EXTRACTABLE, False)]
