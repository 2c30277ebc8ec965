"""What a listener speaks, and what all connections share that speak it.

Rule: declarations only. What a connection does with them is in `ttlv.py`; which bindings there are, and who
answers what comes in by them, `processes/worker.py` says.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from strongroom.domain.identity import ClientIdentity, Connection
from strongroom.domain.outgoing import Exchange
from strongroom.engine.answers import Answer
from strongroom.registry import Version
from strongroom.server.clients.directory import ClientDirectory, PeerCertificate
from strongroom.server.config import DeadlineSettings
from strongroom.server.listening.deadlines import Deadlines
from strongroom.server.listening.shares import Buffers, Shares
from strongroom.server.listening.windows import Windows
from strongroom.server.listening.writing import Departures
from strongroom.wire.errors import DecodeError
from strongroom.wire.limits import Limits

M = TypeVar("M")
N = TypeVar("N")
M_co = TypeVar("M_co", covariant=True)

Handler: TypeAlias = Callable[[M, Connection], Coroutine[Any, Any, Answer]]
"""One request message in, one response message out; raises nothing but CancelledError."""

Rejecter: TypeAlias = Callable[[DecodeError, Connection], bytes]
"""The answer to bytes that are no message; the connection is closed after it."""

Shedder: TypeAlias = Callable[[M, Connection], bytes]
"""The answer to a request that comes too soon after too many others; cheap, since nothing of it is done."""

Attendant: TypeAlias = Callable[[ClientIdentity, Exchange, Version], Coroutine[Any, Any, None]]
"""Ask a client until it has its role back; raises EndpointUnreachable and StoreFailure."""

TOO_MANY_REQUESTS: Final = "too_many_requests"
"""Why somebody is turned away who has a connection."""


def _nobody(certificate: PeerCertificate, peer: str) -> None:
    """Remember no stranger."""


class Framing(Protocol[M_co]):
    """Cuts the byte stream of one connection into request messages; see `wire.framing.Framer`."""

    @property
    def pending(self) -> int:
        """Bytes held of messages that were not taken yet; 0 between messages."""

    @property
    def declared(self) -> int:
        """Size of the message that is being received; 0 until it is known."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""

    def room(self) -> memoryview | None:
        """Return where the rest of a long message is best read to; None where that is all the same."""

    def fill(self, count: int) -> None:
        """Take the bytes that were read to the beginning of the room."""

    def next_message(self) -> M_co | None:
        """Return one whole message, None when more bytes are needed; raises DecodeError."""


@dataclass(slots=True, kw_only=True)
class Service(Generic[M]):
    """What all connections of a worker share that speak the same binding."""

    framing: Callable[[Limits], Framing[M]]
    handle: Handler[M]
    reject: Rejecter
    directory: ClientDirectory
    deadlines: Deadlines
    timing: DeadlineSettings
    limits: Limits
    shares: Shares
    buffers: Buffers
    windows: Windows
    departures: Departures
    shed: Shedder[M]
    turned_away: Callable[[str, str, Mapping[str, str]], None]
    """Told of who got no connection: why, where from, and what else is known."""
    attend: Attendant | None = None
    """Asks a client that has turned the roles; None where they cannot be turned."""
    strangers: Callable[[PeerCertificate, str], None] = _nobody
    """Is told of certificates that TLS took and that no client has, and where from."""
    lenient: bool = False
    """Whether a certificate that has ended goes on being good, with a warning each hour."""
    join: Handler[M] | None = None
    """Answers whoever holds an invitation; None where nobody can join."""

    def speaking(
        self, framing: Callable[[Limits], Framing[N]], handle: Handler[N], reject: Rejecter, shed: Shedder[N]
    ) -> "Service[N]":
        """Return the same for another binding: all counts, limits and buffers are shared, roles stay."""
        return Service(
            framing=framing,
            handle=handle,
            reject=reject,
            directory=self.directory,
            deadlines=self.deadlines,
            timing=self.timing,
            limits=self.limits,
            shares=self.shares,
            buffers=self.buffers,
            windows=self.windows,
            departures=self.departures,
            shed=shed,
            strangers=self.strangers,
            lenient=self.lenient,
            turned_away=self.turned_away,
        )
