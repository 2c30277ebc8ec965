"""What is computed over data that may come in parts.

Rule: a computation is started by a port, fed, and finished once; it is the work of a stream when the data
come in parts (`domain.streams`).
"""

from typing import Final, Protocol

from strongroom.domain.errors import InvalidField
from strongroom.domain.streams import InParts
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


NO_DATA: Final = SecretBytes(b"")
"""What a part brings that brings nothing."""


def whole(data: SecretBytes | None, request: InParts) -> SecretBytes:
    """Return the data of a request that brings everything; a stream of one part may bring none.

    Raises InvalidField.
    """
    if data is not None:
        return data
    if request.init_indicator:
        return NO_DATA
    raise InvalidField("Data is required when nothing is streamed")


async def advance(computation: Computation, data: SecretBytes, *, last: bool) -> bytes | None:
    """Take one part; return the result after the last."""
    await computation.update(data)
    return await computation.finish() if last else None


class Proof:
    """A verification in parts, and what is to be proved, which comes with any one of them."""

    def __init__(self, verification: Verification) -> None:
        self._verification = verification
        self._proof: bytes | None = None

    @property
    def held(self) -> int:
        """Return how many bytes are kept until the end."""
        return self._verification.held

    async def advance(
        self, data: SecretBytes, proof: bytes | None, *, last: bool
    ) -> ValidityIndicator | None:
        """Take one part; return the verdict after the last. Raises InvalidField for none or two proofs."""
        if proof is not None:
            if self._proof is not None and self._proof != proof:
                raise InvalidField("an earlier part of the stream brought another signature or MAC")
            self._proof = proof
        await self._verification.update(data)
        if not last:
            return None
        if self._proof is None:
            raise InvalidField("no part of the stream brought the signature or MAC that is to be verified")
        return await self._verification.finish(self._proof)


async def over(computation: Computation, data: SecretBytes) -> bytes:
    """Return the result over data that is there as a whole."""
    await computation.update(data)
    return await computation.finish()
