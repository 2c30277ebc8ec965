"""A root key that is nowhere but in this process.

Rule: for a store that is thrown away with it, such as the one that a backup is tried in; never for one that
is kept.
"""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.domain.ports import RootKeyError
from strongroom.model.secret import SecretBytes

_NONCE_SIZE: Final = 12


class MemoryRootKey:
    """A fresh root key."""

    def __init__(self) -> None:
        self._cipher = AESGCM(AESGCM.generate_key(256))

    def wrap(self, key: SecretBytes) -> bytes:
        nonce = os.urandom(_NONCE_SIZE)
        return nonce + self._cipher.encrypt(nonce, key.reveal(), None)

    def unwrap(self, wrapped: bytes) -> SecretBytes:
        try:
            return SecretBytes(self._cipher.decrypt(wrapped[:_NONCE_SIZE], wrapped[_NONCE_SIZE:], None))
        except (InvalidTag, ValueError) as error:
            raise RootKeyError("a wrapped store key is damaged") from error

    def is_current(self, wrapped: bytes) -> bool:
        return True

    def generation_of(self, wrapped: bytes) -> int:
        return 1

    def __repr__(self) -> str:
        return "MemoryRootKey()"
