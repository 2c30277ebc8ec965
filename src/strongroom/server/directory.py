"""Which client a certificate belongs to.

Rule: a client is found by the public key in its certificate and by nothing else; names in the certificate are
not read. The records are a copy of the store's, made whole again by `refresh`, and so is what access rules
give to each client.
"""

from collections.abc import Collection, Sequence
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography import x509

from strongroom.domain.clients import ClientRecord, ClientStore, Seal
from strongroom.domain.identity import ClientId, ClientIdentity, TenantId
from strongroom.server.ca import fingerprint
from strongroom.server.logs import get_logger
from strongroom.server.rules import RuleBook

log = get_logger()

_CERTIFICATES_REMEMBERED: Final = 4096
_TAMPERED: Final = (
    "somebody changed its record in the database; the client is shut out until it is enrolled anew"
)


class PeerCertificate(NamedTuple):
    """What counts in a client's certificate. `valid_until` is in seconds since the epoch."""

    fingerprint: str
    valid_until: float


class Refusal(Enum):
    """Why a certificate that TLS accepted is not enough; the value is the cure."""

    UNKNOWN = "enrol the client: strongroom client enrol NAME --data DIR --out OUT"
    REVOKED = "the client was revoked; enrol it again under a new key if it may come back"
    TAMPERED = "the record was changed in the database: find out by whom; then revoke the client and enrol it"


@lru_cache(_CERTIFICATES_REMEMBERED)
def read_certificate(der: bytes) -> PeerCertificate:
    """Return what counts in a certificate; parsed once, since a client shows the same one each time."""
    certificate = x509.load_der_x509_certificate(der)
    return PeerCertificate(fingerprint(certificate.public_key()), certificate.not_valid_after_utc.timestamp())


def _weight(record: ClientRecord) -> int:
    """Return what a record has to say about its key: what was changed in the database the least."""
    if record.seal is not Seal.WHOLE:
        return 0
    return 1 if record.revoked_at is None else 2


class ClientDirectory:
    """The enrolled clients, in memory. `password_optional` names those excused from the credential.

    `rules` None: every client has its own objects and no others.
    """

    def __init__(
        self, store: ClientStore, *, password_optional: Collection[str] = (), rules: RuleBook | None = None
    ) -> None:
        self._store = store
        self._rules = rules
        self._password_optional = frozenset(password_optional)
        self._records: Sequence[ClientRecord] = ()
        self._by_fingerprint: dict[str, ClientIdentity | Refusal] = {}
        self._by_number: dict[ClientId, ClientIdentity] = {}

    async def refresh(self) -> bool:
        """Read all records again and tell whether anything changed."""
        records = await self._store.clients()
        tenants = {int(record.tenant) for record in records}
        changed = self._rules is not None and await self._rules.refresh(tenants)
        if records == self._records and not changed:
            return False
        found: dict[str, ClientIdentity | Refusal] = {}
        # Revoked records last: a key that was revoked stays so, whatever other record names it.
        for record in sorted(records, key=_weight):
            if record.seal is not Seal.WHOLE:
                found[record.fingerprint] = Refusal.TAMPERED
                log.error("client_record_tampered", client=record.name, alarm=_TAMPERED)
            else:
                revoked = record.revoked_at is not None
                found[record.fingerprint] = Refusal.REVOKED if revoked else self._identity(record)
        self._records = records
        self._by_fingerprint = found
        self._by_number = {one.client: one for one in found.values() if isinstance(one, ClientIdentity)}
        return True

    def find(self, fingerprint: str) -> ClientIdentity | Refusal:
        """Return who has this public key, or why nobody may use it."""
        return self._by_fingerprint.get(fingerprint, Refusal.UNKNOWN)

    def all_in_force(self) -> Collection[ClientIdentity]:
        """Return every client that may connect."""
        return self._by_number.values()

    def tenants(self) -> set[TenantId]:
        """Return every tenant that has had clients."""
        return {record.tenant for record in self._records}

    def in_force(self, client: ClientId) -> ClientIdentity | None:
        """Return the client with this number, None when it was revoked."""
        return self._by_number.get(client)

    def _identity(self, record: ClientRecord) -> ClientIdentity:
        return ClientIdentity(
            client=record.client,
            tenant=record.tenant,
            name=record.name,
            groups=record.groups,
            username=record.username,
            password_hash=record.password_hash,
            password_optional=record.name in self._password_optional,
            access=None if self._rules is None else self._rules.rights(record),
        )
