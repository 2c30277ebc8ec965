"""Computations that run: the other side of `domain.computing`.

Rule: a part goes to the pool when it is long, the end when it is slow. Long parts are fed in pieces, because
not every library call lets other threads run meanwhile.
"""

import hmac
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from strongroom.crypto.pool import Pool
from strongroom.model.secret import SecretBytes
from strongroom.registry import ValidityIndicator

INLINE: Final = 16 * 1024
"""Bytes up to which data is worked on where it is: the pool would take longer."""

_PIECE: Final = 256 * 1024
"""Bytes that one library call gets."""


class Absorbing(Protocol):
    """What the library's contexts have in common."""

    def update(self, data: bytes, /) -> object:
        """Take data."""


class _Running:
    """The part that all computations share."""

    def __init__(self, pool: Pool, context: Absorbing) -> None:
        self._pool = pool
        self._context = context

    @property
    def held(self) -> int:
        """Return how many bytes are kept until the end."""
        return len(self._context.message) if isinstance(self._context, Whole) else 0

    async def update(self, data: SecretBytes) -> None:
        """Take the next part."""
        if len(data) <= INLINE:
            self._context.update(data.reveal())
        else:
            await self._pool.run(feed, self._context, data.reveal())


class Digesting(_Running):
    """A digest or MAC: the end is quick."""

    def __init__(self, pool: Pool, context: Absorbing, end: Callable[[], bytes]) -> None:
        super().__init__(pool, context)
        self._end = end

    async def finish(self) -> bytes:
        """Return the result."""
        return self._end()


class Comparing(_Running):
    """A digest or MAC that is compared with another."""

    def __init__(self, pool: Pool, context: Absorbing, end: Callable[[], bytes]) -> None:
        super().__init__(pool, context)
        self._end = end

    async def finish(self, proof: bytes) -> ValidityIndicator:
        """Tell whether both are equal."""
        return validity(hmac.compare_digest(self._end(), proof))


class Signing(_Running):
    """A signature: the end is slow."""

    def __init__(self, pool: Pool, context: Absorbing, end: Callable[[], bytes]) -> None:
        super().__init__(pool, context)
        self._end = end

    async def finish(self) -> bytes:
        """Return the signature."""
        return await self._pool.run(self._end)


class Verifying(_Running):
    """A signature that is proved at the end."""

    def __init__(self, pool: Pool, context: Absorbing, end: Callable[[bytes], ValidityIndicator]) -> None:
        super().__init__(pool, context)
        self._end = end

    async def finish(self, proof: bytes) -> ValidityIndicator:
        """Tell whether the signature fits."""
        return await self._pool.run(partial(self._end, proof))


class Whole:
    """A context that keeps the message, for schemes that sign it and not its digest."""

    def __init__(self) -> None:
        self.message = bytearray()

    def update(self, data: bytes, /) -> None:
        """Keep data."""
        self.message += data

    def finalize(self) -> bytes:
        """Return the message."""
        return bytes(self.message)


def validity(valid: bool) -> ValidityIndicator:
    """Return the word for it."""
    return ValidityIndicator.VALID if valid else ValidityIndicator.INVALID


def feed(context: Absorbing, data: bytes) -> None:
    """Give a context data in pieces."""
    for start in range(0, len(data), _PIECE):
        context.update(data[start : start + _PIECE])
