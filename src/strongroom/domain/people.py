"""People: who administers, and as what.

Rule: a person is named by an administrator and known by the clients (certificates) that are theirs, never by
what a certificate says. However many clients somebody has, they are one person, with one vote.
"""

from enum import Enum
from typing import Annotated, Final

from strongroom.domain.entries import Entry, EntryStore, Kept
from strongroom.domain.identity import ClientId
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.model.struct import Int64, Own


class Role(Enum):
    """What somebody may do beside using keys; none implies another. The value is its name in commands."""

    ADMINISTRATOR = "administrator"
    """Clients, tenants, access, the server itself."""
    OPERATOR = "operator"
    """Looks at the state of the server and its clients."""
    AUDITOR = "auditor"
    """Reads the audit log, and what explains a decision."""
    APPROVER = "approver"
    """Votes on what needs more than one person."""


class Person(Entry, kind=20):
    """A person, kept in the system tenant under their name. `roles` are values of Role, `clients` numbers."""

    roles: Annotated[tuple[str, ...], Own(1)] = ()
    clients: Annotated[tuple[Int64, ...], Own(2)] = ()


class PeopleRevision(Entry, kind=26):
    """Kept once, in the system tenant under `PEOPLE`: its generation grows with each change of whose a client
    is, so that of two changes at once the second looks again who else has the client."""


PEOPLE: Final = "people"

_NOBODY: Final = 0
"""The owner of the entries: the system tenant itself."""


async def person_of(store: EntryStore, client: ClientId) -> Kept[Person] | None:
    """Return the person whose client this is, None when nobody's; `key` is their name.

    Read from the store each time, so that a role that was taken away is gone at once. Raises StoreFailure and
    TamperedRecord. A client that two entries name, which no command makes, is nobody's.
    """
    people = await store.entries_of(Person, SYSTEM_TENANT, _NOBODY)
    found = [kept for kept in people if client in kept.value.clients]
    return found[0] if len(found) == 1 else None


async def roles_of(store: EntryStore, client: ClientId) -> frozenset[Role]:
    """Return the roles of the person whose client this is; none for a client that is nobody's.

    A role that this release does not know counts for nothing. Raises what `person_of` raises. Whether the
    client is still in force is for the listener that authenticated it to say.
    """
    person = await person_of(store, client)
    if person is None:
        return frozenset()
    return frozenset(_ROLES[role] for role in person.value.roles if role in _ROLES)


_ROLES: Final = {role.value: role for role in Role}
