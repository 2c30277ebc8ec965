"""From the names that administrators write to the numbers that decide.

Rule: a name is looked up once, where the command begins, and compared character by character; there are no
patterns. What it does not find is an error that says how to list what there is.
"""

from typing import Final

from strongroom.domain.clients import ClientRecord, ClientStore
from strongroom.domain.entries import EntryStore
from strongroom.domain.identity import DEFAULT_TENANT, TenantId
from strongroom.domain.tenants import SYSTEM_TENANT, tenants_of
from strongroom.server.errors import NotFound

SYSTEM_NAME: Final = "system"
"""What administrators call the server as a whole, where a tenant is named."""


async def tenant_named(store: EntryStore, name: str | None) -> TenantId:
    """Return the number of a tenant; None is the default one. Raises NotFound."""
    if name is None:
        return DEFAULT_TENANT
    number = (await tenants_of(store)).get(name)
    if number is None:
        raise NotFound(f"there is no tenant {name}; list them: strongroom tenant list")
    return number


async def any_tenant_named(store: EntryStore, name: str) -> TenantId:
    """Return the number of a tenant, the one of the server itself included. Raises NotFound."""
    return SYSTEM_TENANT if name == SYSTEM_NAME else await tenant_named(store, name)


async def client_named(clients: ClientStore, name: str) -> ClientRecord:
    """Return the client in force that has a name; raises NotFound."""
    found = [one for one in await clients.clients() if one.name == name]
    for record in found:
        if record.revoked_at is None:
            return record
    raise NotFound(
        f"client {name} is revoked"
        if found
        else f"there is no client {name}; list them: strongroom client list"
    )


async def owner_named(clients: ClientStore, name: str) -> ClientRecord:
    """Return the client that has a name, or had it last: what it owned stays its own. Raises NotFound."""
    found = [one for one in await clients.clients() if one.name == name]
    if not found:
        raise NotFound(f"there is no client {name}; list them: strongroom client list")
    return max(found, key=lambda one: (one.revoked_at is None, one.revoked_at or one.enrolled_at))
