"""`grant`: what clients may do with objects that are not theirs.

Rule: one rule for each grantee and coverage; a second `add` adds to its permissions. Each change counts up
the revision, by which every worker of every node sees that it has to read the rules again.
"""

from strongroom.domain.acts import Act
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.people import Role
from strongroom.domain.rules import (
    MAXIMUM_RULES,
    REVISION,
    AccessRevision,
    AccessRule,
    rule_key,
)
from strongroom.domain.tenants import tenants_of
from strongroom.server.access.access_rules import read_rule, to_message
from strongroom.server.administration.command import Administrator, command, tenant_it_names
from strongroom.server.errors import NotFound, OperatorError
from strongroom.server.kept import OF_THE_TENANT, counted, decided, drop, put
from strongroom.server.messages import Message, optional_text, text, texts
from strongroom.server.naming import tenant_named


@command("grant.add", roles={Role.ADMINISTRATOR}, approval=Act.POLICY, concerns=tenant_it_names, spreads=True)
async def add(admin: Administrator, request: Message) -> object:
    tenant, given = await read_rule(admin.clients, admin.store, request)
    key, store = rule_key(tenant, given), admin.store

    async def decide() -> tuple[list[EntryChange], AccessRule]:
        before = await store.load_entry(AccessRule, tenant, key)
        if before is None and await store.count_entries(AccessRule, tenant, OF_THE_TENANT) >= MAXIMUM_RULES:
            raise OperatorError(
                f"the tenant has {MAXIMUM_RULES} rules, which is the most; grant to groups instead of clients"
            )
        old = () if before is None else before.value.permissions
        rule = given.replace(permissions=tuple(sorted({*old, *given.permissions})))
        if before is not None and rule == before.value:
            return [], rule
        return [put(AccessRule, tenant, key, rule, before), await _revised(admin)], rule

    rule = await decided(store, decide)
    return to_message(rule, key, await _tenant_name(admin, tenant), await admin.clients.clients())


@command("grant.list", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def list_(admin: Administrator, request: Message) -> object:
    name = optional_text(request, "tenant")
    tenants = await tenants_of(admin.store)
    wanted = {name: await tenant_named(admin.store, name)} if name is not None else tenants
    records = await admin.clients.clients()
    return [
        to_message(kept.value, kept.key, tenant, records)
        for tenant, number in wanted.items()
        for kept in await admin.store.entries_of(AccessRule, number, OF_THE_TENANT)
    ]


async def _rule(admin: Administrator, request: Message) -> Message:
    """Return what a rule says, which is all that anybody can judge it by; nothing where there is none."""
    try:
        kept = await _find(admin, text(request, "rule"))
    except NotFound:
        return {}
    tenant = await _tenant_name(admin, kept.tenant)
    return {"grants": to_message(kept.value, kept.key, tenant, await admin.clients.clients())}


@command("grant.remove", roles={Role.ADMINISTRATOR}, approval=Act.POLICY, spreads=True, facts=_rule)
async def remove(admin: Administrator, request: Message) -> object:
    key, taken, store = text(request, "rule"), frozenset(texts(request, "permissions")), admin.store

    async def decide() -> tuple[list[EntryChange], None]:
        before = await _find(admin, key)
        absent = sorted(taken - set(before.value.permissions))
        if absent:
            raise NotFound(f"rule {key} does not grant {', '.join(absent)}")
        left = tuple(sorted(set(before.value.permissions) - taken)) if taken else ()
        rule = before.value.replace(permissions=left)
        change = put(AccessRule, before.tenant, key, rule, before) if left else drop(before)
        return [change, await _revised(admin)], None

    await decided(store, decide)
    return None


async def _find(admin: Administrator, key: str) -> Kept[AccessRule]:
    for tenant in (await tenants_of(admin.store)).values():
        kept = await admin.store.load_entry(AccessRule, tenant, key)
        if kept is not None:
            return kept
    raise NotFound(f"there is no rule {key}; list them: strongroom grant list")


async def _revised(admin: Administrator) -> EntryChange:
    return await counted(admin.store, AccessRevision, REVISION, AccessRevision())


async def _tenant_name(admin: Administrator, number: int) -> str:
    return next(name for name, one in (await tenants_of(admin.store)).items() if one == number)
