"""The streams of this process: operations that clients do in parts.

Rule: a stream is at work for one request at a time. What a request did to it counts once the request is
committed; a request that fails ends the streams that it touched, since a cipher cannot go back.
"""

import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from strongroom.domain.errors import InvalidCorrelationValue, InvalidField, ServerFailure, ServerLimitExceeded
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.streams import Part, StreamWork
from strongroom.domain.tenants import Tenant
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import ManagedObjectStruct
from strongroom.model.secret import SecretBytes
from strongroom.registry import Operation

W = TypeVar("W", bound=StreamWork)
T = TypeVar("T")

_RANDOM: Final = 16
"""Random bytes of a Correlation Value: nobody guesses one."""

_SHARE: Final = 4
"""A client gets at most one part in so many of the memory for streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """What streams may cost one process: how many, in all, of one client and of one tenant (None: no limit);
    bytes that one may take in; bytes that all keep in memory; how long one may idle."""

    streams: int = 1000
    per_client: int = 100
    per_tenant: int | None = None
    size: int = 1 << 30
    held: int = 64 << 20
    idle: timedelta = timedelta(minutes=5)


class _Key(NamedTuple):
    """The key that a stream began with.

    Under its identifier there can be another object by now (Obliterate, then Import), or the same one with
    another key in it (Import over it).
    """

    unique_identifier: UniqueIdentifier
    sequence: int
    material: ManagedObjectStruct | None


def _key_of(obj: ManagedObject | None) -> _Key | None:
    return None if obj is None else _Key(obj.unique_identifier, obj.sequence, obj.material)


class _Open:
    """A stream under way.

    `request` is at work on it. `results` are what its steps took and gave in that request; the present run of
    the handler has seen `seen` of them.
    """

    __slots__ = (
        "client",
        "correlation_value",
        "ended",
        "held",
        "key",
        "last_used",
        "operation",
        "request",
        "results",
        "seen",
        "taken",
        "tenant",
        "work",
    )

    def __init__(
        self,
        correlation_value: bytes,
        *,
        client: int,
        tenant: int,
        operation: Operation,
        key: ManagedObject | None,
        request: "RequestStreams",
        now: datetime,
    ) -> None:
        self.correlation_value = correlation_value
        self.client = client
        self.tenant = tenant
        self.operation = operation
        self.key = _key_of(key)
        self.request: RequestStreams | None = request
        self.last_used = now
        self.work: Any = None
        self.ended = False
        self.taken = self.held = self.seen = 0
        self.results: list[tuple[bytes | SecretBytes, Any]] = []


class StreamTable:
    """Every stream of one process. `prefix` begins each Correlation Value and tells whose it is."""

    def __init__(self, limits: StreamLimits, *, prefix: bytes = b"") -> None:
        self._limits = limits
        self._prefix = prefix
        self._open: dict[bytes, _Open] = {}  # the longest unused first
        self._of_client: Counter[int] = Counter()
        self._of_tenant: Counter[int] = Counter()
        self.tenants: Mapping[int, Tenant] = {}
        """What the administrator has laid down for single tenants; replaced as a whole."""
        self._held_of_client: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def held(self) -> int:
        """Return how many bytes the streams keep in memory."""
        return self._held_of_client.total()

    def begin(
        self,
        request: "RequestStreams",
        operation: Operation,
        key: ManagedObject | None,
    ) -> _Open:
        """Return a new stream; raises ServerLimitExceeded."""
        self.expire(request.now)
        client = request.caller.client
        if self._of_client[client] >= self._limits.per_client:
            raise ServerLimitExceeded(
                f"this client has {self._limits.per_client} streams under way, the most it may have;"
                " end one with Final Indicator first"
            )
        tenant = request.caller.tenant
        most = self._most_of_tenant(tenant)
        if most is not None and self._of_tenant[tenant] >= most:
            raise ServerLimitExceeded(
                f"the clients of this tenant have {most} streams under way, the most they may have; try again"
                " later"
            )
        if len(self._open) >= self._limits.streams:
            raise ServerLimitExceeded("the server has too many streams under way; try again later")
        stream = _Open(
            self._prefix + secrets.token_bytes(_RANDOM),
            client=client,
            tenant=tenant,
            operation=operation,
            key=key,
            request=request,
            now=request.now,
        )
        self._open[stream.correlation_value] = stream
        self._of_client[client] += 1
        self._of_tenant[tenant] += 1
        return stream

    def _most_of_tenant(self, tenant: int) -> int | None:
        own = self.tenants.get(tenant)
        return (
            self._limits.per_tenant if own is None or own.most_streams is None else own.most_streams or None
        )

    def claim(self, request: "RequestStreams", operation: Operation, correlation_value: bytes) -> _Open:
        """Return the stream and keep others off it; raises InvalidCorrelationValue."""
        self.expire(request.now)
        stream = self._open.get(correlation_value)
        if stream is None or stream.client != request.caller.client or stream.operation is not operation:
            raise InvalidCorrelationValue(
                "no stream of this operation has this Correlation Value: it has ended, idled too long, or"
                " begun at another server"
            )
        if stream.request not in (None, request):
            raise InvalidCorrelationValue(
                "another request is at work on this stream; send its parts one after the other"
            )
        if stream.ended:
            raise InvalidCorrelationValue("an earlier item of this batch has ended the stream")
        stream.request = request
        return stream

    def take(self, stream: _Open, size: int) -> None:
        """Count `size` bytes more; raises ServerLimitExceeded."""
        if stream.taken + size > self._limits.size:
            raise ServerLimitExceeded(f"a stream takes {self._limits.size} bytes at most")
        stream.taken += size

    def hold(self, stream: _Open, held: int) -> None:
        """Count what a stream keeps in memory now; raises ServerLimitExceeded."""
        self._held_of_client[stream.client] += held - stream.held
        stream.held = held
        most = self._limits.held
        if self._held_of_client[stream.client] > most // _SHARE or self.held > most:
            raise ServerLimitExceeded(
                "this algorithm needs all of the data at once, and there is no memory for so much; send less"
            )

    def release(self, stream: _Open) -> None:
        """Let the next request have the stream, or forget it when it has ended."""
        if stream.ended:
            self.end(stream)
        elif self._open.pop(stream.correlation_value, None) is not None:
            self._open[stream.correlation_value] = stream
            stream.request = None
            stream.results.clear()
            stream.seen = 0

    def end(self, stream: _Open) -> None:
        """Forget a stream."""
        if self._open.pop(stream.correlation_value, None) is None:
            return
        client = stream.client
        self._of_client[client] -= 1
        self._of_tenant[stream.tenant] -= 1
        self._held_of_client[client] -= stream.held
        if not self._of_client[client]:
            del self._of_client[client], self._held_of_client[client]
        stream.work = stream.request = None
        stream.results.clear()

    def expire(self, now: datetime) -> None:
        """End the streams that nobody continues: they hold keys."""
        given_up = now - self._limits.idle
        idle = []
        for stream in self._open.values():
            if stream.last_used >= given_up:
                break
            if stream.request is None:
                idle.append(stream)
        for stream in idle:
            self.end(stream)


class Touched(NamedTuple):
    """How many streams a request had begun, and how often claimed one, at one moment."""

    begun: int
    claimed: int


NOTHING_TOUCHED: Final = Touched(0, 0)


class RequestStreams:
    """The streams that one request works on; see `domain.streams.Streams`."""

    __slots__ = ("_begun", "_claimed", "_table", "caller", "now")

    def __init__(self, table: StreamTable, caller: ClientIdentity, now: datetime) -> None:
        self._table = table
        self._claimed: list[_Open] = []
        self._begun: list[_Open] = []
        self.caller = caller
        self.now = now

    def open(self, operation: Operation, part: Part) -> "OpenStream":
        if part.correlation_value is None:
            return OpenStream(self, self._table, operation, part, None)
        stream = self._table.claim(self, operation, part.correlation_value)
        self._claimed.append(stream)  # once for each item, as `end_claimed` counts them
        return OpenStream(self, self._table, operation, part, stream)

    def begin(self, operation: Operation, key: ManagedObject | None) -> _Open:
        """Return a new stream, to be ended should the request fail."""
        stream = self._table.begin(self, operation, key)
        self._begun.append(stream)
        return stream

    def rewind(self) -> None:
        """Get ready for the handlers to be run again."""
        for stream in self._begun:
            self._table.end(stream)
        self._begun.clear()
        for stream in self._claimed:
            stream.seen = 0
            stream.ended = False

    def keep(self) -> None:
        """The request, or one item of it, is committed."""
        if not (self._begun or self._claimed):
            return
        for stream in (*self._begun, *self._claimed):
            stream.last_used = self.now
            self._table.release(stream)
        self._begun.clear()
        self._claimed.clear()

    def touched(self) -> Touched:
        """Return how many streams the request has begun and claimed so far."""
        return Touched(len(self._begun), len(self._claimed))

    def end_claimed(self, since: Touched | None = None) -> None:
        """The request, or one item of it, has failed; `since` is from before that item, None: all of it."""
        if not (self._begun or self._claimed):
            return
        begun, claimed = since or NOTHING_TOUCHED
        for stream in (*self._begun[begun:], *self._claimed[claimed:]):
            self._table.end(stream)
        del self._begun[begun:], self._claimed[claimed:]


class OpenStream:
    """One stream in one request; see `domain.streams.Stream`."""

    __slots__ = ("_operation", "_part", "_request", "_stream", "_table")

    def __init__(
        self,
        request: RequestStreams,
        table: StreamTable,
        operation: Operation,
        part: Part,
        stream: _Open | None,
    ) -> None:
        self._request = request
        self._table = table
        self._operation = operation
        self._part = part
        self._stream = stream

    @property
    def key(self) -> UniqueIdentifier | None:
        began = None if self._stream is None else self._stream.key
        return None if began is None else began.unique_identifier

    @property
    def correlation_value(self) -> bytes | None:
        return None if self._stream is None or self._part.last else self._stream.correlation_value

    async def advance(
        self,
        key: ManagedObject | None,
        *,
        data: bytes | SecretBytes,
        begin: Callable[[], Awaitable[W]],
        step: Callable[[W], Awaitable[T]],
    ) -> T:
        stream = self._stream
        if stream is None:
            stream = self._stream = self._request.begin(self._operation, key)
            stream.work = await begin()
        elif _key_of(key) != stream.key:
            raise InvalidField(
                "the stream began with another key, or with one that was replaced since; each of its parts is"
                " done with the same one"
            )
        stream.ended = self._part.last
        if stream.seen < len(stream.results):  # the handler is run again
            taken, again = stream.results[stream.seen]
            if data != taken:
                raise ServerFailure(
                    "another change came first, and made other data of an earlier item of this batch than the"
                    " stream has taken by now; begin the stream again"
                )
            stream.seen += 1
            made: T = again
            return made
        self._table.take(stream, len(data))
        result = await step(stream.work)
        stream.results.append((data, result))
        stream.seen += 1
        self._table.hold(stream, stream.work.held)
        return result
