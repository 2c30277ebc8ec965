"""Port: the other workers of this server.

Rule: a stream lives in the worker that it began in, and the Correlation Value says which. A request that goes
on with the stream of a neighbour is answered there, as a whole; it is passed on once and no further.
"""

from collections.abc import Iterable
from typing import Final, Protocol

from strongroom.domain.identity import Connection
from strongroom.engine.answers import Answer
from strongroom.engine.request import BatchItem
from strongroom.registry import Operation, Tag, Version
from strongroom.wire import binary
from strongroom.wire.item import Item
from strongroom.wire.limits import Limits

_IN_PARTS: Final = frozenset({
    Operation.ENCRYPT,
    Operation.DECRYPT,
    Operation.SIGN,
    Operation.SIGNATURE_VERIFY,
    Operation.MAC,
    Operation.MAC_VERIFY,
    Operation.HASH,
})  # fmt: skip
_CORRELATION_VALUE: Final = int(Tag.CORRELATION_VALUE)


class Neighbours(Protocol):
    """The other workers of this server, by the names that begin their Correlation Values."""

    @property
    def name(self) -> bytes:
        """Return the name of this worker; all names have one length."""

    async def answer(self, name: bytes, message: bytes, connection: Connection) -> bytes | None:
        """Return the response of a neighbour to a TTLV request message, None when there is no such one.

        Raises ServerFailure when it was asked and did not answer: it may have done what the message says.
        """


class PassedOn:
    """The answer that a neighbour gave, in the place of `Answers`."""

    def __init__(self, version: Version, response: bytes) -> None:
        self.version = version
        self._response = response

    def answer(self, _: list[Item]) -> Answer:
        """Return the response message."""
        return self._response

    def message(self, _: list[Item]) -> Item:
        """Return the response message, read."""
        limits = Limits(message_size=len(self._response), items=len(self._response))
        return binary.decode(self._response, limits)


def owner(items: Iterable[BatchItem], own: bytes) -> bytes | None:
    """Return the name of the neighbour whose stream a batch goes on with, None when it is nobody's."""
    for item in items:
        if item.operation in _IN_PARTS and item.payload is not None:
            for tag, _, value in item.payload:
                if tag == _CORRELATION_VALUE and isinstance(value, bytes) and not value.startswith(own):
                    return value[: len(own)]
    return None
