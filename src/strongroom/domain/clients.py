"""Enrolled clients: the record, and the port to where records are kept.

Rule: a record is never deleted. A client that is revoked keeps its number, since its objects still name it.
A key that was a client's is known for ever, so that it never becomes anybody's again.
A record whose seal is not whole lets nobody in, and says nothing that may be believed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Final, Protocol

from strongroom.domain.audit import Recording
from strongroom.domain.entries import Entry, EntryChange
from strongroom.domain.identity import ClientId, TenantId

NO_KEY: Final = "none:"
"""What stands before the random fingerprint of a client that is known by no key: `server.clients.mapping`."""

MAX_CERTIFICATES: Final = 32
"""Certificates that a record remembers; of older ones it remembers the key alone."""

MOST_KEYS: Final = 1024
"""Keys that a client can have had and still renew itself: they all stay in its record."""


class Seal(Enum):
    """What the seal of a stored record says; the value is its name in listings."""

    WHOLE = "whole"
    BROKEN = "broken"
    """Somebody has changed the record in the database."""
    MISSING = "missing"
    """An older release has written it, or somebody has taken the seal away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """A certificate of a client. `fingerprint` is of its key, `authority` of the key that has signed it.

    `authority` is empty where that is not known. `serial` and the end of validity are the certificate's own.
    `until`: the key lets the client in until then, although it has a newer one; None where it never does so.
    """

    fingerprint: str
    authority: str
    serial: int
    ends_at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRecord:
    """One enrolled client. `fingerprint` is the SHA-256 of its public key (SPKI in DER), in hex.

    `groups` is sorted. `password_hash` is an Argon2id string, None without a user name. `revoked_at` is None
    while the client may connect. Times are aware UTC, second resolution. `revision` is 0 until the record is
    stored; the store counts it up, and says with it which write it has read (`domain.generation`).
    `certificates` are those that are known, oldest first; a client of an older release, or one with a
    certificate of another authority, may have none. `former` are the fingerprints of keys whose certificates
    are not remembered any more, oldest first.
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
    certificates: tuple[ClientCertificate, ...] = ()
    former: tuple[str, ...] = ()
    seal: Seal = Seal.WHOLE

    @property
    def keys(self) -> frozenset[str]:
        """Return the fingerprints of every key that the client has, or ever had."""
        return frozenset({self.fingerprint, *self.former, *(one.fingerprint for one in self.certificates)})

    @property
    def ends_at(self) -> datetime | None:
        """Return when the newest certificate for the key of the client ends, None where it is not known."""
        ends = [one.ends_at for one in self.certificates if one.fingerprint == self.fingerprint]
        return max(ends, default=None)

    def retired(self, now: datetime) -> Iterator[ClientCertificate]:
        """Yield the certificates of older keys that still let the client in."""
        for one in self.certificates:
            if one.fingerprint != self.fingerprint and one.until is not None and one.until > now:
                yield one

    def with_key(self, certificate: ClientCertificate, *, old_until: datetime | None) -> "ClientRecord":
        """Return the record with a new certificate, whose key is the client's from now on.

        The key that it replaces lets the client in until `old_until`, but never longer than its certificate
        is valid; None ends it at once, and all keys before it.
        """
        own = [one for one in self.certificates if one.fingerprint == self.fingerprint]
        known = self.certificates
        if not own and not self.fingerprint.startswith(NO_KEY):
            # Of an older release, which remembered none; the key has to be known as one that was replaced.
            ends_at = certificate.ends_at if old_until is None else old_until
            known = (
                *known,
                ClientCertificate(fingerprint=self.fingerprint, authority="", serial=0, ends_at=ends_at),
            )
        kept = [
            replace(one, until=None)
            if old_until is None
            else replace(one, until=min(old_until, one.ends_at))
            if one.fingerprint == self.fingerprint != certificate.fingerprint
            else one
            for one in known
        ]
        remembered = (*kept, certificate)[-MAX_CERTIFICATES:]
        left_out = (one.fingerprint for one in kept[: len(kept) + 1 - len(remembered)])
        return replace(
            self,
            fingerprint=certificate.fingerprint,
            certificates=remembered,
            former=tuple(dict.fromkeys((*self.former, *left_out))),
        )


class ClientExists(Exception):
    """A client in force has the name, or the key was enrolled before."""


class ClientChanged(Exception):
    """Another change of the record came first; read it again."""


class ClientName(Entry, kind=34):
    """That a client was enrolled under the name that is the key, in the system tenant; only its generation
    matters, which grows with each client of this name. Tables can tell of a name that is taken in one tenant,
    and a name is taken on the whole server."""


class ClientStore(Protocol):
    """Where client records are kept. Any method may raise StoreFailure."""

    async def clients(self) -> Sequence[ClientRecord]:
        """Return every record, revoked clients too."""

    async def claim(self, name: str) -> EntryChange:
        """Return what is committed together with a new client of this name.

        Ask before it is looked whether the name is free: of two who enrol it at once, one is refused.
        """

    async def put(self, record: ClientRecord, *, entries: Sequence[EntryChange] = ()) -> None:
        """Make a new or changed record durable, together with entries, then return.

        Raises ClientExists, ClientChanged.
        """

    def recording(self, recording: Recording) -> "ClientStore":
        """Return this store, where each record that is put takes along the event of `recording`."""
