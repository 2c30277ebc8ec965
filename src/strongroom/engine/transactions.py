"""One batch item, or a batch that is undone as a whole: done, recorded, committed.

Rule: authorisation, transaction and audit of what is done are here and nowhere else, whoever asks for it: a
message, a request that has waited, a part of the server itself. What stops it is raised.
"""

import asyncio
import random
from typing import Any, Final

from strongroom.domain import turn
from strongroom.domain.audit import SUCCESS, AuditEvent
from strongroom.domain.context import Context
from strongroom.domain.errors import (
    FeatureNotSupported,
    KmipError,
    ResponseTooLarge,
    ServerFailure,
)
from strongroom.domain.identity import Connection
from strongroom.domain.operation import OperationSpec, Request
from strongroom.domain.store import Changes, LostRace
from strongroom.domain.store_failures import StoreFailure
from strongroom.engine.answers import Answers
from strongroom.engine.backlog import RequestBacklog
from strongroom.engine.batch import BatchMemory
from strongroom.engine.failures import Failures
from strongroom.engine.idempotency import Repeats
from strongroom.engine.later import Later, polled
from strongroom.engine.nesting import Nesting
from strongroom.engine.outbox import Outbox
from strongroom.engine.plans import Plan, Plans
from strongroom.engine.quotas import Quotas
from strongroom.engine.references import Told, made_by, told, told_in, with_links, without
from strongroom.engine.remembering import Remembering
from strongroom.engine.request import BatchItem, RequestMessage
from strongroom.engine.room import LARGE_ANSWERS, taken
from strongroom.engine.run import Condition, Done, Run
from strongroom.engine.safeguards import Guard
from strongroom.engine.services import Services
from strongroom.engine.streams import RequestStreams
from strongroom.engine.tickets import charge, charge_rights
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.model.convert import encoder
from strongroom.model.dialect import dialect_of
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.messages import RequestHeader
from strongroom.model.structures import ProtocolVersion
from strongroom.operations.poll import PollResponse
from strongroom.procedures.factory import check_constraints
from strongroom.procedures.policies import check_policies
from strongroom.registry import NEWEST, Operation, Version
from strongroom.registry.names import VALUES
from strongroom.wire.item import STRUCTURE, Item

ATTEMPTS: Final = 64
"""How often a unit of work is run when other changes of the same object keep coming first."""

MANY: Final = 1000
"""Items of a message that is read beside the event loop: that may take a hundred times as long as to read an
ordinary request, and other clients would wait."""

LONG: Final = 8 * MANY
"""Bytes of a message that may have as many: an item takes 8 or more."""

_OWN_HEADER: Final = RequestHeader(
    protocol_version=ProtocolVersion(protocol_version_major=NEWEST.major, protocol_version_minor=NEWEST.minor)
)
"""Of what the server does without having been sent a message."""


def event_of(
    run: Run, item: BatchItem, objects: tuple[UniqueIdentifier, ...], found: int | None
) -> AuditEvent:
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


class Transactions:
    """Does operations; safe to use from any number of connections of one event loop."""

    def __init__(
        self,
        services: Services,
        plans: Plans,
        remembering: Remembering,
        failures: Failures,
    ) -> None:
        self._services = services
        self._by_request = {spec.request: spec for spec in services.operations.values()}
        self._plans = plans
        self._remembering = remembering
        self._audit = services.audit
        self._failures = failures
        self.guard = Guard(services.store, services.clients, services.on_failure)
        self.quotas = Quotas(services.store, services.quotas)
        self.repeats = Repeats(services.store, services.policy.idempotency)
        self.outbox = Outbox(services.store, services.clients, services.subscriptions)
        self.later = Later(self, failures, services.streams)
        self.backlog = RequestBacklog(
            services.store, services.clock, self.later, services.clients, services.on_failure
        )

    async def transact(self, run: Run, item: BatchItem) -> Item:
        """Do one batch item and commit it; raises what stopped it."""
        cleared = self._remembering.cleared
        for attempt in range(ATTEMPTS):
            if attempt:
                run.streams.rewind()
            work = self.unit_of_work(run)
            known = await self.again(run, item, work)
            if known is not None:
                size = taken(known, item, run.room)
                if run.room is not None:
                    run.room -= size
                self._audit.record(event_of(run, item, tuple(work.made.values()), None))
                work.keep(item.operation)
                return known
            result, size = await self.perform(run, item, work, run.room)
            changes = work.changes()
            if changes.essential and self.note(run, item, work, result):
                changes = work.changes()
            if not changes:
                event = event_of(run, item, work.touched(), work.found)
                touched = bool(event.objects) or event.found is not None
                if touched:
                    self._audit.record(event)
                await self._remembering.read(run, item, work, result, event if touched else None, cleared)
            elif not await self.commit(work, changes, [Done(item, work.touched(), work.found)], run, attempt):
                continue
            else:
                self._remembering.made(run, work)
            work.keep(item.operation)
            run.streams.keep()
            if run.room is not None:
                run.room -= size
            return result
        raise ServerFailure("the object is being changed by too many requests at once; try again")

    async def was_begun(self, run: Run, work: UnitOfWork) -> bool:
        """Tell whether any item of a request was done before under its name."""
        return self.repeats.knows(run) and await self.repeats.begun(run, work)

    async def again(self, run: Run, item: BatchItem, work: UnitOfWork) -> Item | None:
        """Return the answer of an item that was done before under its name, None for a new one."""
        return await self.repeats.again(run, item, work) if self.repeats.knows(run) else None

    def note(self, run: Run, item: BatchItem, work: UnitOfWork, result: Item) -> bool:
        """Have the answer of an item kept, if it has a name; tell whether that is a change of its own."""
        if not self.repeats.knows(run):
            return False
        return self.repeats.note(run, item, self._services.operations[item.operation or 0], work, result)

    async def perform(
        self, run: Run, item: BatchItem, work: UnitOfWork, room: int | None
    ) -> tuple[Item, int]:
        """Run the operation without committing it; return its batch item and, where it matters, the size."""
        if item.error is not None:
            raise item.error
        version = run.request.version
        plan = self._plans.find(item.operation, version)
        spec = plan.spec
        if not spec.undoable and run.request.undo:
            raise FeatureNotSupported(f"{spec.name} cannot be undone; send it outside of a batch with Undo")
        several = len(run.request.items) > 1 or run.awaited is not None
        payload = item.payload or []
        request = None
        if item.another is None:
            request = await self._read(plan, work.fill_in(payload) if several else payload, run)
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
        if item.another is None:
            response = await spec.handler(context, request)
        else:
            response = await item.another(context)
        work.computed = None if context.again is None else (context.again, response)
        work.another, work.sought = context.another, context.sought
        work.check_made()
        if caller.rights is not None:
            await charge_rights(work, caller, spec.operation)
        effects = work.effects(exports=caller.tenant in self.guard.laid_down)
        if effects:
            await self.guard.allow(run, work, spec, request, effects)
            await self.backlog.answers.withdraw(run, work, effects)
        work.made = made_by(spec.operation, response)
        created, rewritten = work.created(), work.rewritten()
        new = [*created, *(r.after for r in rewritten if r.replaced)]
        if new:
            await check_constraints(work.entries, caller, new, run.now)
        if (created or rewritten) and self.quotas.apply(caller.tenant):
            await self.quotas.check(caller, created, rewritten)
        await check_policies(work.entries, work.policies())
        if isinstance(response, PollResponse) and request is not None:
            result = polled(response, item, run, request.asynchronous_correlation_value)
            if several:
                # It stands in the answer, so it counts; but by the name of its operation it is not meant.
                self._tell(run, work, told_in(result)._replace(operation=int(spec.operation)))
        else:
            fields = plan.encode(response)
            if several:
                self._tell(run, work, told(item.operation or 0, fields))
            if item.ephemeral is not None:
                fields = without(fields, item.ephemeral, item.operation or 0)
            result = run.answers.success(spec.operation, item.unique_batch_item_id, fields)
        return result, taken(result, item, room)

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
        changes.events = [event_of(run, *one) for one in done]
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
        if work.ends:
            self.guard.material_is_gone()
        caller = run.connection.client
        if changes.objects and self.quotas.apply(caller.tenant):
            made = [obj for obj in changes.objects if not obj.generation]
            self.quotas.note(caller, made, work.rewritten())
        if changes.clients and self._services.provisioning is not None:
            await self._services.provisioning.spread()
        if self._services.outgoing is not None:
            for subscriber in subscribers:
                self._services.outgoing.wake(subscriber)
        return True

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
        plan = self._plans.find(item.operation, version)
        # What its links lead to is known when it is done.
        plan.decode(with_links(item.payload or [], lambda _: UniqueIdentifier("")))
        return plan.spec

    def unit_of_work(self, run: Run) -> UnitOfWork:
        """Return a unit of work for items of the request."""
        return UnitOfWork(self._services.store, run.memory, caller=run.connection.client, now=run.now)

    async def _read(self, plan: Plan, payload: list[Item], run: Run) -> Any:
        """Return the request in a payload; one of many items is read beside the event loop."""
        aside, message = self._services.aside, run.message
        short = message is not None and len(message) <= LONG
        if short or aside is None or not _has_many(payload, MANY):
            return plan.decode(payload)
        return await aside.run(plan.decode, payload)

    def _tell(self, run: Run, work: UnitOfWork, what: Told) -> None:
        """Let later items know what this one gives; raises ResponseTooLarge for more than is kept."""
        most = LARGE_ANSWERS * self._services.limits.message_size
        if what.data is not None and run.memory.data.size + len(what.data) > most:
            raise ResponseTooLarge("the Data of all answers of the batch are longer than the server keeps")
        work.told = what


def _has_many(items: list[Item], many: int) -> bool:
    """Tell whether there are more than `many` items, those inside others included."""
    left, heaps = many - len(items), [items]
    while heaps and left >= 0:
        for _, kind, value in heaps.pop():
            if kind == STRUCTURE:
                left -= len(value)
                heaps.append(value)
                if left < 0:
                    break
    return left < 0
