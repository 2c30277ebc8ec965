"""One generation of the root key, able to seal and open.

Rule: a root key that is bytes in memory is a SoftwareRoot, wherever the bytes came from; one that stays
elsewhere is a class of its provider.
"""

import hashlib
import os
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.model.secret import SecretBytes
from strongroom.rootkey.envelope import ID_SIZE, damaged

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 12


class Root(Protocol):
    """A root key. Both methods may raise RootKeyUnavailable."""

    @property
    def generation(self) -> int:
        """Return its number; each new root key has the next one."""

    @property
    def id(self) -> bytes:
        """Return what tells it from every other (8 bytes), no secret."""

    def seal(self, key: SecretBytes, associated: bytes) -> bytes:
        """Return `key` sealed, bound to `associated`."""

    def open(self, sealed: bytes, associated: bytes) -> SecretBytes:
        """Return what `seal` was given. Raises RootKeyError when it is damaged."""


class SoftwareRoot:
    """A root key in the memory of this process: AES-256-GCM, the nonce (12 random bytes) in front."""

    def __init__(self, secret: SecretBytes, generation: int) -> None:
        self.generation = generation
        self.id = key_id(secret)
        self.secret = secret
        self._cipher = AESGCM(secret.reveal())

    def seal(self, key: SecretBytes, associated: bytes) -> bytes:
        nonce = os.urandom(NONCE_SIZE)
        return nonce + self._cipher.encrypt(nonce, key.reveal(), associated)

    def open(self, sealed: bytes, associated: bytes) -> SecretBytes:
        try:
            return SecretBytes(self._cipher.decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], associated))
        except (InvalidTag, ValueError) as error:
            raise damaged() from error

    def __repr__(self) -> str:
        return f"SoftwareRoot({self.id.hex()}, generation {self.generation})"


def new_secret() -> SecretBytes:
    """Return a fresh root key."""
    return SecretBytes(os.urandom(KEY_SIZE))


def key_id(secret: SecretBytes) -> bytes:
    """Return the id of a root key: a hash, from which nothing can be learnt of 32 random bytes."""
    return hashlib.sha256(b"strongroom root key id" + secret.reveal()).digest()[:ID_SIZE]
