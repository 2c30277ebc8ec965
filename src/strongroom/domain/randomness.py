"""Port: random bytes, and what becomes of those that a client offers.

Rule: no seed, however chosen, makes the output less random: the generator is the operating system's, and seed
data is mixed into it without being counted as randomness.
"""

from enum import Enum
from typing import Final, Protocol

from strongroom.model.secret import SecretBytes

MAXIMUM_LENGTH: Final = 1 << 20
"""Bytes that one request gets."""


class Seeding(Enum):
    """What RNG Seed does; the specification leaves it to the server (KMIP 2.1 §6.1.50)."""

    MIX = "mix"
    IGNORE = "ignore"
    REFUSE = "refuse"


class Randomness(Protocol):
    """The random number generator."""

    def random_bytes(self, length: int) -> SecretBytes:
        """Return so many fresh bytes."""

    def mix_in(self, seed: SecretBytes) -> int:
        """Give the generator data of a client; return how many bytes it took."""
