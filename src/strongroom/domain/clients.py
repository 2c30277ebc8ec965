"""Enrolled clients: the record, and the port to where records are kept.

Rule: a record is never deleted. A client that is revoked keeps its number, since its objects still name it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from strongroom.domain.audit import Recording
from strongroom.domain.identity import ClientId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRecord:
    """One enrolled client. `fingerprint` is the SHA-256 of its public key (SPKI in DER), in hex.

    `groups` is sorted. `password_hash` is an Argon2id string, None without a user name. `revoked_at` is None
    while the client may connect. Times are aware UTC, second resolution. `revision` is 0 until the record is
    stored; the store counts it up.
    """

    client: ClientId
    tenant: TenantId
    name: str
    fingerprint: str
    groups: tuple[str, ...]
    username: str | None
    password_hash: str | None = field(repr=False)
    enrolled_at: datetime
    revoked_at: datetime | None = None
    revision: int = 0


class ClientExists(Exception):
    """A client in force has the name, or the key was enrolled before."""


class ClientChanged(Exception):
    """Another change of the record came first; read it again."""


class ClientStore(Protocol):
    """Where client records are kept. Any method may raise StoreFailure."""

    async def clients(self) -> Sequence[ClientRecord]:
        """Return every record, revoked clients too."""

    async def put(self, record: ClientRecord) -> None:
        """Make a new or changed record durable, then return. Raises ClientExists, ClientChanged."""

    def recording(self, recording: Recording) -> "ClientStore":
        """Return this store, where each record that is put takes along the event of `recording`."""
