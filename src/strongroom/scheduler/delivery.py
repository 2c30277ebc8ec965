"""What waits for one client, sent over one connection.

Rule: in order, each message until it is answered. An answer ends a message whatever it says; what is no
answer ends the connection, and the message waits for the next. Nobody is told what it could not ask for.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import structlog

from strongroom.domain.access import may
from strongroom.domain.acts import Act, Safeguards
from strongroom.domain.clock import Clock
from strongroom.domain.entries import Kept
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request
from strongroom.domain.outgoing import Exchange, Outgoing
from strongroom.domain.permission import Permission
from strongroom.domain.sight import own
from strongroom.domain.store import ObjectStore
from strongroom.domain.store_failures import DamagedEntry, TamperedRecord
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.engine.effects import PUBLIC
from strongroom.engine.entries import forget, forget_damaged
from strongroom.engine.outgoing import Answer, Unsayable, payload, read, version_for, write
from strongroom.operations.to_client.discover_versions import ClientVersionsResponse
from strongroom.operations.to_client.query import ClientQueryResponse
from strongroom.registry import V1_3, ObjectType, Operation, QueryFunction, Version
from strongroom.scheduler.lease import Lease

ASK_AGAIN: Final = timedelta(days=1)

_PAGE: Final = 32
_LONGEST_LIST: Final = 16
_LONGEST_TEXT: Final = 255
_QUESTIONS: Final = (
    Outgoing(operation=Operation.DISCOVER_VERSIONS),
    Outgoing(
        operation=Operation.QUERY,
        query_function=(
            QueryFunction.QUERY_OPERATIONS,
            QueryFunction.QUERY_OBJECTS,
            QueryFunction.QUERY_SERVER_INFORMATION,
        ),
    ),
)
"""What a client is asked at the first contact, and once a day."""

_NEEDS: Final = {
    Operation.PUT: (Permission.GET, Permission.READ_ATTRIBUTES),
    Operation.NOTIFY: (Permission.READ_ATTRIBUTES,),
}
"""What a client needs on an object to be told of it: what it would need to ask for the same."""

_ABOUT_OBJECTS: Final = frozenset(_NEEDS)

log = structlog.get_logger()


async def oldest(store: ObjectStore, client: ClientIdentity, most: int) -> Sequence[Kept[Outgoing]]:
    """Return what waits longest for a client, of so many messages; raises StoreFailure.

    One that cannot be read is forgotten: nobody can say what it was, and it would keep all others back.
    """
    damaged: list[DamagedEntry] = []
    found = await store.entries_of(Outgoing, client.tenant, client.client, most, damaged=damaged.append)
    for one in damaged:
        log.error("message_damaged", client=client.name, error=str(one))
        await forget_damaged(store, Outgoing, one)
    return found


class Delivery:
    """Delivers while the lease is held.

    `fixed` is the version that the administrator has set for the client, None where the messages decide;
    `usual` that of messages which no request has caused.
    """

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        lease: Lease,
        *,
        client: ClientIdentity,
        exchange: Exchange,
        fixed: Version | None,
        usual: Version,
    ) -> None:
        self._store = store
        self._clock = clock
        self._lease = lease
        self._client = client
        self._exchange = exchange
        self._fixed = fixed
        self._usual = usual

    async def run(self) -> bool:
        """Deliver until nothing waits, and tell whether anything did.

        Raises EndpointUnreachable, StoreFailure, LostRace.
        """
        found = False
        while page := await oldest(self._store, self._client, _PAGE):
            found = True
            await self._introduce(page[0].value)
            for kept in page:
                await self._lease.keep()
                await self._send(kept)
        return found

    def _wanted(self, message: Outgoing) -> Version:
        """Return the version that a message is wanted in."""
        protocol = message.protocol_version
        if self._fixed is not None or protocol is None:
            return self._fixed or self._usual
        return Version(protocol.protocol_version_major, protocol.protocol_version_minor)

    # Questions

    async def _introduce(self, first: Outgoing) -> None:
        """Ask the client what it speaks, if it was not asked lately; before 1.3 there was no asking.

        It is noted first, so that a client that hangs up on the question gets its messages all the same.
        """
        now, asked_at = self._clock.now(), self._lease.value.asked_at
        if first.operation not in _ABOUT_OBJECTS or self._wanted(first) < V1_3:
            return
        if asked_at is not None and now < asked_at + ASK_AGAIN:
            return
        await self._lease.note(self._lease.value.replace(asked_at=now, protocol_version=()))
        for question in _QUESTIONS:
            asked = question.replace(protocol_version=first.protocol_version)
            await self._learn(await self._exchanged(asked, payload(asked, None, now)))

    async def _learn(self, answer: Answer) -> None:
        """Keep what a client says of itself; what this server does not know it has no use for."""
        said, value = answer.response, self._lease.value
        if isinstance(said, ClientVersionsResponse):
            value = value.replace(protocol_version=said.protocol_version[:_LONGEST_LIST])
            told: object = [
                f"{v.protocol_version_major}.{v.protocol_version_minor}" for v in value.protocol_version
            ]
        elif isinstance(said, ClientQueryResponse):
            operations = (one for one in said.operation if isinstance(one, Operation))
            objects = (one for one in said.object_type if isinstance(one, ObjectType))
            vendor = said.vendor_identification
            value = value.replace(
                operation=tuple(dict.fromkeys(operations)),
                object_type=tuple(dict.fromkeys(objects)),
                vendor_identification=None if vendor is None else vendor[:_LONGEST_TEXT],
            )
            told = [one.name for one in (*value.operation, *value.object_type)]
        else:
            log.info("client_says_nothing", client=self._client.name, answer=answer.refusal)
            return
        log.info("client_described", client=self._client.name, says=told, vendor=value.vendor_identification)
        await self._lease.note(value)

    # Messages

    async def _send(self, kept: Kept[Outgoing]) -> None:
        message, now = kept.value, self._clock.now()
        facts = {
            "client": self._client.name,
            "operation": message.operation.name,
            "object": message.unique_identifier,
        }
        try:
            obj = await self._object(message)
            self._require_permission(message, obj)
            request = payload(message, obj, now)
            await self._require_no_approval(obj)
            answer = await self._exchanged(message, request)
        except (Unsayable, TamperedRecord) as error:
            log.warning("message_withheld", **facts, reason=str(error))
        else:
            if message.operation not in _ABOUT_OBJECTS:
                await self._learn(answer)
            elif answer.response is None:
                log.warning("message_refused", **facts, answer=answer.refusal)
            else:
                log.info("client_told", **facts)
        await forget(self._store, kept)

    async def _exchanged(self, message: Outgoing, request: Request[Any]) -> Answer:
        """Send a request and return the answer; raises Unsayable, EndpointUnreachable."""
        version = version_for(request, self._wanted(message), self._lease.value.protocol_version)
        return read(request, await self._exchange(write(request, version)), version)

    def _require_permission(self, message: Outgoing, obj: ManagedObject | None) -> None:
        """Return if the client could ask for what it is told; raises Unsayable."""
        if obj is None:
            return
        for permission in _NEEDS.get(message.operation, ()):
            if not may(self._client, permission, obj, self._clock.now()):
                raise Unsayable(f"the client may not {permission.value} it")

    async def _require_no_approval(self, obj: ManagedObject | None) -> None:
        """Return if what goes out conceals its secrets, or nobody has to approve that; raises Unsayable."""
        if obj is None or not obj.revealed or obj.object_type in PUBLIC:
            return
        laid_down = await self._store.load_entry(Safeguards, SYSTEM_TENANT, str(obj.tenant))
        if laid_down is not None and laid_down.value.votes(Act.EXPORT):
            raise Unsayable("its tenant lets keys go out in clear only with approval; the client may Get it")

    async def _object(self, message: Outgoing) -> ManagedObject | None:
        """Return the object of a message as it is now, None when the client has it no more."""
        if message.unique_identifier is None:
            return None
        client = self._client
        stored = await self._store.load(client.tenant, message.unique_identifier, own(client.client))
        if stored is None or stored.owner != client.client:
            return None
        obj = stored.copy()
        obj.settle(self._clock.now())
        return obj
