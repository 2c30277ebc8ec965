"""Port: cryptographic operations in parts, which the specification calls streaming (KMIP 1.3 §4, 2.1 §6.1).

Rule: what a request says of parts is read here and nowhere else. A stream belongs to one client, one
operation and one key, and does not outlive that key under its identifier. Whether the client may use the key
is the handler's to check, at every part.

    part = part_of(request)
    if part is None: ...                                       # all of it in this request
    stream = ctx.streams.open(Operation.HASH, part)
    made = await stream.advance(None, data=data, begin=..., step=...)
    Response(data=made, correlation_value=stream.correlation_value)
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, TypeVar

from strongroom.domain.errors import InvalidField
from strongroom.domain.objects import ManagedObject
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.registry import Operation


class StreamWork(Protocol):
    """A cryptographic operation under way; what its parts take and give is the operation's affair."""

    @property
    def held(self) -> int:
        """Return how many bytes it keeps in memory until the last part comes."""


W = TypeVar("W", bound=StreamWork)
T = TypeVar("T")


class Part(NamedTuple):
    """Which part of a stream a request is; the first has no Correlation Value, any other has one."""

    correlation_value: bytes | None
    last: bool

    @property
    def first(self) -> bool:
        return self.correlation_value is None


class InParts(Protocol):
    """A request payload of an operation that can be done in parts."""

    @property
    def correlation_value(self) -> bytes | None: ...

    @property
    def init_indicator(self) -> bool | None: ...

    @property
    def final_indicator(self) -> bool | None: ...


def part_of(request: InParts) -> Part | None:
    """Return which part the request is, None for one that brings everything (KMIP 2.1 §6.1).

    Raises InvalidField for indicators that contradict each other.
    """
    value, first, last = request.correlation_value, request.init_indicator, request.final_indicator
    if value is None:
        if not first:
            if last:
                raise InvalidField("a Final Indicator needs the Correlation Value of the stream that it ends")
            return None
        return None if last else Part(None, last=False)
    if first:
        raise InvalidField("a stream that begins has no Correlation Value yet; leave one of the two out")
    return Part(value, last=bool(last))


class Stream(Protocol):
    """One stream, claimed by one request until that request is answered."""

    @property
    def key(self) -> UniqueIdentifier | None:
        """Return the key that the stream began with; None in the first part, and where there is no key."""

    @property
    def correlation_value(self) -> bytes | None:
        """Return what the client sends with the next part; None after the last."""

    async def advance(
        self,
        key: ManagedObject | None,
        *,
        data: bytes | SecretBytes,
        begin: Callable[[], Awaitable[W]],
        step: Callable[[W], Awaitable[T]],
    ) -> T:
        """Take one part, which brings `data`, and return what `step` made of it.

        `begin` is called for the first part only; `step` at every part, with what `begin` returned then.

        A handler that is run again gets the result of the run before for a later part, and begins anew for
        a first part, so that no part is ever taken twice. The stream moves on when the request is committed,
        and ends when it fails. Raises InvalidField if the stream began with another key, ServerLimitExceeded,
        and ServerFailure when a later part brings other data in another run (what an earlier item of the
        batch gave may be random).
        """


class Streams(Protocol):
    """The streams that the caller has under way."""

    def open(self, operation: Operation, part: Part) -> Stream:
        """Return the stream of a part: a new one, or the one that the Correlation Value names.

        Raises InvalidCorrelationValue when the caller has no such stream of this operation (it may have
        ended, or expired), or another request is at work on it.
        """
