"""One request message to one response message, for every listener and encoding.

Rule: what holds for a message as a whole (its header, its caller, its answer) is here and nowhere else. What
its items ask for is done in `batches.py` and `transactions.py`.
"""

import contextlib
from collections.abc import Mapping
from datetime import datetime

from strongroom.domain import turn
from strongroom.domain.audit import AuditUnavailable
from strongroom.domain.errors import (
    InvalidMessage,
    KmipError,
    ServerFailure,
    ServerLimitExceeded,
)
from strongroom.domain.identity import Connection
from strongroom.domain.store_failures import StoreFailure
from strongroom.domain.tenants import Tenant
from strongroom.engine.answers import Answer, Answers, joined
from strongroom.engine.applications import Applications
from strongroom.engine.authenticate import Authenticator
from strongroom.engine.batch import BatchMemory
from strongroom.engine.batches import Batches
from strongroom.engine.computations import Computations
from strongroom.engine.correlation import Correlation, correlate
from strongroom.engine.creations import Creations
from strongroom.engine.failures import Failures
from strongroom.engine.memory import AnswerMemory, HeaderMemory, RememberedAnswer
from strongroom.engine.named import NamedSearches
from strongroom.engine.neighbours import PassedOn, owner
from strongroom.engine.plans import Plans
from strongroom.engine.remembering import Remembering
from strongroom.engine.request import (
    BadHeader,
    BatchItem,
    RequestMessage,
    check_time_stamp,
    read_request,
    version_of,
)
from strongroom.engine.room import room_of
from strongroom.engine.run import Run
from strongroom.engine.services import Services
from strongroom.engine.slices import is_long, let_go
from strongroom.engine.streams import RequestStreams
from strongroom.engine.texts import write
from strongroom.engine.tickets import DelegatedTicketUsedUp, Tickets
from strongroom.engine.transactions import LONG, MANY, Transactions
from strongroom.engine.users import Users
from strongroom.model.secret import SecretBytes
from strongroom.registry import V1_0, Version
from strongroom.wire import binary
from strongroom.wire.encodings import Encoder
from strongroom.wire.errors import DecodeError, EncodeError
from strongroom.wire.item import Item


class Dispatcher:
    """Answers request messages; safe to use from any number of connections of one event loop."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._headers = HeaderMemory()
        self._answers = AnswerMemory(services.remembered_answers)
        self._computations = Computations(services)
        self._creations = Creations(enabled=bool(services.remembered_answers))
        self._named = NamedSearches(services, self._answers)
        self._forget_at: datetime | None = None
        self._audit = services.audit
        self._failures = Failures(services.audit, services.on_event, services.on_failure)
        self.tickets = Tickets(services.store, services.clients)
        self.applications = Applications(services.store)
        self._authenticator = Authenticator(
            services.check_password,
            services.on_ignored_credential,
            services.clock,
            self.tickets,
            Users(services.store, services.crypto, services.guesses),
            services.guesses,
        )
        plans = Plans(services.operations)
        remembering = Remembering(
            services, plans, self._answers, self._computations, self._creations, self._named
        )
        self.transactions = Transactions(services, plans, remembering, self._failures)
        self._batches = Batches(services, self.transactions, self._failures)

    def lay_down(self, tenants: Mapping[int, Tenant]) -> None:
        """Have tenants be limited as the administrator has laid down for them, by their numbers."""
        self.transactions.quotas.tenants = self._services.streams.tenants = tenants

    async def refresh(self) -> None:
        """Take over what tenants have laid down; raises StoreFailure."""
        if await self.transactions.guard.refresh():
            # What may be given out has changed.
            self._forget()

    async def tidy(self, now: datetime) -> None:
        """Forget from time to time what is remembered: it may hold keys that are gone. Streams do, too."""
        self._services.streams.expire(now)
        lifetime = self._services.remembered_for
        # The clock may have been set back meanwhile.
        if self._forget_at is None or not now < self._forget_at <= now + lifetime:
            self._forget_at = now + lifetime
            self._forget()

    def _forget(self) -> None:
        self._answers.clear()
        self._computations.clear()
        self._creations.clear()
        self._named.clear()

    async def handle(self, message: bytes, connection: Connection) -> Answer:
        """Return the response message to a TTLV request message; raises only CancelledError."""
        known = self._answers.find(connection.client, message)
        if known is not None and connection.client.username is None:
            again = await self._again(known, message, connection)
            if again is not None:
                return again
        computation = self._computations.find(connection.client, message)
        if computation is not None and connection.client.username is None:
            computed = await self._computations.again(computation, message, connection)
            if computed is not None:
                return computed
        search = self._named.find(connection.client, message)
        if search is not None and connection.client.username is None:
            found = await self._named.again(search, message, connection)
            if found is not None:
                return found
        request = self._creations.find(connection.client, message)
        if request is not None and connection.client.username is None:
            turn.client.set(connection.client.client)
            run = self._run(request, connection, None)
            return run.answers.answer(await self._batches.answer(run))
        return await self._in_full(message, connection, passed_on=False)

    async def handle_passed_on(self, message: bytes, connection: Connection) -> bytes:
        """Return the response to a message that a neighbour has passed on; see `engine.neighbours`."""
        return joined(await self._in_full(message, connection, passed_on=True))

    async def _in_full(self, message: bytes, connection: Connection, *, passed_on: bool) -> Answer:
        """Return the response to a message of which nothing is remembered."""
        try:
            known_until = self._headers.end_of_known(message)
            aside, beside, limits = self._services.aside, None, self._services.limits
            if len(message) <= LONG or aside is None or binary.end_of(message, MANY) is None:
                root = binary.decode(message, limits, known_until=known_until)
            else:
                beside = aside
                turn.client.set(connection.client.client)
                root = await aside.run(binary.decode, message, limits, known_until=known_until)
        except ServerFailure as error:
            refused, items = self._refuse(version_of(message), error, connection)
            return refused.encode(items)
        except DecodeError as error:
            return self.reject(error, connection)
        answers, items = await self._respond(root, connection, message, passed_on=passed_on)
        if beside is not None:
            with contextlib.suppress(ServerFailure):  # too much waits for that: then it is done here, at once
                await beside.run(let_go, root[2])
        if is_long(items) and isinstance(answers, Answers):
            return await answers.long_answer(items)
        return answers.answer(items)

    async def _again(self, known: RememberedAnswer, message: bytes, connection: Connection) -> bytes | None:
        """Return a remembered answer, None when it would be different now."""
        now = self._services.clock.now()
        try:
            if await known.basis.holds(connection.client, now, self._services.store):
                if known.record is not None:
                    self._audit.record_again(known.record, now, connection.peer)
                return Answers(known.version, now).frame(known.item)
        except (StoreFailure, AuditUnavailable):
            pass  # done again in full, the request says what is wrong
        self._answers.forget(connection.client, message)
        return None

    def reject(self, error: DecodeError, connection: Connection) -> bytes:
        """Return the answer to bytes that are not a message."""
        answers, items = self._refuse(V1_0, InvalidMessage(str(error)), connection)
        return answers.encode(items)

    def shed(self, message: bytes, _connection: Connection) -> bytes:
        """Return the answer to a request that comes too soon after too many others."""
        answers = Answers(version_of(message), self._services.clock.now())
        sentence = "more requests a second than the limit allows; nothing was done, try again in a second"
        return answers.encode([answers.failure(None, None, ServerLimitExceeded(sentence))])

    async def answer(self, root: Item, connection: Connection, encode: Encoder) -> bytes:
        """Return the response to a decoded request, in an encoding other than TTLV."""
        answers, items = await self._respond(root, connection, None)
        response, version, aside = answers.message(items), answers.version, self._services.aside
        try:
            return await write(response, version, encode, aside)
        except EncodeError:
            now = self._services.clock.now()
            sayable = await self._failures.sayable(response, version, encode, connection, now)
            return await write(sayable, version, encode, aside)

    def refuse(self, error: DecodeError, connection: Connection, encode: Encoder) -> bytes:
        """Return the answer to text that is not a message, in the encoding that it should have had."""
        answers, items = self._refuse(V1_0, InvalidMessage(str(error)), connection)
        return answers.write(items, encode)

    async def _respond(
        self, root: Item, connection: Connection, message: bytes | None, *, passed_on: bool = False
    ) -> tuple[Answers | PassedOn, list[Item]]:
        """Return the batch items of the response; `message` are the TTLV bytes, for offsets in errors."""
        proof: SecretBytes | None = None
        correlation: Correlation | None = None
        turn.client.set(connection.client.client)
        try:
            most_items = self._services.limits.batch_items
            request = await read_request(root, message, self._headers, most_items=most_items)
            header = request.header
            check_time_stamp(header, self._services.clock.now(), self._services.policy.time_stamp_window)
            neighbours = self._services.neighbours
            if neighbours is not None and not passed_on:
                name = owner(request.items, neighbours.name)
                if name is not None:  # before the credential is looked at: that is done once, over there
                    ttlv = binary.encode(root) if message is None else message
                    answer = await neighbours.answer(name, ttlv, connection)
                    if answer is not None:
                        return PassedOn(request.version, answer), []
            correlation = correlate(header.client_correlation_value, request.version)
            if header.authentication is not None or connection.client.username is not None:
                login = await self._authenticator.verify(connection.client, header.authentication)
                # Who acts for another does so with single requests: the connection is not the other's.
                roles = connection.roles if login.caller.ticket is None else None
                connection = Connection(client=login.caller, peer=connection.peer, roles=roles)
                proof = login.server_hashed_password
            room = room_of(request, correlation, self._services.limits.message_size)
        except BadHeader as refusal:
            return self._refuse(refusal.version, refusal.error, connection, refusal.item)
        except DelegatedTicketUsedUp as error:
            return self._refuse(request.version, error, connection, request.items[0], correlation)
        except KmipError as error:
            return self._refuse(request.version, error, connection, correlation=correlation)
        except DecodeError as error:
            return self._refuse(V1_0, InvalidMessage(str(error)), connection)
        run = self._run(request, connection, message, correlation, proof, room)
        try:
            items = await self._batches.answer(run)
            if connection.roles is not None and connection.roles.wanted:
                connection.roles.wanted = False
                connection.roles.turned = request.version
        finally:
            run.streams.end_claimed()  # nothing is claimed unless the request was cancelled
        return run.answers, items

    def _run(
        self,
        request: RequestMessage,
        connection: Connection,
        message: bytes | None,
        correlation: Correlation | None = None,
        proof: SecretBytes | None = None,
        room: int | None = None,
    ) -> Run:
        """Return a request as it sets out."""
        now = self._services.clock.now()
        return Run(
            request,
            connection,
            now,
            Answers(request.version, now, correlation, proof),
            BatchMemory(),
            RequestStreams(self._services.streams, connection.client, now),
            message,
            room,
            correlation=correlation,
        )

    def _refuse(
        self,
        version: Version,
        error: KmipError,
        connection: Connection,
        item: BatchItem | None = None,
        correlation: Correlation | None = None,
    ) -> tuple[Answers, list[Item]]:
        """Return the answer to a request that is refused as a whole, in the place of the item to blame."""
        now = self._services.clock.now()
        error = self._failures.record(None, error, connection, now, correlation)
        answers = Answers(version, now, correlation)
        if item is None:
            return answers, [answers.failure(None, None, error)]
        return answers, [answers.failure(item.operation, item.unique_batch_item_id, error)]
