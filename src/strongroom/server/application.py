"""What a worker serves: the engine over an opened store.

Rule: wiring only. It loads everything that answering a request needs, so import it before the workers fork.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

from strongroom.domain.clients import ClientStore
from strongroom.domain.clock import SystemClock
from strongroom.domain.context import Policy
from strongroom.domain.identity import ClientId, ClientIdentity
from strongroom.domain.ports import RootKey
from strongroom.domain.randomness import Seeding
from strongroom.engine.dispatch import Dispatcher
from strongroom.engine.streams import StreamLimits
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.scheduler.rotation import Rotations
from strongroom.scheduler.timetable import Timetable
from strongroom.server.address import parse_listening
from strongroom.server.config import Settings
from strongroom.server.engine import make_dispatcher, make_rotations
from strongroom.server.neighbours import WorkerSockets
from strongroom.server.stored_clients import StoredClients
from strongroom.store.records import Backend
from strongroom.store.repository import Repository
from strongroom.store.sealing import StoreKeys
from strongroom.wire.limits import Limits

FindClient: TypeAlias = Callable[[ClientId], ClientIdentity | None]


class ClientsInForce:
    """Who may connect: nobody until the worker has read the records."""

    def __init__(self) -> None:
        self.find: FindClient = lambda client: None

    def __call__(self, client: ClientId) -> ClientIdentity | None:
        return self.find(client)


class KmipApplication:
    """Everything behind the listeners of one worker; see `ports.Application`."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        backend: Backend,
        clients: ClientsInForce,
        neighbours: WorkerSockets,
        *,
        rotations: Rotations | None,
        shared: bool,
    ) -> None:
        self._backend = backend
        self._neighbours = neighbours
        self._clients = clients
        self._backlog = dispatcher.backlog
        self._timetable = Timetable(
            SystemClock(),
            {
                "requests that wait": self._backlog.tidy,
                "tickets": dispatcher.tickets.tidy,
                "PKCS#11 applications": dispatcher.applications.tidy,
            },
        )
        if rotations is not None:
            self._timetable.add("rotations", rotations)
        self.clients: ClientStore = StoredClients(backend)
        self.shared = shared
        self.reject = dispatcher.reject
        self.refuse = dispatcher.refuse
        self.answer = dispatcher.answer
        # Bound once: this is called for every request.
        self.handle = dispatcher.handle

    async def work(self, clients: FindClient) -> None:
        self._clients.find = clients
        await self._timetable.run()

    async def close(self) -> None:
        await self._neighbours.close()
        self._backlog.close()
        await self._backend.close()


async def open_application(
    backend: Backend, settings: Settings, root_key: RootKey, neighbours: WorkerSockets, *, shared: bool
) -> KmipApplication:
    """Connect to the store and return what serves it. Raises StoreUnavailable, RootKeyError and
    OperatorError."""
    await backend.start()
    keys = StoreKeys(root_key)
    keys.load(await backend.store_keys())
    repository = Repository(
        backend, keys, cache_size=settings.cache.size, cache_seconds=settings.cache.lifetime
    )
    clients = ClientsInForce()
    dispatcher = make_dispatcher(
        repository,
        _policy(settings),
        clients,
        limits=_limits(settings),
        streams=_stream_limits(settings),
        https=settings.advertised(parse_listening(settings.https)),
        neighbours=neighbours,
    )
    await neighbours.start(dispatcher.handle_passed_on, clients)
    rotations = make_rotations(repository, dispatcher) if settings.policy.rotation == "on" else None
    return KmipApplication(dispatcher, backend, clients, neighbours, rotations=rotations, shared=shared)


def _policy(settings: Settings) -> Policy:
    policy = settings.policy
    return Policy(
        legacy=policy.legacy == "on",
        lease_time=policy.lease_time,
        ticket_lifetime=policy.ticket_lifetime,
        maximum_locate_items=policy.maximum_locate_items,
        rng_seed=Seeding(policy.rng_seed),
        issuer=None if policy.issuer is None else UniqueIdentifier(policy.issuer),
        certificate_lifetime=timedelta(days=policy.certificate_days),
    )


def _stream_limits(settings: Settings) -> StreamLimits:
    limits = settings.limits
    return StreamLimits(
        streams=limits.streams,
        per_client=limits.streams_per_client,
        size=limits.stream_size,
        held=limits.stream_buffer,
        idle=timedelta(seconds=limits.stream_idle),
    )


def _limits(settings: Settings) -> Limits:
    limits = settings.limits
    return Limits(message_size=limits.message_size, depth=limits.depth, items=limits.items)
