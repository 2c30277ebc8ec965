"""Port: message authentication codes."""

from typing import Protocol

from strongroom.domain.computing import Computation, Verification
from strongroom.model.keys import KeyBlock
from strongroom.model.structures import CryptographicParameters


class MessageAuthentication(Protocol):
    """HMAC, CMAC and Poly1305.

    `parameters` name the method: a Cryptographic Algorithm (HMAC-..., Poly1305), else a Hashing Algorithm
    for HMAC, or Block Cipher Mode CMAC. Without any the algorithm of the key decides; that of a block
    cipher's key cannot. Raises BadCryptographicParameters and UnsupportedCryptographicParameters.
    """

    def start_mac(self, key: KeyBlock, parameters: CryptographicParameters, *, legacy: bool) -> Computation:
        """Return a MAC in the making."""

    def start_mac_verification(
        self, key: KeyBlock, parameters: CryptographicParameters, *, legacy: bool
    ) -> Verification:
        """Return a MAC in the proving; it is compared in time that does not depend on where it differs."""
