"""Tenants: who shares a server without seeing each other.

Rule: a tenant is a number; its name is for people. What the administrator lays down for a tenant stands in
its entry, and every default is that of a server with one tenant.
"""

from typing import Annotated, Final

from strongroom.domain.entries import Entry, EntryStore
from strongroom.domain.identity import DEFAULT_TENANT, TenantId
from strongroom.model.struct import Int64, Own

SYSTEM_TENANT: Final = TenantId(0)
"""Where the server keeps what belongs to no tenant: tenants, people. No client is in it."""


class Tenant(Entry, kind=21):
    """A tenant, kept in the system tenant under its name."""

    number: Annotated[Int64, Own(1)]
    most_objects: Annotated[Int64 | None, Own(70)] = None
    """Objects that are not destroyed; this and all below: None is what the configuration says, 0 no limit."""
    most_client_objects: Annotated[Int64 | None, Own(71)] = None
    """The same of each client of the tenant."""
    most_bytes: Annotated[Int64 | None, Own(72)] = None
    """Bytes that the records of all objects take, destroyed ones included."""
    most_connections: Annotated[Int64 | None, Own(73)] = None
    most_requests: Annotated[Int64 | None, Own(74)] = None
    """Requests a second of all clients."""
    most_streams: Annotated[Int64 | None, Own(75)] = None
    """Operations in parts in each worker."""


class TenantNumber(Entry, kind=25):
    """The number that was given last, kept once in the system tenant: none is ever given twice."""

    last: Annotated[Int64, Own(1)]


LAST_NUMBER: Final = "last"
DEFAULT_NAME: Final = "default"
"""What the tenant is called in which every client is that was enrolled without one."""


async def tenants_of(store: EntryStore) -> dict[str, TenantId]:
    """Return every tenant's number by its name. Raises StoreFailure and TamperedRecord."""
    kept = await store.entries_of(Tenant, SYSTEM_TENANT, 0)
    return {DEFAULT_NAME: DEFAULT_TENANT} | {one.key: TenantId(one.value.number) for one in kept}
