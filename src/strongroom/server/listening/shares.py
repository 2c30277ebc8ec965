"""What each client, tenant and address may have of a worker: connections, requests a second, buffers.

Rule: who is over a limit pays for it alone. A connection too many is turned away when it has said whose it
is; a request too many waits for its time, and when that is more than `MOST_DELAY` away it is refused with an
answer that says so. What a limit counts in all workers is divided among them by the connections that each
has, once a second, so that a request costs a comparison and no lock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from strongroom.domain.identity import NO_TENANT, ClientIdentity
from strongroom.domain.tenants import Tenant
from strongroom.server.address import counted_as
from strongroom.server.config import ConnectionSettings, LimitSettings
from strongroom.server.listening.turns import Account, Turns
from strongroom.server.logs import get_logger
from strongroom.server.shared import SharedNumbers, address_number, counts_of

log = get_logger()

BURST: Final = 1.0
"""Seconds for which a client that was quiet may ask as fast as it can."""

MOST_DELAY: Final = 1.0
"""Seconds that a request waits at most for its time."""

_QUARTER: Final = 4


class Rate:
    """So many requests a second: each has a time, which is never more than `BURST` behind the present."""

    __slots__ = ("_each", "_next", "number", "shed", "users", "whole")

    def __init__(self, whole: int, number: int) -> None:
        self.whole = whole
        """Requests a second in all workers."""
        self.number = number
        self.users = 0
        self.shed = 0
        """Requests that were refused since the last report."""
        self._next = 0.0
        self._each = 1.0 / whole

    def divide(self, share: float) -> None:
        """Take the share of this worker, more than 0 and at most 1."""
        self._each = 1.0 / (self.whole * max(share, 0.001))

    def delay(self, now: float) -> float:
        """Return the seconds until the time of a request that comes now."""
        return max(self._next, now - BURST) - now

    def take(self, now: float) -> None:
        """Give the time away."""
        self._next = max(self._next, now - BURST) + self._each


@dataclass(slots=True, kw_only=True)
class Place:
    """What a connection that was let in has of the worker."""

    client: ClientIdentity
    account: Account
    address: int
    rates: tuple[Rate, ...] = ()

    def delay(self, now: float) -> float | None:
        """Return the seconds until a request that comes now may be done, None for one that is refused.

        What is 0 or less is no delay.
        """
        longest = 0.0
        for rate in self.rates:
            wait = rate.delay(now)
            if wait > MOST_DELAY:
                rate.shed += 1
                return None
            longest = max(longest, wait)
        for rate in self.rates:
            rate.take(now)
        return longest


class Buffers:
    """How many bytes of unfinished long messages may be held at once: by all connections of a worker, and by
    those of one client. A client gets `share` of them, None: a quarter; one message fits always."""

    def __init__(self, limit: int, share: int | None = None) -> None:
        self._free = limit
        self._share = limit // _QUARTER if share is None else share
        self._of_client: dict[int, int] = {}

    def reserve(self, size: int, client: int) -> bool:
        """Take `size` bytes; False when that many are not free, or not the client's."""
        held = self._of_client.get(client, 0)
        if size > self._free or (held and held + size > self._share):
            return False
        self._free -= size
        self._of_client[client] = held + size
        return True

    def release(self, size: int, client: int) -> None:
        """Give back what was taken."""
        self._free += size
        held = self._of_client.pop(client, 0) - size
        if held > 0:
            self._of_client[client] = held


class Shares:
    """Lets connections in, and knows what each client, tenant and address has of one worker."""

    def __init__(
        self,
        numbers: SharedNumbers,
        row: int,
        connections: ConnectionSettings,
        limits: LimitSettings,
        *,
        turns: Turns,
    ) -> None:
        self.turns = turns
        self.per_client = connections.per_client
        self.tenants: Mapping[int, Tenant] = {}
        """What the administrator has laid down for single tenants; replaced as a whole."""
        self._per_tenant = connections.per_tenant or None
        self._per_address = connections.per_address or None
        self._client_rate = limits.requests_per_client
        self._tenant_rate = limits.requests_per_tenant
        self._address_rate = limits.requests_per_address
        self._numbers = numbers
        self._clients, self._of_tenant, self._addresses = counts_of(numbers, row)
        self._rates: dict[tuple[str, int], Rate] = {}
        self._shares: Mapping[str, Callable[[int], float]] = {
            "client": self._clients.share,
            "tenant": self._of_tenant.share,
            "address": self._addresses.share,
        }

    def enter(self, client: ClientIdentity, host: str) -> Place | str:
        """Let a connection in, or return the name of the setting that keeps it out."""
        address = address_number(self._numbers, counted_as(host))
        per_tenant, _ = self._limits_of_tenant(client)
        if not self._addresses.enter(address, self._per_address):
            return "connections.per_address"
        if not self._of_tenant.enter(client.tenant, per_tenant):
            self._addresses.leave(address)
            return "connections.per_tenant"
        if not self._clients.enter(client.client, self.per_client):
            self._addresses.leave(address)
            self._of_tenant.leave(client.tenant)
            return "connections.per_client"
        account = self.turns.account(client.client)
        account.connections += 1
        place = Place(client=client, account=account, address=address)
        self.refresh(place)
        return place

    def refresh(self, place: Place) -> None:
        """Have the rates of a connection be those that hold now."""
        client = place.client
        _, tenant_rate = self._limits_of_tenant(client)
        self._let_go(place)
        place.rates = tuple(
            self._rate(kind, number, whole)
            for kind, number, whole in (
                ("client", client.client, self._client_rate),
                ("tenant", client.tenant, tenant_rate),
                ("address", place.address, self._address_rate),
            )
            if whole
        )

    def _limits_of_tenant(self, client: ClientIdentity) -> tuple[int | None, int | None]:
        """Return how many connections and requests a second all of a tenant may have together.

        Invited guests have nothing in common: each is counted as a client is, and by its address.
        """
        if client.tenant == NO_TENANT:
            return None, None
        connections, requests = self._per_tenant, self._tenant_rate
        own = self.tenants.get(client.tenant)
        if own is not None and own.most_connections is not None:
            connections = own.most_connections or None
        if own is not None and own.most_requests is not None:
            requests = own.most_requests
        return connections, requests

    def _let_go(self, place: Place) -> None:
        for rate in place.rates:
            rate.users -= 1
        place.rates = ()

    def leave(self, place: Place) -> None:
        """Forget a connection that was let in."""
        self._addresses.leave(place.address)
        self._of_tenant.leave(place.client.tenant)
        self._clients.leave(place.client.client)
        place.account.connections -= 1
        self._let_go(place)

    def tick(self) -> None:
        """Divide anew what is counted in all workers, and report what was refused; once a second."""
        for (kind, number), rate in list(self._rates.items()):
            if rate.shed:
                log.warning(
                    "requests_shed",
                    count=rate.shed,
                    limit=rate.whole,
                    cure=f"have the {kind} ask less often, or raise its requests a second",
                    **({} if kind == "address" else {kind: number}),
                )
                rate.shed = 0
            elif not rate.users:
                del self._rates[kind, number]
                continue
            rate.divide(self._shares[kind](number))
        self.turns.tidy()

    def _rate(self, kind: str, number: int, whole: int) -> Rate:
        rate = self._rates.get((kind, number))
        if rate is None or rate.whole != whole:
            rate = self._rates[kind, number] = Rate(whole, number)
        rate.users += 1
        rate.divide(self._shares[kind](number))
        return rate
