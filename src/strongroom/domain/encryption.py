"""Port: Encrypt and Decrypt, at once and in parts.

Rule: `Cryptography` inherits this. Decryption has one failure, an indistinct CryptographicFailure, whatever
was wrong with the ciphertext.
"""

from typing import NamedTuple, Protocol

from strongroom.model.keys import KeyBlock
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters


class Encrypted(NamedTuple):
    """What Encrypt made. `iv_counter_nonce` is None unless the server chose it."""

    data: bytes
    iv_counter_nonce: bytes | None = None
    authentication_tag: bytes | None = None


class EncryptionWithKey(Protocol):
    """Encrypts with one key in one way."""

    async def __call__(
        self, data: SecretBytes, *, iv_counter_nonce: bytes | None, additional_data: bytes | None
    ) -> Encrypted:
        """Encrypt all of the data."""


class DecryptionWithKey(Protocol):
    """Decrypts with one key in one way."""

    async def __call__(
        self,
        data: bytes | memoryview,
        *,
        iv_counter_nonce: bytes | None,
        additional_data: bytes | None,
        authentication_tag: bytes | None,
    ) -> SecretBytes:
        """Decrypt all of the data."""


class EncryptionInParts(Protocol):
    """An encryption under way; see `domain.streams.StreamWork`."""

    @property
    def held(self) -> int:
        """Return how many bytes it keeps in memory until the end."""

    async def update(self, data: SecretBytes) -> Encrypted:
        """Take a part and return as much ciphertext as is settled by now, the first time with the IV."""

    async def finish(self, data: SecretBytes) -> Encrypted:
        """Take the last part and return the rest, with the tag of a mode that has one."""


class DecryptionInParts(Protocol):
    """A decryption under way; see `domain.streams.StreamWork`."""

    @property
    def held(self) -> int:
        """Return how many bytes it keeps in memory until the end."""

    async def update(self, data: bytes) -> SecretBytes:
        """Take a part and return as much plaintext as is settled by now: none, in a mode with a tag."""

    async def finish(self, data: bytes, *, authentication_tag: bytes | None) -> SecretBytes:
        """Take the last part and return the rest. The tag is the one of `begin_decryption` if None."""


class Encryption(Protocol):
    """Encrypt and Decrypt. `parameters` are complete: the key's own are already merged in.

    `legacy`: may algorithms be used that nobody should use any more.
    """

    def encryption(
        self, key: KeyBlock, parameters: CryptographicParameters, *, legacy: bool
    ) -> EncryptionWithKey:
        """Return what encrypts whole data with a key, as often as there is some."""

    def decryption(
        self, key: KeyBlock, parameters: CryptographicParameters, *, legacy: bool
    ) -> DecryptionWithKey:
        """Return what decrypts whole data with a key, as often as there is some."""

    async def begin_encryption(
        self,
        key: KeyBlock,
        parameters: CryptographicParameters,
        *,
        iv_counter_nonce: bytes | None,
        additional_data: bytes | None,
        legacy: bool,
    ) -> EncryptionInParts:
        """Return an encryption that takes its data in parts."""

    async def begin_decryption(
        self,
        key: KeyBlock,
        parameters: CryptographicParameters,
        *,
        iv_counter_nonce: bytes | None,
        additional_data: bytes | None,
        authentication_tag: bytes | None,
        legacy: bool,
    ) -> DecryptionInParts:
        """Return a decryption that takes its data in parts."""
