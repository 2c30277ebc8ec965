"""What is computed over data that may come in parts.

Rule: a computation is started by a port, fed, and finished once; it is the work of a stream when the data
come in parts (`domain.streams`).
"""

from typing import Protocol

from strongroom.model.secret import SecretBytes
from strongroom.registry import ValidityIndicator


class Computation(Protocol):
    """A digest, MAC or signature in the making."""

    @property
    def held(self) -> int:
        """Return how many bytes it keeps in memory until the end."""

    async def update(self, data: SecretBytes) -> None:
        """Take the next part."""

    async def finish(self) -> bytes:
        """Return the result; the computation is used up."""


class Verification(Protocol):
    """A signature or MAC in the proving."""

    @property
    def held(self) -> int:
        """Return how many bytes it keeps in memory until the end."""

    async def update(self, data: SecretBytes) -> None:
        """Take the next part."""

    async def finish(self, proof: bytes) -> ValidityIndicator:
        """Tell whether the signature or MAC fits the data; Invalid has no reason."""


async def over(computation: Computation, data: SecretBytes) -> bytes:
    """Return the result over data that is there as a whole."""
    await computation.update(data)
    return await computation.finish()
