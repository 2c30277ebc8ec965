"""A client that listens without a network, and deliveries to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from strongroom.conformance.endpoint import polite
from strongroom.conformance.trees import child
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.operation import Request
from strongroom.domain.outgoing import EndpointUnreachable, Exchange, Outgoing, Subscription
from strongroom.model.convert import decoder
from strongroom.operations.catalogue import all_operations_of_clients
from strongroom.operations.to_client.notify import NotifyRequest
from strongroom.operations.to_client.put import PutRequest
from strongroom.registry import Operation, Tag, Version
from strongroom.scheduler.courier import Courier
from strongroom.wire import binary
from strongroom.wire.item import Item
from tests.kms import ALICE, TestKms

SUBSCRIPTIONS = {"alice": Subscription(put=True, notify=True)}


class Listening:
    """A client's endpoint as the courier sees it: what it was asked, and what it answers."""

    def __init__(self) -> None:
        self.up = True
        self.answers: Callable[[bytes], bytes] = polite
        self.asked: list[tuple[Version, Request[Any]]] = []
        self.tries = 0

    def open(self, client: ClientIdentity) -> AbstractAsyncContextManager[Exchange] | None:
        return self._open() if client.name in SUBSCRIPTIONS else None

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Exchange]:
        self.tries += 1
        if not self.up:
            raise EndpointUnreachable("nobody listens")
        yield self.exchange

    async def exchange(self, message: bytes) -> bytes:
        root = binary.decode(message)
        self.asked.append((_version(root), _request(root)))
        return self.answers(message)

    def told(self) -> list[PutRequest | NotifyRequest]:
        """Return and forget what was asked of objects."""
        asked, self.asked = self.asked, []
        return [request for _, request in asked if isinstance(request, PutRequest | NotifyRequest)]


def _version(root: Item) -> Version:
    protocol = child(root[2][0], Tag.PROTOCOL_VERSION)
    assert protocol is not None
    return Version(*(leaf[2] for leaf in protocol[2]))


def _request(root: Item) -> Request[Any]:
    operation, payload = (child(root[2][1], tag) for tag in (Tag.OPERATION, Tag.REQUEST_PAYLOAD))
    assert operation is not None
    assert payload is not None
    spec = all_operations_of_clients()[Operation(operation[2])]
    request: Request[Any] = decoder(spec.request, _version(root))(payload[2])
    return request


def courier(kms: TestKms, listening: Listening, *, client: ClientIdentity = ALICE, **more: Any) -> Courier:
    """Return a worker's deliveries; each call is another worker."""
    return Courier(
        kms.repository,
        kms.clock,
        subscribers=lambda: [client],
        subscriptions=SUBSCRIPTIONS,
        endpoints=listening,
        **more,
    )


def deliver(kms: TestKms, worker: Courier) -> None:
    """Let a worker look once, and end what it began."""

    async def look() -> None:
        await worker.tidy(kms.clock.now())
        for task in list(worker._visits.values()):
            await task

    kms.run(look())


def waiting(kms: TestKms) -> list[Outgoing]:
    """Return what waits for Alice."""
    kept = kms.run(kms.repository.entries_of(Outgoing, ALICE.tenant, ALICE.client))
    return [one.value for one in kept]
