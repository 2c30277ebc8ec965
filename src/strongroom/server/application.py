"""What a worker serves: the engine over an opened store.

Rule: wiring only. It loads everything that answering a request needs, so import it before the workers fork.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from typing import Final

from strongroom.domain.audit import AuditChain
from strongroom.domain.backups import Snapshot
from strongroom.domain.clients import ClientRecord, ClientStore
from strongroom.domain.clock import SystemClock
from strongroom.domain.context import Policy
from strongroom.domain.doubts import Doubt
from strongroom.domain.identity import ClientId, ClientIdentity, TenantId
from strongroom.domain.outgoing import Outgoing
from strongroom.domain.ports import WrappedKeys
from strongroom.domain.randomness import Seeding
from strongroom.domain.store import ObjectStore
from strongroom.engine.dispatch import Dispatcher
from strongroom.engine.guesses import Tally
from strongroom.engine.quotas import QuotaLimits
from strongroom.engine.streams import StreamLimits
from strongroom.engine.used_ivs import forget_ivs
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.scheduler.chaining import Chaining
from strongroom.scheduler.courier import Courier
from strongroom.scheduler.dates import DateNotices
from strongroom.scheduler.timetable import Job, Timetable
from strongroom.scheduler.verification import Verifier
from strongroom.server.address import parse_listening
from strongroom.server.auditing import COMPARED_WITHIN, WorkerAudit
from strongroom.server.certificates.authorities import open_all
from strongroom.server.certificates.crl import RevocationListKeeper
from strongroom.server.certificates.expiry import EndingCertificates
from strongroom.server.clients.directory import ClientDirectory
from strongroom.server.clients.pending import Strangers
from strongroom.server.clients.provisioning import ClientProvisioning
from strongroom.server.clients.stored import StoredClients, seal_older_records
from strongroom.server.config import Settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.engine import make_dispatcher, make_rotations
from strongroom.server.errors import OperatorError
from strongroom.server.listening.endpoints import ClientEndpoints, subscriptions
from strongroom.server.logs import get_logger
from strongroom.server.neighbours import WorkerSockets
from strongroom.server.ports import RootKeys
from strongroom.server.root.change import RootKeyChange
from strongroom.server.standing import CURE, behind, reason
from strongroom.store.records import Backend
from strongroom.store.repository import Repository
from strongroom.store.sealing import StoreKeys
from strongroom.store.verification import verify
from strongroom.wire.limits import Limits

log = get_logger()

GLANCE: Final = 0.5
"""Seconds for what stands outside the store, where whoever was revoked is shut out after that."""


class ClientsInForce:
    """Who may connect: nobody until the worker has read the records."""

    def __init__(self) -> None:
        self.directory: ClientDirectory | None = None

    def __call__(self, client: ClientId) -> ClientIdentity | None:
        return None if self.directory is None else self.directory.in_force(client)

    def tenants(self) -> Collection[TenantId]:
        """Return the tenants that have clients."""
        return () if self.directory is None else self.directory.tenants()

    def records(self) -> Sequence[ClientRecord]:
        """Return every record that the worker has read."""
        return () if self.directory is None else self.directory.records

    def named(self, names: Collection[str]) -> Iterator[ClientIdentity]:
        """Yield those who have one of these names."""
        if names and self.directory is not None:
            yield from (client for client in self.directory.all_in_force() if client.name in names)


class KmipApplication:
    """Everything behind the listeners of one worker; see `ports.Application`."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        backend: Backend,
        store: ObjectStore,
        clients: ClientsInForce,
        neighbours: WorkerSockets,
        endpoints: ClientEndpoints,
        courier: Courier,
        provisioning: ClientProvisioning,
        root_key_change: RootKeyChange,
        verifier: Verifier,
        audit: WorkerAudit,
        chain: AuditChain,
        *,
        strangers: Strangers,
        wrapped: Sequence[WrappedKeys],
        jobs: Mapping[str, Job],
        shared: bool,
    ) -> None:
        self._backend = backend
        self.store = store
        self._spread: Callable[[], Awaitable[None]] | None = None
        self._neighbours = neighbours
        self._clients = clients
        self._backlog = dispatcher.transactions.backlog
        self._read_requirements = dispatcher.refresh
        self._endpoints = endpoints
        self._courier = courier
        self._provisioning = provisioning
        self._root_key_change = root_key_change
        self._verifier = verifier
        self.wrapped = wrapped
        self._audit = audit
        self._chain = chain
        self.turned_away = audit.turned_away
        self._timetable = Timetable(SystemClock(), jobs)
        self.clients: ClientStore = StoredClients(store)
        self.shared = shared
        self.reject = dispatcher.reject
        self.refuse = dispatcher.refuse
        self.shed = dispatcher.shed
        self.lay_down = dispatcher.lay_down
        self.answer = dispatcher.answer
        self.strangers = strangers.note
        # Bound once: this is called for every request.
        self.handle = dispatcher.handle
        self.attend = courier.attend

    async def ask(self, client: ClientIdentity, question: Outgoing) -> None:
        if self._endpoints.open(client) is None:
            raise OperatorError(f"client {client.name} has no endpoint; set client.{client.name}.endpoint")
        await self._courier.post(client, question)

    async def refresh(self) -> None:
        try:
            await self.compare(within=GLANCE)
        except OperatorError as error:
            log.error("store_not_compared", error=str(error))
        await self.store.read_doubts()
        await self._read_requirements()

    async def work(self, directory: ClientDirectory, spread: Callable[[], Awaitable[None]]) -> None:
        self._provisioning.on_change = spread
        self._provisioning.by_rule = directory.by_rule
        self._root_key_change.spread = spread
        self._verifier.on_distrust = spread
        self._clients.directory = directory
        self._endpoints.find = directory.find
        self._audit.compare = self._compare_and_tell
        self._audit.forward(self._chain)
        self._spread = spread
        await self._timetable.run()

    async def close(self) -> None:
        await self._neighbours.close()
        self._backlog.close()
        self._courier.close()
        await self._audit.close(self._chain)
        await self._backend.close()

    async def _compare_and_tell(self) -> None:
        before = self.store.read_only
        await self.compare()
        if self.store.read_only != before and self._spread is not None:
            await self._spread()

    async def compare(self, within: float = COMPARED_WITHIN) -> None:
        """See whether the store is as far as was signed for; it is read-only while it is not.

        What stands outside it has so many seconds to answer. Raises StoreFailure and OperatorError.
        """
        before = self.store.read_only
        missed = await behind(self.store, self._chain, await self._audit.marks(within))
        self.store.read_only = reason(missed[0]) if missed else None
        self._audit.held = bool(missed)
        if missed and self.store.read_only != before:
            log.error(
                "store_rolled_back", place=missed[0].place, position=missed[0].changes.position, cure=CURE
            )

    def health(self) -> Mapping[str, str]:
        found = {
            "audit": self._audit.problem,
            "store": self.store.read_only,
            "root key": self._root_key_change.problem,
        }
        return {part: problem for part, problem in found.items() if problem is not None}


async def open_application(
    backend: Backend,
    settings: Settings,
    root_key: RootKeys,
    neighbours: WorkerSockets,
    endpoints: ClientEndpoints,
    make_provisioning: Callable[[ClientStore], ClientProvisioning],
    take_snapshot: Callable[[], AbstractAsyncContextManager[Snapshot]],
    audit: WorkerAudit,
    *,
    first: bool,
    tally: Tally,
    directory: DataDirectory,
    wrapped: Sequence[WrappedKeys],
    shared: bool,
) -> KmipApplication:
    """Connect to the store and return what serves it.

    `first`: of the workers of this server, this one verifies the store at the start. `tally` counts wrong
    credentials with the others. Raises StoreUnavailable,
    RootKeyError and OperatorError.
    """
    await backend.start()
    keys = StoreKeys(root_key)
    keys.load(await backend.store_keys())
    repository = Repository(
        backend, keys, cache_size=settings.cache.size, cache_seconds=settings.cache.lifetime
    )
    await seal_older_records(repository, directory.clients_sealed)
    provisioning = make_provisioning(StoredClients(repository))
    clients = ClientsInForce()
    wanted = subscriptions(settings)
    courier = Courier(
        repository,
        SystemClock(),
        subscribers=lambda: clients.named(wanted),
        subscriptions=wanted,
        endpoints=endpoints,
        hand_back=settings.deadlines.roles,
    )
    dispatcher = make_dispatcher(
        repository,
        _policy(settings),
        clients,
        limits=_limits(settings),
        streams=_stream_limits(settings),
        quotas=QuotaLimits(
            client_objects=settings.limits.objects_per_client,
            tenant_objects=settings.limits.objects_per_tenant,
            tenant_bytes=settings.limits.bytes_per_tenant,
        ),
        https=settings.advertised(parse_listening(settings.https)),
        neighbours=neighbours,
        subscriptions=wanted,
        outgoing=courier,
        provisioning=provisioning,
        audit=audit.log,
        tally=tally,
        remembered_for=timedelta(seconds=settings.cache.lifetime),
    )
    await dispatcher.refresh()
    await neighbours.start(dispatcher.handle_passed_on, clients)
    strangers = Strangers(repository, settings.clients.pending)
    keeper = RevocationListKeeper(directory, clients.records, lambda: open_all(directory, root_key))
    root_key_change = RootKeyChange(root_key, wrapped, repository, shared=shared)
    jobs: dict[str, Job] = {
        "unknown certificates": strangers.tidy,
        "certificates that end": EndingCertificates(
            repository, clients.records, timedelta(days=settings.clients.warn_days)
        ).tidy,
        "revocation list": keeper.tidy,
        "remembered answers": dispatcher.tidy,
        "requests that wait": dispatcher.transactions.backlog.tidy,
        "tickets": dispatcher.tickets.tidy,
        "requests that may be repeated": dispatcher.transactions.repeats.tidy,
        "PKCS#11 applications": dispatcher.applications.tidy,
        "approvals": dispatcher.transactions.guard.approvals.tidy,
        "deletion windows": dispatcher.transactions.guard.tidy,
        "used IVs": partial(forget_ivs, repository),
        "root key": root_key_change,
    }
    chain = repository.chain
    jobs["audit checkpoints"] = partial(audit.look, chain)
    if shared:  # else the one writer chains events as they come
        jobs["audit chain"] = Chaining(chain)
    verifier = Verifier(
        repository,
        lambda: _verify(take_snapshot, backend, keys),
        SystemClock(),
        interval=timedelta(seconds=settings.verification.interval),
        at_start=first and settings.verification.at_start == "on",
    )
    jobs["verification"] = verifier
    if settings.policy.rotation == "on":
        jobs["rotations"] = make_rotations(repository, dispatcher.transactions, clients.tenants)
    if wanted:
        jobs["messages to clients"] = courier.tidy
        jobs["dates"] = DateNotices(repository, dispatcher.transactions.outbox.subscription, courier).tidy
    application = KmipApplication(
        dispatcher,
        backend,
        repository,
        clients,
        neighbours,
        endpoints,
        courier,
        provisioning,
        root_key_change,
        verifier,
        audit,
        chain,
        strangers=strangers,
        wrapped=wrapped,
        jobs=jobs,
        shared=shared,
    )
    await application.compare()
    return application


async def _verify(
    take_snapshot: Callable[[], AbstractAsyncContextManager[Snapshot]], backend: Backend, keys: StoreKeys
) -> AsyncIterator[Doubt]:
    async with take_snapshot() as snapshot:
        keys.load(await backend.store_keys())
        async for doubt in verify(snapshot, keys):
            yield doubt


def _policy(settings: Settings) -> Policy:
    policy = settings.policy
    return Policy(
        legacy=policy.legacy == "on",
        lease_time=policy.lease_time,
        ticket_lifetime=policy.ticket_lifetime,
        maximum_locate_items=policy.maximum_locate_items,
        rng_seed=Seeding(policy.rng_seed),
        count_uses=policy.count_uses == "on",
        issuer=None if policy.issuer is None else UniqueIdentifier(policy.issuer),
        certificate_lifetime=timedelta(days=policy.certificate_days),
        time_stamp_window=timedelta(seconds=policy.time_stamp_window) if policy.time_stamp_window else None,
        iv_reuse=policy.iv_reuse == "allow",
        idempotency={
            name: timedelta(seconds=client.idempotency)
            for name, client in settings.client.items()
            if client.idempotency
        },
    )


def _stream_limits(settings: Settings) -> StreamLimits:
    limits = settings.limits
    return StreamLimits(
        streams=limits.streams,
        per_client=limits.streams_per_client,
        per_tenant=limits.streams_per_tenant or None,
        size=limits.stream_size,
        held=limits.stream_buffer,
        idle=timedelta(seconds=limits.stream_idle),
    )


def _limits(settings: Settings) -> Limits:
    limits = settings.limits
    return Limits(
        message_size=limits.message_size,
        depth=limits.depth,
        items=limits.items,
        batch_items=limits.batch_items,
    )
