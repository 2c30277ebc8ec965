"""The key that signs checkpoints.

Rule: Ed25519. Who verifies needs the public part alone; the private part signs and is never written in clear.
"""

import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_public_key,
)

from strongroom.model.secret import SecretBytes

_ID: Final = 8
"""Bytes of the digest that stands for a public key."""


class NotAnAuditKey(Exception):
    """The bytes are no Ed25519 key."""


class SigningKey:
    """The private part, opened. Raises NotAnAuditKey."""

    def __init__(self, private: SecretBytes) -> None:
        """Take what `new` returned."""
        try:
            key = load_der_private_key(private.reveal(), None)
        except ValueError as error:
            raise NotAnAuditKey("this is no private key") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise NotAnAuditKey("this is no Ed25519 key")
        self._key = key
        self.public = VerifyingKey(key.public_key())

    @staticmethod
    def new() -> SecretBytes:
        """Return a fresh private key (PKCS #8, DER)."""
        key = Ed25519PrivateKey.generate()
        return SecretBytes(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message (64 bytes)."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey({self.public.id})"


class VerifyingKey:
    """The public part."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.id = hashlib.sha256(key.public_bytes_raw()).digest()[:_ID].hex()
        """What stands for the key in checkpoints."""

    @classmethod
    def read(cls, pem: bytes) -> "VerifyingKey":
        """Return the key in a PEM file. Raises NotAnAuditKey."""
        try:
            key = load_pem_public_key(pem)
        except ValueError as error:
            raise NotAnAuditKey("this is no public key in PEM") from error
        if not isinstance(key, Ed25519PublicKey):
            raise NotAnAuditKey("this is no Ed25519 key")
        return cls(key)

    def pem(self) -> bytes:
        """Return the key as a PEM file."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Tell whether the private part has signed the message."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True
