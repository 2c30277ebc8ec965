"""Tenants: who shares a server without seeing each other.

Rule: a tenant is a number; its name is for people. What the administrator lays down for a tenant stands in
its entry, and every default is that of a server with one tenant.
"""

from typing import Annotated, Final

from strongroom.domain.entries import Entry
from strongroom.domain.identity import TenantId
from strongroom.model.struct import Int64, Own

SYSTEM_TENANT: Final = TenantId(0)
"""Where the server keeps what belongs to no tenant: tenants, people. No client is in it."""


class Tenant(Entry, kind=21):
    """A tenant, kept in the system tenant under its name."""

    number: Annotated[Int64, Own(1)]
