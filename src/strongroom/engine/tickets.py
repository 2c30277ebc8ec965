"""Tickets in the header of a request: who the caller becomes, and what it costs the ticket.

Rule: every request counts, also one that fails afterwards; every operation that succeeds counts, in its own
commit. See `domain.tickets`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from strongroom.domain.access import covers, reaches
from strongroom.domain.errors import InvalidTicket, ServerFailure, UsageLimitExceeded
from strongroom.domain.identity import ClientId, ClientIdentity, Grant
from strongroom.domain.rights import also_restricted
from strongroom.domain.store import LostRace, ObjectStore
from strongroom.domain.tickets import GivenTicket, key_of
from strongroom.engine.batch import BatchMemory
from strongroom.engine.due import each_due
from strongroom.engine.entries import forget
from strongroom.engine.unit_of_work import UnitOfWork
from strongroom.engine.users import may_log_in
from strongroom.model.rights import Right
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import UsageLimits
from strongroom.registry import Operation

_ATTEMPTS: Final = 64
_PAGE: Final = 100


class DelegatedTicketUsedUp(UsageLimitExceeded):
    """The request count of a delegated ticket is spent."""


class Tickets:
    """The tickets of the store; `clients` says who may still connect."""

    def __init__(self, store: ObjectStore, clients: Callable[[ClientId], ClientIdentity | None]) -> None:
        self._store = store
        self._clients = clients

    async def admit(self, caller: ClientIdentity, value: SecretBytes, now: datetime) -> ClientIdentity:
        """Return who the caller is with this ticket, one request of it spent.

        Raises InvalidTicket, whatever is wrong with it, and UsageLimitExceeded.
        """
        key = key_of(value)
        for _ in range(_ATTEMPTS):
            work = UnitOfWork(self._store, BatchMemory(), caller=caller, now=now)
            given = await work.entries.get(GivenTicket, key)
            owner = None if given is None else self._clients(ClientId(given.owner))
            if given is None or owner is None or (given.due is not None and given.due <= now):
                raise _unknown()
            ticket = given.value
            if ticket.rights is None and owner.client != caller.client:
                raise _unknown()  # a ticket of Login is good for the client that logged in
            user = ticket.user or ticket.given_by
            logged_in = replace(owner, user=user, credentials=ticket.credentials)
            if not await may_log_in(self._store, logged_in, now):
                raise _unknown()
            if ticket.request_count is None:
                return _become(owner, caller, key, ticket)
            if ticket.request_count < 1:
                kind = UsageLimitExceeded if ticket.rights is None else DelegatedTicketUsedUp
                raise kind("the Request Count of the ticket is used up; log in again")
            work.entries.put(key, ticket.replace(request_count=ticket.request_count - 1), due=given.due)
            try:
                await work.commit(work.changes())
            except LostRace:
                continue
            return _become(owner, caller, key, ticket)
        raise ServerFailure("the ticket is used by too many requests at once; try again")

    async def tidy(self, now: datetime) -> None:
        """Forget tickets whose lease has ended. Raises StoreFailure."""
        await each_due(self._store, GivenTicket, now, _PAGE, partial(forget, self._store))


async def charge(work: UnitOfWork, caller: ClientIdentity, operation: Operation) -> None:
    """Count an operation against the usage limits of the caller's ticket; raises UsageLimitExceeded."""
    if caller.ticket is None:
        return
    given = await work.entries.get(GivenTicket, caller.ticket)
    if given is None:
        raise _unknown()
    ticket = given.value.replace(usage_limits=_spend(given.value.usage_limits))
    if ticket.rights is not None:
        # Which of them it is counted against is known once it is known what it is done with.
        _one_of(ticket.rights.right, _covering(caller, operation), ())
    if ticket != given.value:
        work.entries.put(caller.ticket, ticket, due=given.due)


async def charge_rights(work: UnitOfWork, caller: ClientIdentity, operation: Operation) -> None:
    """Count an operation that was done against the rights that reach the objects it was done with.

    One use of each right that it needed, however many objects; raises UsageLimitExceeded.
    """
    if caller.ticket is None or caller.rights is None:
        return
    given = await work.entries.get(GivenTicket, caller.ticket)
    if given is None:  # it was there when the operation began, and has been ended by it (Logout)
        return
    if given.value.rights is None:
        raise _unknown()
    rights, covering = given.value.rights.right, _covering(caller, operation)
    spent = set[int]()
    done_with = work.done_with()
    for identifier, obj in done_with.items():
        reaching = [n for n in covering if reaches((caller.rights[n],), identifier, obj)]
        spent |= _one_of(rights, reaching, spent)
    if not done_with:
        spent |= _one_of(rights, covering, spent)
    if spent:
        left = tuple(
            one.replace(usage_limits=_spend(one.usage_limits)) if n in spent else one
            for n, one in enumerate(rights)
        )
        ticket = given.value.replace(rights=given.value.rights.replace(right=left))
        work.entries.put(caller.ticket, ticket, due=given.due)


def _covering(caller: ClientIdentity, operation: Operation) -> list[int]:
    """Return the numbers of the caller's rights that cover an operation."""
    return [n for n, grant in enumerate(caller.rights or ()) if covers(grant, operation)]


def _one_of(rights: tuple[Right, ...], usable: Sequence[int], spent: Collection[int]) -> set[int]:
    """Return the right to count a use against: none where one is without limits or is paid for already."""
    if any(rights[n].usage_limits is None or n in spent for n in usable):
        return set()
    for n in usable:
        limits = rights[n].usage_limits
        if limits is not None and _left(limits) > 0:
            return {n}
    raise UsageLimitExceeded("the Usage Limits of the ticket's rights are used up")


def _spend(limits: UsageLimits | None) -> UsageLimits | None:
    if limits is None:
        return None
    left = _left(limits)
    if left < 1:
        raise UsageLimitExceeded("the Usage Limits of the ticket are used up")
    return limits.replace(usage_limits_count=left - 1)


def _left(limits: UsageLimits) -> int:
    return limits.usage_limits_total if limits.usage_limits_count is None else limits.usage_limits_count


def _become(owner: ClientIdentity, caller: ClientIdentity, key: str, ticket: GivenTicket) -> ClientIdentity:
    """Return the owner of the ticket, within its rights, as whom the caller acts.

    What an administrator forbids the caller stays forbidden: no client can lift that for another.
    """
    grants = None if ticket.rights is None else tuple(map(_grant, ticket.rights.right))
    return ClientIdentity(
        client=owner.client,
        tenant=owner.tenant,
        name=owner.name,
        groups=owner.groups,
        access=owner.access
        if ticket.rights is None
        else also_restricted(owner.client, owner.access, caller.access),
        ticket=key,
        rights=grants,
        user=ticket.user,
        mapped=caller.mapped,
        acting=caller.client,
    )


def _grant(right: Right) -> Grant:
    operations, objects, groups = right.operations, right.objects, right.object_groups
    return Grant(
        operations=None if operations is None else frozenset(operations.operation),
        objects=None if objects is None else frozenset(map(str, objects.unique_identifier)),
        groups=None
        if groups is None
        else frozenset(groups.object_group) | frozenset(map(str, groups.group_link)),
    )


def _unknown() -> InvalidTicket:
    return InvalidTicket("the ticket is not valid: it has ended, or is not for you; log in again")
