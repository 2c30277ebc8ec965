"""Keys wrapped with keys (KMIP 1.4 §2.1.5-2.1.6, 2.1 §3.3 and §7.18).

Rule: a key is encrypted as any data is, with an IV that is always made here and the tag, where there is one,
behind the ciphertext.
"""

from typing import Final

from strongroom.crypto.encryption.ciphers import SCHEMES
from strongroom.crypto.encryption.schemes import TAG
from strongroom.domain.encryption import Encryption
from strongroom.domain.errors import CryptographicFailure
from strongroom.domain.wrapping import Wrapped
from strongroom.model.keys import KeyBlock
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters as Parameters

_FAILED: Final = "the key cannot be unwrapped"


class KeyWrapping:
    """The wrapping part of the adapter; see `strongroom.domain.wrapping.Wrapping`."""

    async def wrap_key(
        self: Encryption, key: KeyBlock, parameters: Parameters, data: SecretBytes, *, legacy: bool
    ) -> Wrapped:
        """Encrypt a key value."""
        encrypt = self.encryption(key, parameters.replace(random_iv=True), legacy=legacy)
        made = await encrypt(data, iv_counter_nonce=None, additional_data=None)
        return Wrapped(
            data=made.data + (made.authentication_tag or b""), iv_counter_nonce=made.iv_counter_nonce
        )

    async def unwrap_key(
        self: Encryption,
        key: KeyBlock,
        parameters: Parameters,
        data: bytes,
        *,
        iv_counter_nonce: bytes | None,
        legacy: bool,
    ) -> SecretBytes:
        """Decrypt a key value."""
        data, tag = _parted(key, parameters, data)
        decrypt = self.decryption(key, parameters, legacy=legacy)
        return await decrypt(
            data, iv_counter_nonce=iv_counter_nonce, additional_data=None, authentication_tag=tag
        )


def _parted(key: KeyBlock, parameters: Parameters, data: bytes) -> tuple[bytes, bytes | None]:
    """Return ciphertext and tag; None for a cipher without one."""
    algorithm = parameters.cryptographic_algorithm or key.cryptographic_algorithm
    schemes = {} if algorithm is None else SCHEMES.get(algorithm, {})
    scheme = schemes.get(parameters.block_cipher_mode)
    if scheme is None or not scheme.tags:
        return data, None
    size = TAG if parameters.tag_length is None else parameters.tag_length
    if not 0 < size <= len(data):
        raise CryptographicFailure(_FAILED)
    return data[:-size], data[-size:]
