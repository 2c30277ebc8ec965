"""Who is calling.

Rule: an identity is made from a client record that a listener found by its certificate, never from text
that a peer sent. Identifiers are numbers with a type of their own: no name can be mistaken for a principal.
"""

from dataclasses import dataclass, field
from typing import NewType

from strongroom.domain.rights import Rights
from strongroom.registry import Operation, Version

ClientId = NewType("ClientId", int)
TenantId = NewType("TenantId", int)

NO_TENANT = TenantId(-1)
"""The tenant of whoever is let in without being a client (an invited guest); all of them share it."""

DEFAULT_TENANT = TenantId(1)
"""The tenant that every client belongs to until others are made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One right of a ticket; None restricts nothing. `groups` are names and identifiers of object groups."""

    operations: frozenset[Operation] | None = None
    objects: frozenset[str] | None = None
    groups: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientIdentity:
    """An enrolled client, as it was when its record was last read.

    `name` is for people and logs. `groups` is sorted. `password_hash` is an Argon2id string; it and
    `username` are None for a client that was enrolled without a user name. `password_optional`: a request
    without a credential is accepted all the same. `access` is what rules grant it beside its own objects,
    None where they grant nothing. `mapped`: this connection was let in by a rule for certificates of another
    authority, not by a key that is the client's own.

    `user` is the Unique Identifier of the User (KMIP 3.0) that the request comes from, None for the client
    itself; `credentials` are those of the credential objects that proved it. `ticket` is the key of the
    ticket that made the caller this client, `acting` the client whose connection it came over. `rights`: the
    caller may do no more than one of them allows; None is no restriction.
    """

    client: ClientId
    tenant: TenantId
    name: str
    groups: tuple[str, ...] = ()
    username: str | None = None
    password_hash: str | None = field(default=None, repr=False)
    password_optional: bool = False
    access: Rights | None = field(default=None, hash=False, repr=False)
    mapped: bool = False
    user: str | None = None
    credentials: tuple[str, ...] | None = None
    ticket: str | None = None
    acting: ClientId | None = None
    rights: tuple[Grant, ...] | None = None


@dataclass(slots=True)
class Roles:
    """Who asks and who answers on one connection (KMIP 2.1 §6.1.54).

    `wanted`: the request that is being done wants them turned. `turned`: the server asks, since an answer in
    this version; None while the client does.
    """

    wanted: bool = False
    turned: Version | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where a request came from. `peer` is the numeric address and port, for logs and audit events.

    `roles` is None where they cannot be turned.
    """

    client: ClientIdentity
    peer: str
    roles: Roles | None = None
