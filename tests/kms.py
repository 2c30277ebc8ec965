"""A whole key manager in one object, for tests of operations: real codec, real engine, real store in a file.

What is not real: the network, and the clock, which a test may move.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from strongroom.domain.context import Policy
from strongroom.domain.identity import DEFAULT_TENANT, ClientId, ClientIdentity, Connection
from strongroom.domain.operation import Request, Response
from strongroom.domain.outgoing import Subscription
from strongroom.domain.ports import RootKey
from strongroom.domain.provisioning import Provisioning
from strongroom.engine.answers import joined
from strongroom.engine.dispatch import Dispatcher
from strongroom.engine.streams import StreamLimits
from strongroom.model.attribute_list import AttributeInstance, Attributes, TemplateAttributes
from strongroom.model.convert import decoder, encoder
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.messages import RequestHeader, ResponseBatchItem, ResponseHeader
from strongroom.model.structures import Name, ProtocolVersion
from strongroom.operations.catalogue import all_operations
from strongroom.operations.create import CreateRequest
from strongroom.registry import (
    V1_4,
    V3_0,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectType,
    ResultReason,
    ResultStatus,
    Tag,
    Version,
)
from strongroom.rootkey.file import FileRootKey, create
from strongroom.server.engine import make_dispatcher
from strongroom.store.migrate import migrate
from strongroom.store.postgres import PostgresBackend
from strongroom.store.records import Backend
from strongroom.store.repository import Repository
from strongroom.store.sealing import StoreKeys
from strongroom.store.sqlite import InlineSqliteBackend
from strongroom.store.url import SqliteUrl, StoreUrl
from strongroom.wire import binary
from strongroom.wire.item import Item

R = TypeVar("R", bound=Response)
T = TypeVar("T")

ALICE = ClientIdentity(client=ClientId(1), tenant=DEFAULT_TENANT, name="alice")
BOB = ClientIdentity(client=ClientId(2), tenant=DEFAULT_TENANT, name="bob")


class Refused(Exception):
    """The server answered a batch item with a failure."""

    def __init__(self, item: ResponseBatchItem) -> None:
        super().__init__(f"{item.result_reason!r}: {item.result_message}")
        self.reason: ResultReason | None = item.result_reason
        self.message = item.result_message or ""


class MovableClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def pass_time(self, **span: float) -> None:
        self.time += timedelta(**span)


class TestKms:
    """A key manager on a store in `directory`; making another on the same directory is a restart.

    `store` is a PostgreSQL database instead. `beside` another it is a second node, which shares the root key,
    the clock and the event loop with the first, so that both may be at work at the same moment.
    """

    __test__ = False

    def __init__(
        self,
        directory: Path,
        *,
        store: StoreUrl | None = None,
        beside: "TestKms | None" = None,
        clock: MovableClock | None = None,
        policy: Policy | None = None,
        streams: StreamLimits | None = None,
        subscriptions: Mapping[str, Subscription] | None = None,
    ) -> None:
        self.directory = directory
        self._owns_loop = beside is None
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop() if beside is None else beside.loop
        self.clock: MovableClock = clock or (MovableClock() if beside is None else beside.clock)
        self.clients = {ALICE.client: ALICE, BOB.client: BOB}
        key_file = directory / "root.key"
        if not key_file.exists():
            create(key_file)
        self.url = url = store or SqliteUrl(directory / "strongroom.db")
        migrate(url)
        self.backend: Backend = (
            InlineSqliteBackend(url.path) if isinstance(url, SqliteUrl) else PostgresBackend(url)
        )
        self.run(self.backend.start())
        self.root_key: RootKey = FileRootKey(key_file)
        self.repository = self._repository()
        self._settings = (policy, streams, subscriptions)
        self.dispatcher: Dispatcher = self._dispatcher()

    def let_in(self, provisioning: Provisioning) -> None:
        """Have new credentials of clients made (Re-Provision)."""
        self.dispatcher = self._dispatcher(provisioning)

    def forget(self) -> None:
        """Let go of everything that is kept in memory, as a restart does."""
        self.dispatcher.transactions.backlog.close()
        self.repository = self._repository()
        self.dispatcher = self._dispatcher()

    def _repository(self) -> Repository:
        keys = StoreKeys(self.root_key)
        keys.load(self.run(self.backend.store_keys()))
        return Repository(self.backend, keys)

    def _dispatcher(self, provisioning: Provisioning | None = None) -> Dispatcher:
        policy, streams, subscriptions = self._settings
        return make_dispatcher(
            self.repository,
            policy or Policy(),
            self.clients.get,
            streams=streams,
            clock=self.clock,
            subscriptions=subscriptions,
            provisioning=provisioning,
        )

    def close(self) -> None:
        self.dispatcher.transactions.backlog.close()
        self.run(self.backend.close())
        if self._owns_loop:
            self.loop.close()

    def run(self, awaitable: Awaitable[T]) -> T:
        return self.loop.run_until_complete(awaitable)

    def send(self, root: Item, caller: ClientIdentity = ALICE) -> Item:
        """Return the response message to a request message, as Items."""
        connection = Connection(client=caller, peer="127.0.0.1:1")
        return binary.decode(joined(self.run(self.dispatcher.handle(binary.encode(root), connection))))

    def batch(
        self,
        *requests: Request[Any],
        version: Version = V1_4,
        caller: ClientIdentity = ALICE,
        **header: Any,
    ) -> list[Response | Refused]:
        """Send a batch and return its results in order; fewer than requests when the batch stopped."""
        answer = self.send(request_message(*requests, version=version, **header), caller)
        results: list[Response | Refused] = []
        head = decoder(ResponseHeader, version)(answer[2][0][2])
        assert head.protocol_version == protocol(version)
        for position, child in enumerate(answer[2][1:]):
            item = decoder(ResponseBatchItem, version)(child[2])
            if item.result_status is ResultStatus.SUCCESS:
                spec = next(s for s in all_operations().values() if s.request is type(requests[position]))
                results.append(decoder(spec.response, version)(item.response_payload or []))
            else:
                results.append(Refused(item))
        return results

    def call(
        self, request: Request[R], *, version: Version = V1_4, caller: ClientIdentity = ALICE, **header: Any
    ) -> R:
        """Return the response; raises Refused."""
        (result,) = self.batch(request, version=version, caller=caller, **header)
        if isinstance(result, Refused):
            raise result
        return result  # type: ignore[return-value]

    def create_symmetric_key(
        self,
        *attributes: AttributeInstance,
        name: str | None = None,
        length: int = 256,
        mask: CryptographicUsageMask = CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.DECRYPT,
        caller: ClientIdentity = ALICE,
    ) -> UniqueIdentifier:
        """Return the identifier of a new AES key."""
        given = [
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, length),
            attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, mask),
            *attributes,
        ]
        if name is not None:
            given.append(attribute(Tag.NAME, Name(name_value=name)))
        request = CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=template(*given))
        return self.call(request, caller=caller).unique_identifier


def attribute(key: Any, value: Any, index: int | None = None) -> AttributeInstance:
    return AttributeInstance(key, value, index)


def template(*attributes: AttributeInstance) -> TemplateAttributes:
    return TemplateAttributes(attributes=Attributes(attributes))


def protocol(version: Version) -> ProtocolVersion:
    return ProtocolVersion(protocol_version_major=version.major, protocol_version_minor=version.minor)


def request_message(*requests: Request[Any], version: Version, **header: Any) -> Item:
    """Return a request message; several requests get identifiers 1, 2, ..."""
    by_request = {spec.request: spec.operation for spec in all_operations().values()}
    if version < V3_0:
        header.setdefault("batch_count", len(requests))
    head = RequestHeader(protocol_version=protocol(version), **header)
    children: list[Item] = [(int(Tag.REQUEST_HEADER), 1, encoder(RequestHeader, version)(head))]
    for number, request in enumerate(requests, 1):
        fields: list[Item] = [(int(Tag.OPERATION), 5, int(by_request[type(request)]))]
        if len(requests) > 1 and version < V3_0:
            fields.append((int(Tag.UNIQUE_BATCH_ITEM_ID), 8, bytes([number])))
        fields.append((int(Tag.REQUEST_PAYLOAD), 1, encoder(type(request), version)(request)))
        children.append((int(Tag.BATCH_ITEM), 1, fields))
    return (int(Tag.REQUEST_MESSAGE), 1, children)
