"""People: who administers, and as what.

Rule: a person is named by an administrator and known by the clients (certificates) that are theirs, never by
what a certificate says. However many clients somebody has, they are one person, with one vote.
"""

from enum import Enum
from typing import Annotated

from strongroom.domain.entries import Entry
from strongroom.model.struct import Int64, Own


class Role(Enum):
    """What somebody may do beside using keys; none implies another. The value is its name in commands."""

    ADMINISTRATOR = "administrator"
    """Clients, tenants, access, the server itself."""
    OPERATOR = "operator"
    """Looks at the state of the server and its clients, makes backups."""
    AUDITOR = "auditor"
    """Reads the audit log, and what explains a decision."""
    APPROVER = "approver"
    """Votes on what needs more than one person."""


class Person(Entry, kind=20):
    """A person, kept in the system tenant under their name. `roles` are values of Role, `clients` numbers."""

    roles: Annotated[tuple[str, ...], Own(1)] = ()
    clients: Annotated[tuple[Int64, ...], Own(2)] = ()
