"""Port: wrapping of keys with keys.

Rule: what crosses here are bytes to protect and the wrapping key; what those bytes mean, and who may do it,
is decided before (`procedures/wrapping.py`).
"""

from dataclasses import dataclass
from typing import Protocol

from strongroom.model.keys import KeyBlock
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    """A wrapped key. `iv_counter_nonce` is None where the method has none."""

    data: bytes
    iv_counter_nonce: bytes | None = None


class Wrapping(Protocol):
    """Encryption of key values; `parameters` are complete."""

    async def wrap_key(
        self, key: KeyBlock, parameters: CryptographicParameters, data: SecretBytes, *, legacy: bool
    ) -> Wrapped:
        """Encrypt a key value; an IV is always made here, a tag stands behind the ciphertext.

        Raises BadCryptographicParameters or UnsupportedCryptographicParameters.
        """

    async def unwrap_key(
        self,
        key: KeyBlock,
        parameters: CryptographicParameters,
        data: bytes,
        *,
        iv_counter_nonce: bytes | None,
        legacy: bool,
    ) -> SecretBytes:
        """Do the reverse; any KmipError says that it cannot be done, and no caller may pass it on."""
