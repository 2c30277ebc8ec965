"""Delivers what waits for clients: looks for it, connects, gives up.

Rule: whatever ends a delivery, the messages stay until they are answered or given up. A client that is down
costs a try now and then, growing rarer, and a request nothing at all.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

import structlog

from strongroom.domain.clock import Clock
from strongroom.domain.entries import Kept
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.outgoing import (
    Endpoints,
    EndpointUnreachable,
    Exchange,
    Outgoing,
    Subscription,
)
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.store_failures import StoreFailure
from strongroom.engine.due import attempt_each_due
from strongroom.engine.entries import forget
from strongroom.engine.outbox import queued
from strongroom.engine.outgoing import read, version_for, write
from strongroom.operations.to_client.set_endpoint_role import ClientRoleRequest
from strongroom.registry import V1_4, EndpointRole, Version
from strongroom.scheduler.delivery import Delivery, oldest
from strongroom.scheduler.lease import Lease

MOST: Final = 10_000
"""Messages that may wait for one client; the oldest go when there are more."""

HAND_BACK: Final = 30.0
"""Seconds without a message until a client that has turned the roles of a connection gets its own back."""

_LOOK: Final = 1.0
_PAGE: Final = 32

log = structlog.get_logger()


class Courier:
    """The deliveries of one worker; see `domain.outgoing.OutgoingQueue`."""

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        *,
        subscribers: Callable[[], Iterable[ClientIdentity]],
        subscriptions: Mapping[str, Subscription],
        endpoints: Endpoints,
        hand_back: float = HAND_BACK,
    ) -> None:
        self._store = store
        self._clock = clock
        self._subscribers = subscribers
        self._subscriptions = subscriptions
        self._endpoints = endpoints
        self._hand_back = hand_back
        self._name = secrets.token_hex(8)
        self._visits: dict[int, asyncio.Task[None]] = {}
        self._attended: dict[int, asyncio.Event] = {}
        self._failing: set[int] = set()

    def wake(self, client: int) -> None:
        if client in self._attended:
            self._attended[client].set()
            return
        for one in self._subscribers():
            if one.client == client:
                self._visit_soon(one)

    async def post(self, client: ClientIdentity, message: Outgoing) -> None:
        """Let a message wait that no commit has caused, and deliver it. Raises StoreFailure."""
        change = queued(message, client.tenant, client.client, self._clock.now())
        await self._store.commit(Changes(entries=[change]))
        self.wake(client.client)

    def close(self) -> None:
        """Leave what waits to others."""
        for task in self._visits.values():
            task.cancel()

    async def tidy(self, now: datetime) -> None:
        """Give up what is too old, and deliver what a worker left behind. Raises StoreFailure."""
        failure = await attempt_each_due(self._store, Outgoing, now, _PAGE, self._give_up)
        for client in self._subscribers():
            waiting = await self._waiting(client)
            if waiting > MOST:
                await self._drop(client, waiting - MOST)
            if waiting and client.client not in self._attended:
                self._visit_soon(client)
        if failure is not None:
            raise failure

    async def _give_up(self, message: Kept[Outgoing]) -> None:
        log.warning("message_given_up", client=message.owner, operation=message.value.operation.name)
        await forget(self._store, message)

    async def _waiting(self, client: ClientIdentity) -> int:
        return await self._store.count_entries(Outgoing, client.tenant, client.client)

    async def _drop(self, client: ClientIdentity, count: int) -> None:
        """Forget the oldest messages of a client that has too many."""
        log.warning("messages_dropped", client=client.name, count=count)
        for message in await oldest(self._store, client, count):
            await forget(self._store, message)

    # Endpoints

    def _visit_soon(self, client: ClientIdentity) -> None:
        number = client.client
        if number in self._visits or self._endpoints.open(client) is None:
            return
        task = asyncio.get_running_loop().create_task(self._visit(client))
        self._visits[number] = task
        task.add_done_callback(lambda _: self._visits.pop(number, None))

    async def _visit(self, client: ClientIdentity) -> None:
        """Connect to a client's endpoint as long as something waits; the edge of a task."""
        try:
            while await self._waiting(client):
                if not await self._call_on(client):
                    return
        except LostRace:
            log.info("lease_lost", client=client.name)
        except StoreFailure as error:
            log.warning("delivery_interrupted", client=client.name, error=str(error))
        except Exception:
            log.exception("delivery_failed", client=client.name)

    async def _call_on(self, client: ClientIdentity) -> bool:
        """Deliver what waits over one connection; False when that cannot be done now, or nothing does."""
        opened = self._endpoints.open(client)
        if opened is None:
            return False
        lease = await self._take(client, patient=True)
        if lease is None:
            return False
        try:
            async with opened as exchange:
                delivered = await self._deliver(client, exchange, lease, V1_4)
        except EndpointUnreachable as error:
            pause = await lease.put_off()
            if client.client not in self._failing:  # told once, until it answers again
                self._failing.add(client.client)
                log.warning("endpoint_unreachable", client=client.name, error=str(error), pause=pause)
            return False
        self._failing.discard(client.client)
        await lease.release()
        return delivered

    async def _take(self, client: ClientIdentity, *, patient: bool) -> Lease | None:
        return await Lease.take(self._store, self._clock, client, holder=self._name, patient=patient)

    async def _deliver(
        self, client: ClientIdentity, exchange: Exchange, lease: Lease, usual: Version
    ) -> bool:
        wanted = self._subscriptions.get(client.name, Subscription())
        # Of those on whom somebody has called for a while, the rights may have changed.
        current = (one for one in self._subscribers() if one.client == client.client)
        return await Delivery(
            self._store,
            self._clock,
            lease,
            client=next(current, client),
            exchange=exchange,
            fixed=wanted.version,
            usual=usual,
        ).run()

    # Connections of clients that have turned the roles

    async def attend(self, client: ClientIdentity, exchange: Exchange, version: Version) -> None:
        """Deliver over a connection whose client has turned the roles, then give it its role back.

        `version` is that of the client's request. Raises EndpointUnreachable, also when the client refuses
        its role, and StoreFailure.
        """
        loop, number = asyncio.get_running_loop(), client.client
        news = self._attended.setdefault(number, asyncio.Event())
        quiet_since = loop.time()
        try:
            while loop.time() - quiet_since < self._hand_back:
                news.clear()
                if await self._waiting(client) and await self._attend_once(client, exchange, version):
                    quiet_since = loop.time()
                    continue
                await _either(news, min(_LOOK, self._hand_back))
        finally:
            if self._attended.get(number) is news:
                del self._attended[number]
        request = ClientRoleRequest(endpoint_role=EndpointRole.CLIENT)
        at = version_for(request, version, ())
        answer = read(request, await exchange(write(request, at)), at)
        if answer.response is None:
            raise EndpointUnreachable(f"the client does not take its role back: {answer.refusal}")

    async def _attend_once(self, client: ClientIdentity, exchange: Exchange, version: Version) -> bool:
        """Deliver what waits; False when another delivers, or nothing does."""
        lease = await self._take(client, patient=False)
        if lease is None:
            return False
        try:
            delivered = await self._deliver(client, exchange, lease, version)
            await lease.release()
        except LostRace:
            return False
        except EndpointUnreachable:
            await lease.give_way()
            raise
        return delivered


async def _either(news: asyncio.Event, seconds: float) -> None:
    """Return when there is news, at the latest after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return
