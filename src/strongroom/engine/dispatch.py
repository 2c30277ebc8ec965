"""One request message to one response message, for every listener and encoding.

Rule: batch loop, authorisation, transaction, audit and error answers are here and nowhere else. An operation
raises to stop; this module turns what it raised into an answer of the request's version.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from strongroom.domain import turn
from strongroom.domain.audit import SUCCESS, AuditEvent, AuditUnavailable
from strongroom.domain.context import Context
from strongroom.domain.errors import (
    InvalidMessage,
    KmipError,
    OperationNotSupported,
    ResponseTooLarge,
    ServerFailure,
    ServerLimitExceeded,
)
from strongroom.domain.identity import Connection
from strongroom.domain.operation import OperationSpec, Request
from strongroom.domain.store import Changes, LostRace, StoreFailure
from strongroom.domain.tenants import Tenant
from strongroom.domain.turn import Pace
from strongroom.engine.answers import Answers
from strongroom.engine.applications import Applications
from strongroom.engine.authenticate import Authenticator
from strongroom.engine.backlog import RequestBacklog
from strongroom.engine.batch import BatchMemory
from strongroom.engine.correlation import LENGTH, Correlation, correlate
from strongroom.engine.failures import Failures
from strongroom.engine.idempotency import Repeats
from strongroom.engine.later import Later, polled
from strongroom.engine.memory import (
    AnswerMemory,
    HeaderMemory,
    RememberedAnswer,
    repeatable,
    true_until,
)
from strongroom.engine.neighbours import PassedOn, owner
from strongroom.engine.nesting import Nesting
from strongroom.engine.outbox import Outbox
from strongroom.engine.quotas import Quotas
from strongroom.engine.references import Told, made_by, told, without
from strongroom.engine.request import (
    BadHeader,
    BatchItem,
    RequestMessage,
    check_time_stamp,
    read_request,
    version_of,
)
from strongroom.engine.run import Condition, Done, Run
from strongroom.engine.safeguards import Guard
from strongroom.engine.services import Services
from strongroom.engine.streams import RequestStreams
from strongroom.engine.tickets import DelegatedTicketUsedUp, Tickets, charge
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.engine.users import Users
from strongroom.model.convert import decoder, encoder
from strongroom.model.dialect import dialect_of
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.messages import RequestHeader
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import ProtocolVersion
from strongroom.operations.poll import PollResponse
from strongroom.procedures.factory import check_constraints
from strongroom.procedures.policies import check_policies
from strongroom.registry import NEWEST, V1_0, AsynchronousIndicator, Operation, Version
from strongroom.registry.names import VALUES
from strongroom.wire import binary
from strongroom.wire.encodings import Encoder
from strongroom.wire.errors import DecodeError, EncodeError
from strongroom.wire.item import STRUCTURE, Item

ATTEMPTS: Final = 64
"""How often a unit of work is run when other changes of the same object keep coming first."""

_HEADER_ROOM: Final = 160
"""Bytes that the header of a response takes at most, correlation values aside."""

_NAMES_ROOM: Final = 24 + LENGTH
"""Bytes that both of them take, the client's own characters aside."""

_LATER: Final = frozenset({AsynchronousIndicator.MANDATORY, AsynchronousIndicator.OPTIONAL})
"""Whoever accepts to wait is made to: that is one rule for what may take long and what may not."""

_LARGE_ANSWERS: Final = 4
"""How many answers of the size of the largest message the answer to a batch has room for, so that a small
request cannot make the server hold the same large object thousands of times over."""


LONG: Final = 64 * 1024
"""Bytes of a message that is read beside the event loop: what is in it may take a hundred times as long to
read as an ordinary request, and other clients would wait."""

_MANY: Final = 1000
"""Items of such a message, where its length is not known."""

_OWN_HEADER: Final = RequestHeader(
    protocol_version=ProtocolVersion(protocol_version_major=NEWEST.major, protocol_version_minor=NEWEST.minor)
)
"""Of what the server does without having been sent a message."""


class _Plan(NamedTuple):
    """How one operation is done in one version."""

    spec: OperationSpec
    decode: Callable[..., Any]
    encode: Callable[..., list[Item]]


def _event(run: Run, item: BatchItem, objects: tuple[UniqueIdentifier, ...], found: int | None) -> AuditEvent:
    """Return the record of a batch item that succeeded."""
    client = run.connection.client
    return AuditEvent(
        at=run.now,
        client=client.client,
        tenant=client.tenant,
        peer=run.connection.peer,
        operation=VALUES["Operation"][item.operation or 0].name,
        outcome=SUCCESS,
        objects=objects,
        acting=client.acting,
        user=client.user,
        correlation=None if run.correlation is None else run.correlation.logged,
        found=found,
    )


class Dispatcher:
    """Answers request messages; safe to use from any number of connections of one event loop."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._by_request = {spec.request: spec for spec in services.operations.values()}
        self._plans: dict[tuple[int, Version], _Plan] = {}
        self._headers = HeaderMemory()
        self._answers = AnswerMemory(services.remembered_answers)
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
        self.guard = Guard(services.store, services.clients, services.on_failure)
        self.quotas = Quotas(services.store, services.quotas)
        self.repeats = Repeats(services.store, services.policy.idempotency)
        self.outbox = Outbox(services.store, services.clients, services.subscriptions)
        self._later = Later(self, self._failures, services.streams)
        self.backlog = RequestBacklog(
            services.store, services.clock, self._later, services.clients, services.on_failure
        )

    def lay_down(self, tenants: Mapping[int, Tenant]) -> None:
        """Have tenants be limited as the administrator has laid down for them, by their numbers."""
        self.quotas.tenants = self._services.streams.tenants = tenants

    async def handle(self, message: bytes, connection: Connection) -> bytes:
        """Return the response message to a TTLV request message; raises only CancelledError."""
        known = self._answers.find(connection.client, message)
        if known is not None and connection.client.username is None:
            again = await self._again(known, message, connection)
            if again is not None:
                return again
        try:
            known_until = self._headers.end_of_known(message)
            aside, limits = self._services.aside, self._services.limits
            if len(message) <= LONG or aside is None:
                root = binary.decode(message, limits, known_until=known_until)
            else:
                turn.client.set(connection.client.client)
                root = await aside.run(binary.decode, message, limits, known_until=known_until)
        except ServerFailure as error:
            refused, items = self._refuse(version_of(message), error, connection)
            return refused.encode(items)
        except DecodeError as error:
            return self.reject(error, connection)
        answers, items = await self._respond(root, connection, message)
        return answers.encode(items)

    async def handle_passed_on(self, message: bytes, connection: Connection) -> bytes:
        """Return the response to a message that a neighbour has passed on; see `engine.neighbours`."""
        try:
            root = binary.decode(message, self._services.limits)
        except DecodeError as error:
            return self.reject(error, connection)
        answers, items = await self._respond(root, connection, message, passed_on=True)
        return answers.encode(items)

    async def _again(self, known: RememberedAnswer, message: bytes, connection: Connection) -> bytes | None:
        """Return a remembered answer, None when it would be different now."""
        now = self._services.clock.now()
        try:
            if await known.still_true(connection.client, now, self._services.store):
                if known.record is not None:
                    self._audit.record_again(known.record, now, connection.peer)
                return Answers(known.version, now).frame(known.item, 1)
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
        try:
            return answers.write(items, encode)
        except EncodeError as error:
            # What is done is done, but only what a client has stored can hold such a text: it was a read.
            told = ServerFailure(f"{error}; ask for it in TTLV")
            answers, items = self._refuse(answers.version, told, connection)
            return answers.write(items, encode)

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
            request = read_request(root, message, self._headers, most_items=self._services.limits.batch_items)
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
        except BadHeader as refusal:
            return self._refuse(refusal.version, refusal.error, connection, refusal.item)
        except DelegatedTicketUsedUp as error:
            return self._refuse(request.version, error, connection, request.items[0], correlation)
        except KmipError as error:
            return self._refuse(request.version, error, connection, correlation=correlation)
        except DecodeError as error:
            return self._refuse(V1_0, InvalidMessage(str(error)), connection)
        now = self._services.clock.now()
        room = header.maximum_response_size
        if room is not None:
            room -= _HEADER_ROOM + (
                0 if correlation is None else _NAMES_ROOM + len(correlation.client.encode())
            )
        if len(request.items) > _LARGE_ANSWERS:
            most = _LARGE_ANSWERS * self._services.limits.message_size
            room = most if room is None else min(room, most)
        run = Run(
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
        try:
            if header.asynchronous_indicator in _LATER:
                return run.answers, await self._keep(run)
            items = await (self._all_or_nothing(run) if request.undo else self._one_by_one(run))
            if connection.roles is not None and connection.roles.wanted:
                connection.roles.wanted = False
                connection.roles.turned = request.version
        finally:
            run.streams.end_claimed()  # nothing is claimed unless the request was cancelled
        return run.answers, items

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

    async def _one_by_one(self, run: Run) -> list[Item]:
        """Do the batch, each item a transaction of its own (Stop and Continue)."""
        results: list[Item] = []
        pace = Pace()
        for position, item in enumerate(run.request.items):
            if position:
                await pace()
            try:
                result = await self.transact(run, item)
            except Exception as exc:  # noqa: BLE001 - the edge: every failure becomes an answer
                run.streams.end_claimed()
                error = self._failures.explain(exc, run.request.version, position, run.message)
                error = self._failures.record(item, error, run.connection, run.now, run.correlation)
                results.append(run.answers.failure(item.operation, item.unique_batch_item_id, error))
                if not run.request.goes_on:
                    break
                continue
            results.append(result)
        return results

    async def transact(self, run: Run, item: BatchItem) -> Item:
        """Do one batch item and commit it; raises what stopped it."""
        for attempt in range(ATTEMPTS):
            if attempt:
                run.streams.rewind()
            work = self._unit_of_work(run)
            repeats = self.repeats.knows(run)
            if repeats and (known := await self.repeats.again(run, item, work)) is not None:
                self._audit.record(_event(run, item, tuple(work.made.values()), None))
                work.keep()
                return known
            result, size = await self.perform(run, item, work, run.room)
            changes = work.changes()
            if repeats and changes.essential:
                self.repeats.note(run, item, work, result)
                changes = work.changes()
            if not changes:
                event = _event(run, item, work.touched(), work.found)
                touched = bool(event.objects) or event.found is not None
                if touched:
                    self._audit.record(event)
                self._remember(run, item, work, result, event if touched else None)
            elif not await self.commit(work, changes, [Done(item, work.touched(), work.found)], run, attempt):
                continue
            work.keep()
            run.streams.keep()
            if run.room is not None:
                run.room -= size
            return result
        raise ServerFailure("the object is being changed by too many requests at once; try again")

    def _remember(
        self, run: Run, item: BatchItem, work: UnitOfWork, result: Item, event: AuditEvent | None
    ) -> None:
        """Remember the answer to a read that stands alone in its message, and how it is recorded."""
        message, spec = run.message, self._services.operations[item.operation or 0]
        if not spec.repeatable or message is None or len(run.request.items) > 1:
            return
        if not repeatable(run.request.header):
            return
        sources = work.sources()
        if (
            work.entries.asked
            or not work.searches.lasting
            or not all(map(self._services.store.keeps, sources))
        ):
            return
        answer = RememberedAnswer(
            run.request.version,
            binary.encode(result),
            None if event is None else self._audit.repeated(event),
            spec.needs,
            run.connection.client.access,
            sources,
            work.searches.version,
            run.now,
            true_until(sources, run.now),
        )
        self._answers.keep(run.connection.client, message, answer)

    async def _keep(self, run: Run) -> list[Item]:
        """Keep the batch, to be done soon, and answer that its items are pending (KMIP 1.4 §6.7)."""
        try:
            batch, results = await self._later.take_in(run)
            if batch is None:
                return [result for result in results if result is not None]
            work = self._unit_of_work(run)
            key = await self.backlog.keep(batch, work)
            for item, result in zip(run.request.items, results, strict=False):
                if result is None:  # it is done without the ticket, which therefore pays now
                    await charge(work, run.connection.client, Operation(item.operation or 0))
            await work.commit(work.changes())
        except Exception as exc:  # noqa: BLE001 - the edge: every failure becomes an answer
            error = self._failures.explain(exc, run.request.version, 0, run.message)
            error = self._failures.record(None, error, run.connection, run.now, run.correlation)
            return [run.answers.failure(None, None, error)]
        self.backlog.begin(run.connection.client.tenant, key)
        return self._later.answers(run, key, results)

    async def _all_or_nothing(self, run: Run) -> list[Item]:
        """Do the batch as one transaction (Undo)."""
        items = run.request.items
        failing, results, pace = 0, list[Item](), Pace()
        try:
            for attempt in range(ATTEMPTS):
                run.memory = BatchMemory()
                run.streams.rewind()
                work, room = self._unit_of_work(run), run.room
                results.clear()
                done: list[Done] = []
                repeats = self.repeats.knows(run)
                if repeats and (known := await self._all_again(run, work)):
                    return known
                for failing, item in enumerate(items):  # noqa: B007 - says which item failed
                    await pace()
                    result, size = await self.perform(run, item, work, room)
                    if repeats:
                        self.repeats.note(run, item, work, result)
                    work.keep()
                    room = None if room is None else room - size
                    results.append(result)
                    done.append(Done(item, work.touched(), work.found))
                changes = work.changes()
                if not changes:
                    for item, objects, found in done:
                        if objects or found is not None:
                            self._audit.record(_event(run, item, objects, found))
                if not changes or await self.commit(work, changes, done, run, attempt):
                    run.streams.keep()
                    return results
            raise ServerFailure("the objects are being changed by too many requests at once; try again")
        except Exception as exc:  # noqa: BLE001 - the edge: every failure becomes an answer
            run.streams.end_claimed()
            if run.connection.roles is not None:
                run.connection.roles.wanted = False
            error = self._failures.explain(exc, run.request.version, failing, run.message)
        failed = items[failing]
        error = self._failures.record(failed, error, run.connection, run.now, run.correlation)
        undone = [run.answers.undone(result) for result in results[:failing]]
        return [*undone, run.answers.failure(failed.operation, failed.unique_batch_item_id, error)]

    async def _all_again(self, run: Run, work: UnitOfWork) -> list[Item]:
        """Return the answers of a batch that was done before as one transaction; none for a new one."""
        results, events = list[Item](), list[AuditEvent]()
        for item in run.request.items:
            result = await self.repeats.again(run, item, work)
            if result is None:
                return []
            results.append(result)
            events.append(_event(run, item, tuple(work.made.values()), None))
        for event in events:
            self._audit.record(event)
        return results

    def _unit_of_work(self, run: Run) -> UnitOfWork:
        return UnitOfWork(self._services.store, run.memory, caller=run.connection.client, now=run.now)

    async def carry_out(
        self, operation: Operation, request: Request[Any], connection: Connection, condition: Condition
    ) -> None:
        """Do one operation for a part of the server itself, if `condition` holds; raises what stopped it.

        All else is as for a client's request: authorised for the caller of `connection`, committed with an
        audit event, run again (the condition first) after a lost race.
        """
        turn.client.set(connection.client.client)
        now = self._services.clock.now()
        item = BatchItem(operation=int(operation), payload=encoder(type(request), NEWEST)(request))
        run = Run(
            request=RequestMessage(NEWEST, _OWN_HEADER, [item]),
            connection=connection,
            now=now,
            answers=Answers(NEWEST, now),
            memory=BatchMemory(),
            streams=RequestStreams(self._services.streams, connection.client, now),
            message=None,
            room=None,
            condition=condition,
        )
        try:
            await self.transact(run, item)
        except KmipError as error:
            self._failures.record(item, error, connection, now, None)
            raise

    def check(self, item: BatchItem, version: Version) -> OperationSpec:
        """Return the operation of an item whose payload can be read; raises what is wrong with it."""
        if item.error is not None:
            raise item.error
        plan = self._plan(item.operation or 0, version)
        plan.decode(item.payload)
        return plan.spec

    async def perform(
        self, run: Run, item: BatchItem, work: UnitOfWork, room: int | None
    ) -> tuple[Item, int]:
        """Run the operation without committing it; return its batch item and, where it matters, the size."""
        if item.error is not None:
            raise item.error
        version = run.request.version
        plan = self._plans.get((item.operation or 0, version)) or self._plan(item.operation or 0, version)
        spec = plan.spec
        several = len(run.request.items) > 1
        payload = item.payload or []
        request = await self._read(plan, run.memory.data.fill_in(payload) if several else payload, run)
        caller = run.connection.client
        work.begin(spec.needs, spec.operation)
        if run.condition is not None:
            await run.condition(work)
        if caller.ticket is not None:
            await charge(work, caller, spec.operation)
        context = Context(
            caller=caller,
            now=run.now,
            objects=work,
            entries=work.entries,
            crypto=self._services.crypto,
            streams=run.streams,
            nested=Nesting(work, self._by_request),
            policy=self._services.policy,
            client_log=self._services.client_log,
            backlog=self.backlog,
            server=self._services.server,
            dialect=dialect_of(version),
            roles=run.connection.roles,
            provisioning=self._services.provisioning,
        )
        response = await spec.handler(context, request)
        work.check_made()
        effects = work.effects(exports=caller.tenant in self.guard.laid_down)
        if effects:
            await self.guard.allow(run, work, spec, request, effects)
        work.made = made_by(spec.operation, response)
        created = work.created()
        if created:
            await check_constraints(work.entries, caller, created)
            await self.quotas.check(caller, created)
        await check_policies(work.entries, work.policies())
        if isinstance(response, PollResponse):
            result = polled(response, item, run, request.asynchronous_correlation_value)
        else:
            fields = plan.encode(response)
            if several:
                self._tell(run, work, told(item.operation or 0, fields))
            if item.ephemeral is not None:
                fields = without(fields, item.ephemeral, item.operation or 0)
            result = run.answers.success(spec.operation, item.unique_batch_item_id, fields)
        if room is None:
            return result, 0
        size = len(binary.encode(result))
        if size > room:
            raise ResponseTooLarge(
                "the answer is longer than the Maximum Response Size, or all answers of the batch are longer"
                " than the server sends at once; nothing was changed"
            )
        return result, size

    async def _read(self, plan: _Plan, payload: list[Item], run: Run) -> Any:
        """Return the request in a payload; that of a long message is read beside the event loop."""
        aside, message = self._services.aside, run.message
        long = _has_many(payload, _MANY) if message is None else len(message) > LONG
        if not long or aside is None:
            return plan.decode(payload)
        return await aside.run(plan.decode, payload)

    def _tell(self, run: Run, work: UnitOfWork, what: Told) -> None:
        """Let later items know what this one gives; raises ResponseTooLarge for more than is kept."""
        most = _LARGE_ANSWERS * self._services.limits.message_size
        if what.data is not None and run.memory.data.size + len(what.data) > most:
            raise ResponseTooLarge("the Data of all answers of the batch are longer than the server keeps")
        work.told = what

    async def commit(
        self,
        work: UnitOfWork,
        changes: Changes,
        done: list[Done],
        run: Run,
        attempt: int,
    ) -> bool:
        """Commit the changes with their audit events; False when another change came first."""
        self._audit.check()
        changes.events = [_event(run, *one) for one in done]
        version = None if run.condition is not None else run.request.version  # of no client's choice
        subscribers = await self.outbox.add(changes, work.sources(), run.now, version)
        try:
            await work.commit(changes)
        except LostRace:
            if attempt > 2:
                await asyncio.sleep(random.uniform(0, 0.002 * attempt))  # noqa: S311 - spreads contenders
            return False
        except StoreFailure as failure:
            if changes.essential:
                raise
            self._services.on_failure(failure)
            for event in changes.events:
                self._audit.record(event)
        if any(obj.removed or obj.destroyed for obj in changes.objects):
            self.guard.material_is_gone()
        made = [obj for obj in changes.objects if not obj.generation]
        if made:
            self.quotas.note(run.connection.client, made)
        if changes.clients and self._services.provisioning is not None:
            await self._services.provisioning.spread()
        if self._services.outgoing is not None:
            for subscriber in subscribers:
                self._services.outgoing.wake(subscriber)
        return True

    async def refresh(self) -> None:
        """Take over what tenants have laid down; raises StoreFailure."""
        if await self.guard.refresh():
            # What may be given out has changed.
            self._answers = AnswerMemory(self._services.remembered_answers)

    def _plan(self, operation: int, version: Version) -> _Plan:
        """Return how to do an operation, and remember it; raises OperationNotSupported."""
        spec = self._services.operations.get(operation)
        if spec is None or not spec.in_version(version):
            entry = VALUES["Operation"].get(operation)
            name = f"operation 0x{operation:08X}" if entry is None else entry.spec_name
            raise OperationNotSupported(f"{name} is not supported in KMIP {version}; Query lists what is")
        plan = _Plan(spec, decoder(spec.request, version), encoder(spec.response, version))
        self._plans[operation, version] = plan
        return plan


def _has_many(items: list[Item], many: int) -> bool:
    """Tell whether there are more than `many` items, those inside others included."""
    left, heaps = many, [items]
    while heaps and left >= 0:
        heap = heaps.pop()
        left -= len(heap)
        heaps += [item[2] for item in heap if item[1] == STRUCTURE]
    return left < 0
