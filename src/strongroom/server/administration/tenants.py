"""`tenant`: who shares the server without seeing each other.

Rule: a tenant is never removed and its number never given again, since its objects and clients name it. None
is called what the server as a whole is called: laid down for the one, it would be in force for the other.
"""

from typing import Final

from strongroom.domain.acts import Act
from strongroom.domain.entries import EntryChange
from strongroom.domain.people import Role
from strongroom.domain.rules import AccessRule, NamedPolicy
from strongroom.domain.store import ObjectStore
from strongroom.domain.tenants import (
    DEFAULT_NAME,
    LAST_NUMBER,
    SYSTEM_TENANT,
    Tenant,
    TenantNumber,
    tenants_of,
)
from strongroom.server.administration.command import Administrator, command
from strongroom.server.clients.records import check_name
from strongroom.server.errors import InvalidOption, OperatorError
from strongroom.server.kept import OF_THE_TENANT, decided, put
from strongroom.server.messages import Message, nested, text
from strongroom.server.naming import SYSTEM_NAME, tenant_named

LIMITS: Final = {
    "objects": "most_objects",
    "client_objects": "most_client_objects",
    "bytes": "most_bytes",
    "connections": "most_connections",
    "requests": "most_requests",
    "streams": "most_streams",
}
"""What can be laid down for a tenant, and where it stands in the entry."""

_LARGEST: Final = 2**63 - 1


@command("tenant.create", roles={Role.ADMINISTRATOR}, approval=Act.POLICY)
async def create(admin: Administrator, request: Message) -> object:
    name, store = check_name(text(request, "name"), "tenant name"), admin.store
    if name == SYSTEM_NAME:
        raise InvalidOption(f"{name} is what the server as a whole is called; use another name")

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
        "limits": await _limits(store, name),
        "policies": [one.key for one in await store.entries_of(NamedPolicy, number, OF_THE_TENANT)],
    }


@command("tenant.limit", roles={Role.ADMINISTRATOR}, approval=Act.POLICY, spreads=True)
async def limit(admin: Administrator, request: Message) -> object:
    """Lay down limits: each is a number (0: no limit), or None for what the configuration says."""
    name, store = text(request, "name"), admin.store
    number = await tenant_named(store, name)
    wanted = nested(request, "limits")
    unknown = wanted.keys() - LIMITS.keys()
    if unknown:
        raise InvalidOption(f"a tenant has no limit {min(unknown)}; there are {', '.join(LIMITS)}")
    for limit_, value in wanted.items():
        if value is not None and (
            not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST
        ):
            raise InvalidOption(
                f"the limit {limit_} must be a number, 0 for no limit, and {_LARGEST} at most"
            )

    async def decide() -> tuple[list[EntryChange], None]:
        before = await store.load_entry(Tenant, SYSTEM_TENANT, name)
        tenant = Tenant(number=number) if before is None else before.value
        after = tenant.replace(**{LIMITS[limit_]: value for limit_, value in wanted.items()})
        return [put(Tenant, SYSTEM_TENANT, name, after, before)], None

    await decided(store, decide)
    return await _limits(store, name)


async def _limits(store: ObjectStore, name: str) -> dict[str, int]:
    """Return what was laid down for a tenant."""
    kept = await store.load_entry(Tenant, SYSTEM_TENANT, name)
    if kept is None:
        return {}
    found = {limit_: getattr(kept.value, field) for limit_, field in LIMITS.items()}
    return {limit_: value for limit_, value in found.items() if value is not None}
