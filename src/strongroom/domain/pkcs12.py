"""Port: PKCS#12 containers (RFC 7292).

Rule: `Cryptography` inherits this. Opening has one failure, whatever was wrong with password or container.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from strongroom.model.keys import KeyMaterial
from strongroom.model.objects import PrivateKey
from strongroom.model.secret import SecretBytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedContainer:
    """What is in a container: its first private key, in format PKCS#8, and what that key is called."""

    key: PrivateKey
    friendly_name: str | None


class Containers(Protocol):
    """PKCS#12, there and back."""

    async def open_pkcs12(self, material: KeyMaterial, password: SecretBytes) -> OpenedContainer:
        """Open a container. Raises InvalidField when it does not open with the password, has no private key
        of a kind that is known here, or takes too long."""

    async def make_pkcs12(
        self, value: PrivateKey, *, password: SecretBytes, friendly_name: str, certificates: Sequence[bytes]
    ) -> PrivateKey:
        """Return the key in a container with its certificate chain (X.509, its own first), under AES-256.

        Raises KeyFormatTypeNotSupported for a kind of key that no container holds, InvalidField when the
        first certificate is not that of the key.
        """
