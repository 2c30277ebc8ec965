"""What changed rules and restrictions would have made of requests that were recorded.

Rule: nothing is changed, and nothing is done but to decide: what is in force says of each request one thing
now, and what is tried would say another. Where both say the same, there is nothing to tell.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias

from strongroom.domain.access import may
from strongroom.domain.clients import ClientRecord
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.rights import Restriction
from strongroom.domain.rules import GRANTABLE, AccessRule
from strongroom.server.access.explaining import identity
from strongroom.server.access.trial import Case


class Recorded(NamedTuple):
    """A request for one object, as it was recorded, and how often. `outcome` is `success` or a reason."""

    client: int
    tenant: int
    operation: str
    object: str
    outcome: str
    times: int


class Difference(NamedTuple):
    """A request that would be decided otherwise."""

    request: Recorded
    permission: Permission
    allowed: bool
    """What it would be with what is tried."""


Restricting: TypeAlias = Callable[[ClientRecord], Restriction | None]


class Law:
    """Rules by tenant, and what restricts each client beyond them."""

    def __init__(
        self, rules: Mapping[int, Sequence[AccessRule]], restricting: Restricting, now: datetime
    ) -> None:
        self._rules = rules
        self._restricting = restricting
        self._now = now
        self._callers: dict[int, ClientIdentity] = {}

    def allows(self, case: Case) -> bool:
        """Tell whether a client has a permission on an object."""
        record = case.record
        caller = self._callers.get(record.client)
        if caller is None:
            caller = identity(record, self._rules.get(record.tenant, ()), self._restricting(record))
            self._callers[record.client] = caller
        return may(caller, case.permission, case.obj, self._now)


def cases(
    requests: Iterable[Recorded],
    *,
    permissions: Mapping[str, Permission],
    records: Mapping[int, ClientRecord],
    objects: Mapping[tuple[int, str], ManagedObject],
) -> Iterator[tuple[Recorded, Case]]:
    """Yield the requests that something is decided about, each with the case that it is.

    `permissions` are those of the operations by name. A request of an unknown client, for an object that is
    gone, or with an operation that needs no permission on it, says nothing.
    """
    for request in requests:
        permission = permissions.get(request.operation)
        record = records.get(request.client)
        obj = objects.get((request.tenant, request.object))
        if permission in GRANTABLE and record is not None and obj is not None:
            yield request, Case(record, permission, obj)


def rehearse(decided: Iterable[tuple[Recorded, Case]], now: Law, then: Law) -> list[Difference]:
    """Return the requests that `then` decides otherwise than `now`."""
    found = []
    for request, case in decided:
        after = then.allows(case)
        if now.allows(case) != after:
            found.append(Difference(request, case.permission, after))
    return found
