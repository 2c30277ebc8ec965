"""What changed rules would have made of requests that were recorded.

Rule: nothing is changed, and nothing is done but to decide: what the rules in force say of each request now,
and what the changed ones would say. Where both say the same, there is nothing to tell.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from strongroom.domain.access import may
from strongroom.domain.clients import ClientRecord
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.rules import AccessRule
from strongroom.server.explaining import identity


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
    """What it would be with the changed rules."""


def rehearse(
    requests: Iterable[Recorded],
    *,
    permissions: Mapping[str, Permission],
    records: Mapping[int, ClientRecord],
    objects: Mapping[tuple[int, str], ManagedObject],
    rules: Mapping[int, Sequence[AccessRule]],
    changed: Mapping[int, Sequence[AccessRule]],
) -> list[Difference]:
    """Return the requests that the changed rules decide otherwise than the rules in force.

    `permissions` are those of the operations by name, `rules` those of each tenant. A request of an unknown
    client, or for an object that is gone, says nothing.
    """
    found = []
    for request in requests:
        permission = permissions.get(request.operation)
        record = records.get(request.client)
        obj = objects.get((request.tenant, request.object))
        if permission is None or record is None or obj is None:
            continue
        before, after = (
            may(identity(record, of.get(record.tenant, ()), None), permission, obj) for of in (rules, changed)
        )
        if before != after:
            found.append(Difference(request, permission, after))
    return found
