"""`tenant`: who shares the server without seeing each other.

Rule: a tenant is never removed and its number never given again, since its objects and clients name it.
"""

from strongroom.domain.entries import EntryChange
from strongroom.domain.people import Role
from strongroom.domain.rules import AccessRule, NamedPolicy
from strongroom.domain.tenants import (
    DEFAULT_NAME,
    LAST_NUMBER,
    SYSTEM_TENANT,
    Tenant,
    TenantNumber,
    tenants_of,
)
from strongroom.server.administration.command import Administrator, command
from strongroom.server.clients import check_name
from strongroom.server.errors import OperatorError
from strongroom.server.kept import OF_THE_TENANT, decided, put
from strongroom.server.messages import Message, text
from strongroom.server.naming import tenant_named


@command("tenant.create", roles={Role.ADMINISTRATOR})
async def create(admin: Administrator, request: Message) -> object:
    name, store = check_name(text(request, "name"), "tenant name"), admin.store

    async def decide() -> tuple[list[EntryChange], int]:
        known = await tenants_of(store)
        if name in known:
            raise OperatorError(f"there is a tenant {name} already")
        last = await store.load_entry(TenantNumber, SYSTEM_TENANT, LAST_NUMBER)
        number = max(*known.values(), 0 if last is None else last.value.last) + 1
        changes = [
            put(Tenant, SYSTEM_TENANT, name, Tenant(number=number), None),
            put(TenantNumber, SYSTEM_TENANT, LAST_NUMBER, TenantNumber(last=number), last),
        ]
        return changes, number

    return {"name": name, "number": await decided(store, decide)}


@command("tenant.list", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def list_(admin: Administrator, request: Message) -> object:
    records = await admin.clients.clients()
    tenants = await tenants_of(admin.store)
    return [
        {
            "name": name,
            "number": number,
            "clients": sum(r.tenant == number and r.revoked_at is None for r in records),
        }
        for name, number in sorted(tenants.items(), key=lambda item: item[1])
    ]


@command("tenant.show", roles={Role.ADMINISTRATOR, Role.OPERATOR, Role.AUDITOR})
async def show(admin: Administrator, request: Message) -> object:
    name = text(request, "name")
    number, store = await tenant_named(admin.store, name), admin.store
    in_force = [r for r in await admin.clients.clients() if r.tenant == number and r.revoked_at is None]
    return {
        "name": name,
        "number": number,
        "default": name == DEFAULT_NAME,
        "clients": sorted(r.name for r in in_force),
        "groups": sorted({group for r in in_force for group in r.groups}),
        "rules": await store.count_entries(AccessRule, number, OF_THE_TENANT),
        "policies": [one.key for one in await store.entries_of(NamedPolicy, number, OF_THE_TENANT)],
    }
