"""Port: keys from keys (KMIP 1.4 §4.6, 2.1 §6.1.14).

Rule: what each method makes of the objects and the parameters is the adapter's to say; who may use the
objects, and what becomes of the result, is the handler's.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from strongroom.model.objects import ManagedObjectStruct
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import CryptographicAlgorithm, DerivationMethod

MOST_OBJECTS: Final = 8
"""Objects that one key is derived from; no method takes more than three."""

LONGEST: Final = 64 * 1024
"""Bytes that are derived at once."""

MOST_WORK: Final = 1 << 32
"""Bytes of derivation data times bytes that are derived, where each block of output takes all of the data:
about a second of work."""

MOST_ITERATIONS: Final = 10_000_000
"""Iterations of PBKDF2, counted for each block of output: a few seconds of work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """What a key is derived from. `bases` have their algorithms filled in; `parameters` are complete."""

    method: DerivationMethod
    bases: tuple[ManagedObjectStruct, ...]
    parameters: CryptographicParameters
    initialization_vector: bytes | None = None
    derivation_data: tuple[SecretBytes, ...] = ()
    salt: bytes | None = None
    iteration_count: int | None = None


class KeyDerivation(Protocol):
    """Derive Key."""

    def derived_size(self, algorithm: CryptographicAlgorithm | None, length: int) -> int:
        """Return how many bytes a key of `length` bits has; None is for Secret Data.

        Raises InvalidField for a length that is none, and for an algorithm without symmetric keys.
        """

    async def derive(self, derivation: Derivation, size: int, *, legacy: bool) -> SecretBytes:
        """Return `size` bytes.

        Raises InvalidObjectType for objects that the method does not work with, InvalidMessage when it is
        ambiguous what the derivation data are, InvalidField for what is missing or beyond a limit,
        BadCryptographicParameters and UnsupportedCryptographicParameters, and CryptographicFailure when the
        method does not give so many bytes.
        """
