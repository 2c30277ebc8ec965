"""The adapter of Derive Key.

Rule: it knows where work is done, and that the method Encrypt is the cipher's; `derivation` has the rest.
"""

from strongroom.crypto.derivation import methods
from strongroom.crypto.derivation.roles import keyed
from strongroom.crypto.encryption.adapter import EncryptionAdapter
from strongroom.crypto.keys.symmetric import material_size
from strongroom.crypto.pool import Pool
from strongroom.domain.derivation import LONGEST, Derivation
from strongroom.domain.errors import BadCryptographicParameters, InvalidField
from strongroom.model.secret import SecretBytes
from strongroom.registry import CryptographicAlgorithm, DerivationMethod


class DerivationAdapter(EncryptionAdapter):
    """See `strongroom.domain.derivation.KeyDerivation`."""

    _pool: Pool

    def derived_size(self, algorithm: CryptographicAlgorithm | None, length: int) -> int:
        """Return how many bytes a key of `length` bits has."""
        if algorithm is not None:
            return material_size(algorithm, length)
        if length <= 0 or length % 8 or length > 8 * LONGEST:
            raise InvalidField(
                f"Secret Data of {length} bits are not derived; whole bytes up to {LONGEST} are"
            )
        return length // 8

    async def derive(self, derivation: Derivation, size: int, *, legacy: bool) -> SecretBytes:
        """Return `size` bytes."""
        if derivation.method is DerivationMethod.ENCRYPT:
            return await self._encrypted(derivation, size, legacy=legacy)
        return SecretBytes(await self._pool.run(methods.derive, derivation, size, legacy=legacy))

    async def _encrypted(self, derivation: Derivation, size: int, *, legacy: bool) -> SecretBytes:
        """Encrypt the derivation data."""
        roles = keyed(derivation)
        if derivation.parameters.random_iv and derivation.initialization_vector is None:
            raise BadCryptographicParameters(
                "nobody could derive the key again: give the Initialization Vector"
            )
        encrypt = self.encryption(roles.block(), derivation.parameters, legacy=legacy)
        made = await encrypt(
            SecretBytes(roles.required_data()),
            iv_counter_nonce=derivation.initialization_vector,
            additional_data=None,
        )
        return SecretBytes(methods.cut(made.data, size))
