"""Access rules as administrators write and read them.

Rule: what a request names is looked up once, into numbers and exact names; a rule that could cover nothing
for being misspelt is refused. `server/access/rules.py` has the rules in force.
"""

from collections.abc import Sequence
from typing import TypeVar

from strongroom.domain.clients import ClientRecord, ClientStore
from strongroom.domain.entries import EntryStore
from strongroom.domain.identity import TenantId
from strongroom.domain.rules import BUILT_IN_POLICIES, DEFAULT, GRANTABLE, AccessRule, NamedPolicy, On, To
from strongroom.server.clients.records import check_name
from strongroom.server.errors import InvalidOption, NotFound, OperatorError
from strongroom.server.messages import Message, nested, optional_text, text, texts
from strongroom.server.naming import client_named, owner_named, tenant_named

K = TypeVar("K", To, On)


async def read_rule(clients: ClientStore, store: EntryStore, request: Message) -> tuple[TenantId, AccessRule]:
    """Return the tenant and the rule of a request; raises OperatorError, NotFound and BrokenMessage.

    `to` and `on` are objects of `kind` and `name`; `tenant` is needed where neither names a client of one.
    """
    to, on = nested(request, "to"), nested(request, "on")
    to_kind, on_kind = _kind(To, to, "--to"), _kind(On, on, "--on")
    grantee = await client_named(clients, text(to, "name")) if to_kind is To.CLIENT else None
    owner = await owner_named(clients, text(on, "name")) if on_kind is On.OWNER else None
    tenant = await _tenant(store, optional_text(request, "tenant"), grantee, owner)
    name = None
    if on_kind in (On.OBJECT, On.GROUP, On.POLICY):
        name = _not_empty(text(on, "name"))
    if on_kind is On.POLICY and name is not None:
        await _check_policy(store, tenant, name)
    rule = AccessRule(
        to=to_kind.value,
        on=on_kind.value,
        permissions=_permissions(texts(request, "permissions")),
        to_client=None if grantee is None else grantee.client,
        to_group=check_name(text(to, "name"), "group") if to_kind is To.GROUP else None,
        on_client=None if owner is None else owner.client,
        on_name=name,
    )
    return tenant, rule


def to_message(rule: AccessRule, key: str, tenant: str, records: Sequence[ClientRecord]) -> Message:
    """Return a rule as an administrator reads it."""
    return {
        "id": key,
        "tenant": tenant,
        "to": to_text(rule, records),
        "permissions": list(rule.permissions),
        "on": on_text(rule, records),
    }


def to_text(rule: AccessRule, records: Sequence[ClientRecord]) -> str:
    """Return who a rule is for, as `--to` takes it."""
    match rule.to:
        case To.CLIENT.value:
            return f"client:{_name(rule.to_client, records)}"
        case To.GROUP.value:
            return f"group:{rule.to_group}"
        case kind:
            return kind


def on_text(rule: AccessRule, records: Sequence[ClientRecord]) -> str:
    """Return what a rule covers, as `--on` takes it."""
    match rule.on:
        case On.OWNER.value:
            return f"owner:{_name(rule.on_client, records)}"
        case On.EVERYTHING.value:
            return On.EVERYTHING.value
        case kind:
            return f"{kind}:{rule.on_name}"


def _name(client: int | None, records: Sequence[ClientRecord]) -> str:
    return next((r.name for r in records if r.client == client), f"number {client}")


def _kind(kinds: type[K], message: Message, option: str) -> K:
    given = text(message, "kind")
    for kind in kinds:
        if kind.value == given:
            return kind
    known = ", ".join(kind.value for kind in kinds)
    raise InvalidOption(f"{option}: {given!r} is no kind; there are {known}")


async def _tenant(
    store: EntryStore, name: str | None, grantee: ClientRecord | None, owner: ClientRecord | None
) -> TenantId:
    tenants = {record.tenant for record in (grantee, owner) if record is not None}
    if name is not None or not tenants:
        tenants.add(await tenant_named(store, name))
    if len(tenants) != 1:
        raise OperatorError("a rule is within one tenant, and this one names two")
    return tenants.pop()


async def _check_policy(store: EntryStore, tenant: int, name: str) -> None:
    if name == DEFAULT:
        raise OperatorError(
            "the policy default is the owner alone: objects without an Operation Policy Name have it, too;"
            " grant on owner:, group: or everything instead"
        )
    if name not in BUILT_IN_POLICIES and await store.load_entry(NamedPolicy, tenant, name) is None:
        raise NotFound(f"there is no operation policy {name!r}; make it: strongroom policy create NAME")


def _permissions(given: Sequence[str]) -> tuple[str, ...]:
    if not given:
        raise InvalidOption("--permission: a rule gives at least one permission")
    known = {permission.value for permission in GRANTABLE}
    unknown = sorted(set(given) - known)
    if unknown:
        raise InvalidOption(
            f"--permission: {', '.join(unknown)} cannot be granted; there are {', '.join(sorted(known))}"
        )
    return tuple(sorted(set(given)))


def _not_empty(name: str) -> str:
    if not name:
        raise InvalidOption("--on: the name is empty")
    return name
