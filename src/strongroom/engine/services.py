"""What the engine works with: the ports, each with an adapter that `server/engine.py` chose.

Rule: declarations only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ParamSpec, Protocol, TypeVar

from strongroom.domain.audit import AuditEvent, AuditLog
from strongroom.domain.clock import Clock
from strongroom.domain.context import ClientLog, Policy, ServerFacts
from strongroom.domain.crypto import Cryptography
from strongroom.domain.identity import ClientId, ClientIdentity
from strongroom.domain.operation import OperationSpec
from strongroom.domain.outgoing import OutgoingQueue, Subscription
from strongroom.domain.provisioning import Provisioning
from strongroom.domain.store import ObjectStore
from strongroom.engine.authenticate import PasswordCheck
from strongroom.engine.guesses import Guesses
from strongroom.engine.neighbours import Neighbours
from strongroom.engine.quotas import NO_QUOTAS, QuotaLimits
from strongroom.engine.streams import StreamTable
from strongroom.wire.limits import DEFAULT_LIMITS, Limits

P = ParamSpec("P")
R = TypeVar("R")


class Aside(Protocol):
    """Does what takes long beside the event loop, client by client."""

    async def run(self, work: Callable[P, R], *args: P.args, **keywords: P.kwargs) -> R:
        """Return what `work` returns, or raise what it raises; ServerFailure when too much waits already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the dispatcher works with; made once per process."""

    store: ObjectStore
    crypto: Cryptography
    clock: Clock
    policy: Policy
    client_log: ClientLog
    server: ServerFacts
    check_password: PasswordCheck
    guesses: Guesses
    on_ignored_credential: Callable[[ClientIdentity], None]
    clients: Callable[[ClientId], ClientIdentity | None]
    """Who has a number and may connect; asked when a request that waits is done."""
    operations: Mapping[int, OperationSpec]
    audit: AuditLog
    """Where reads and refusals are recorded; changes are in their own commit."""
    on_event: Callable[[AuditEvent], None]
    """Told of every refusal, for the log of the server."""
    on_failure: Callable[[BaseException], None]
    streams: StreamTable
    remembered_for: timedelta
    """How long until all answers and computations that are remembered are forgotten."""
    neighbours: Neighbours | None = None
    """The other workers of this server, None for one that is alone."""
    subscriptions: Mapping[str, Subscription] = field(default_factory=dict)
    """What clients are told without asking, by their names."""
    outgoing: OutgoingQueue | None = None
    """Told of messages that wait, None where nobody delivers them at once."""
    provisioning: Provisioning | None = None
    """Makes new credentials of clients, None where nobody can."""
    limits: Limits = DEFAULT_LIMITS
    aside: Aside | None = None
    """Reads and writes long messages, None: they are read and written where they come in."""
    quotas: QuotaLimits = NO_QUOTAS
    remembered_answers: int = 10_000
    """How many answers to reads are kept; 0 turns the memory off."""
