"""The adapter of hashing, MACs, signatures and randomness; the class that `Cryptographer` inherits.

Rule: it decides only where work is done, inline or on the pool.
"""

from strongroom.crypto.computing import hashing, macs, randomness, signing
from strongroom.crypto.pool import Pool
from strongroom.domain.computing import Computation, Verification
from strongroom.domain.signing import Recovered
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import Certificate, PrivateKey, PublicKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import ValidityIndicator


class Computations:
    """See `domain.hashing`, `domain.macs`, `domain.signing` and `domain.randomness`."""

    _pool: Pool

    def start_hash(self, parameters: Parameters, *, legacy: bool) -> Computation:
        """Return a digest in the making."""
        return hashing.start(self._pool, parameters, legacy=legacy)

    def start_mac(self, key: KeyBlock, parameters: Parameters, *, legacy: bool) -> Computation:
        """Return a MAC in the making."""
        return macs.start(self._pool, key, parameters, legacy=legacy)

    def start_mac_verification(self, key: KeyBlock, parameters: Parameters, *, legacy: bool) -> Verification:
        """Return a MAC in the proving."""
        return macs.start_verification(self._pool, key, parameters, legacy=legacy)

    async def start_signature(self, key: PrivateKey, parameters: Parameters, *, legacy: bool) -> Computation:
        """Return a signature in the making."""
        return await self._pool.run(signing.start_signature, self._pool, key, parameters, legacy=legacy)

    async def start_verification(
        self, key: PublicKey | Certificate, parameters: Parameters, *, legacy: bool
    ) -> Verification:
        """Return a signature in the proving."""
        return await self._pool.run(signing.start_verification, self._pool, key, parameters, legacy=legacy)

    async def sign_digest(
        self, key: PrivateKey, parameters: Parameters, digest: SecretBytes, *, legacy: bool
    ) -> bytes:
        """Return the signature of digested data."""
        return await self._pool.run(signing.sign_digest, key, parameters, digest.reveal(), legacy=legacy)

    async def verify_digest(
        self,
        key: PublicKey | Certificate,
        parameters: Parameters,
        digest: SecretBytes,
        signature: bytes,
        *,
        legacy: bool,
    ) -> ValidityIndicator:
        """Tell whether the signature is one of digested data."""
        return await self._pool.run(
            signing.verify_digest, key, parameters, digest.reveal(), signature, legacy=legacy
        )

    async def recover(
        self, key: PublicKey | Certificate, parameters: Parameters, signature: bytes, *, legacy: bool
    ) -> Recovered:
        """Return what was signed."""
        return await self._pool.run(signing.recover, key, parameters, signature, legacy=legacy)

    def random_bytes(self, length: int) -> SecretBytes:
        """Return fresh bytes."""
        return randomness.random_bytes(length)

    def mix_in(self, seed: SecretBytes) -> int:
        """Give the generator data of a client."""
        return randomness.mix_in(seed)
