"""`why` and `policy test`: what is decided, and what would be.

Rule: nothing is changed here.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Final

from strongroom.domain.clock import SystemClock
from strongroom.domain.entries import Kept
from strongroom.domain.identity import TenantId
from strongroom.domain.objects import ManagedObject
from strongroom.domain.people import Role
from strongroom.domain.permission import Permission
from strongroom.domain.rules import AccessRule, rule_key
from strongroom.domain.tenants import tenants_of
from strongroom.operations.catalogue import all_operations
from strongroom.registry.names import VALUES
from strongroom.server.access.access_rules import read_rule
from strongroom.server.access.explaining import Names, explain
from strongroom.server.access.rehearsal import Law, Recorded, cases, rehearse
from strongroom.server.access.restrictions import Restrictions
from strongroom.server.access.restrictions_file import policies_at_rest
from strongroom.server.access.trial import attempt
from strongroom.server.administration.command import Administrator, command
from strongroom.server.errors import NotFound, OperatorError
from strongroom.server.kept import OF_THE_TENANT
from strongroom.server.messages import BrokenMessage, Message, integer, optional_text, text, texts
from strongroom.server.naming import owner_named

MOST_REQUESTS: Final = 500
"""Recorded requests of one rehearsal: whoever has more asks again, so that others are served between."""

_BETWEEN: Final = 50
"""Requests that are decided in one go."""

_EXPLAINERS: Final = {Role.ADMINISTRATOR, Role.AUDITOR}


@command("access.explain", roles=_EXPLAINERS)
async def explain_(admin: Administrator, request: Message) -> object:
    record = await owner_named(admin.clients, text(request, "client"))
    permission = _permission(text(request, "operation"))
    tenants = await tenants_of(admin.store)
    obj = await _anywhere(admin, record.tenant, list(tenants.values()), text(request, "object"))
    rules = await _rules(admin, record.tenant)
    names = Names({number: name for name, number in tenants.items()}, await admin.clients.clients())
    reasons = explain(
        record,
        permission,
        obj,
        [(kept.key, kept.value) for kept in rules],
        names,
        now=SystemClock().now(),
        restriction=_in_force(admin).of(record),
    )
    return {"allowed": reasons.allowed, "permission": permission.value, "reasons": reasons.sentences}


@command("policy.test", roles=_EXPLAINERS)
async def test(admin: Administrator, request: Message) -> object:
    """Say which of some recorded requests changed rules would decide otherwise.

    `cedar` are restrictions to try in place of those in force, null: they stay.
    """
    requests = [_recorded(one) for one in _list(request, "requests")]
    if len(requests) > MOST_REQUESTS:
        raise OperatorError(f"at most {MOST_REQUESTS} requests are tried at once")
    tenants = await tenants_of(admin.store)
    kept = {number: await _rules(admin, number) for number in tenants.values()}
    removed = set(texts(request, "remove"))
    unknown = sorted(removed - {one.key for some in kept.values() for one in some})
    if unknown:
        raise NotFound(f"there is no rule {', '.join(unknown)}; list them: strongroom grant list")
    changed = {
        number: {one.key: one.value for one in some if one.key not in removed}
        for number, some in kept.items()
    }
    for given in _list(request, "add"):
        tenant, rule = await read_rule(admin.clients, admin.store, given)
        key = rule_key(tenant, rule)
        old = changed[tenant].get(key)
        merged = {*rule.permissions, *(() if old is None else old.permissions)}
        changed[tenant][key] = rule.replace(permissions=tuple(sorted(merged)))
    records = {int(record.client): record for record in await admin.clients.clients()}
    decided = list(
        cases(
            requests,
            permissions={VALUES["Operation"][o].name: spec.needs for o, spec in all_operations().items()},
            records=records,
            objects=await _objects(admin, requests),
        )
    )
    in_force = _in_force(admin).of
    cedar = optional_text(request, "cedar")
    tried = in_force if cedar is None else (await attempt(cedar, [case for _, case in decided])).of
    at = SystemClock().now()
    now = Law({number: [one.value for one in some] for number, some in kept.items()}, in_force, at)
    then = Law({number: list(some.values()) for number, some in changed.items()}, tried, at)
    differences = []
    for start in range(0, len(decided), _BETWEEN):
        differences += rehearse(decided[start : start + _BETWEEN], now, then)
        await asyncio.sleep(0)  # restrictions take a while, and others are served by this process
    return [
        {
            "client": records[one.request.client].name,
            "operation": one.request.operation,
            "object": one.request.object,
            "recorded": one.request.outcome,
            "times": one.request.times,
            "permission": one.permission.value,
            "would_be": "allowed" if one.allowed else "refused",
        }
        for one in differences
    ]


def _in_force(admin: Administrator) -> Restrictions:
    """Return the restrictions of the live server, or those that one would start with.

    Raises OperatorError.
    """
    return admin.restrictions or Restrictions(policies_at_rest(admin.directory.restrictions))


async def _rules(admin: Administrator, tenant: int) -> Sequence[Kept[AccessRule]]:
    return await admin.store.entries_of(AccessRule, tenant, OF_THE_TENANT)


async def _anywhere(
    admin: Administrator, tenant: TenantId, others: Sequence[TenantId], identifier: str
) -> ManagedObject | None:
    """Return the object of the tenant, or else of another."""
    for number in (tenant, *(other for other in others if other != tenant)):
        obj = await admin.store.load(number, identifier)
        if obj is not None:
            return obj
    return None


async def _objects(
    admin: Administrator, requests: Sequence[Recorded]
) -> Mapping[tuple[int, str], ManagedObject]:
    found, now = {}, SystemClock().now()
    for place in {(request.tenant, request.object) for request in requests}:
        obj = await admin.store.load(*place)
        if obj is not None:
            found[place] = obj.as_of(now)
    return found


def _permission(name: str) -> Permission:
    """Return the permission that an operation needs, or the one of that name."""
    wanted = _plain(name)
    for code, spec in all_operations().items():
        if wanted in (_plain(spec.name), _plain(VALUES["Operation"][code].name)):
            return spec.needs
    for permission in Permission:
        if wanted == _plain(permission.value):
            return permission
    raise NotFound(f"there is no operation and no permission {name}; the operations are in docs/support.md")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _recorded(message: Message) -> Recorded:
    return Recorded(
        client=integer(message, "client"),
        tenant=integer(message, "tenant"),
        operation=text(message, "operation"),
        object=text(message, "object"),
        outcome=text(message, "outcome"),
        times=integer(message, "times"),
    )


def _list(message: Message, field: str) -> list[Message]:
    value = message.get(field)
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise BrokenMessage(f"{field} must be a list of objects")
    return value
