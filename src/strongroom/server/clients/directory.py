"""Which client a certificate belongs to.

Rule: a client is found by the public key in its certificate or, where the administrator has said so, by the
key of the authority that signed it together with a name (`mapping.py`); nothing else in a certificate is
read. The records are a copy of the store's, made whole again by `refresh`, and so is what access rules give
to each client.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography import x509

from strongroom.domain.clients import ClientRecord, ClientStore, Seal
from strongroom.domain.entries import EntryStore, Kept
from strongroom.domain.identity import NO_TENANT, ClientId, ClientIdentity, TenantId
from strongroom.domain.mapping import CertificateRule, Invitation
from strongroom.domain.store_failures import TamperedRecord
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.access.rules import RuleBook
from strongroom.server.certificates.ca import fingerprint
from strongroom.server.certificates.revocation import RevocationLists, Verdict
from strongroom.server.clients.mapping import Ambiguous, MappingRules
from strongroom.server.logs import get_logger
from strongroom.server.shared import guest_number

log = get_logger()

_CERTIFICATES_REMEMBERED: Final = 4096
_TAMPERED: Final = (
    "somebody changed its record in the database; the client is shut out until it is enrolled anew"
)


class PeerCertificate(NamedTuple):
    """What counts in a client's certificate. Its validity is in seconds since the epoch."""

    fingerprint: str
    valid_until: float
    valid_from: float
    der: bytes


class Refusal(Enum):
    """Why a certificate that TLS accepted is not enough; the value is the cure."""

    UNKNOWN = "enrol the client: strongroom client enrol NAME --data DIR --out OUT"
    REVOKED = "the client was revoked; enrol it again under a new key if it may come back"
    REPLACED = "the client has a newer key; use that one, or renew it: strongroom client renew NAME --out OUT"
    TAMPERED = "the record was changed in the database: find out by whom; then revoke the client and enrol it"
    ON_REVOCATION_LIST = "its authority has revoked the certificate; give the client another one"
    REVOCATION_UNKNOWN = "its revocation list is missing or has ended; renew the file tls.client_crl"
    AMBIGUOUS = "the certificate fits the rules of several clients; remove one: strongroom client unmap"
    INVITED = "this is the key of an invitation, for HTTPS only: strongroom client join TOKEN_FILE --out OUT"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitedGuest(ClientIdentity):
    """Whoever holds a token: no client, no tenant, nothing of the engine; may send one request to join.

    `invitation` is the key of the entry.
    """

    invitation: str


@lru_cache(_CERTIFICATES_REMEMBERED)
def read_certificate(der: bytes) -> PeerCertificate:
    """Return what counts in a certificate; parsed once, since a client shows the same one each time."""
    certificate = x509.load_der_x509_certificate(der)
    return PeerCertificate(
        fingerprint(certificate.public_key()),
        certificate.not_valid_after_utc.timestamp(),
        certificate.not_valid_before_utc.timestamp(),
        der,
    )


def _weight(record: ClientRecord) -> int:
    """Return what a record has to say about its key: what was changed in the database the least."""
    if record.seal is not Seal.WHOLE:
        return 0
    return 1 if record.revoked_at is None else 2


class ClientDirectory:
    """The enrolled clients, in memory. `password_optional` names those excused from the credential.

    `entries` has mapping rules and invitations, None where there are none. `lists` are revocation lists, None
    where nothing is looked up. `rules` None: every client has its own objects and no others.
    """

    def __init__(
        self,
        store: ClientStore,
        *,
        password_optional: Collection[str] = (),
        rules: RuleBook | None = None,
        entries: EntryStore | None = None,
        lists: RevocationLists | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._rules = rules
        self._entries = entries
        self._lists = lists
        self._clock = clock
        self._password_optional = frozenset(password_optional)
        self.records: Sequence[ClientRecord] = ()
        self._rules_are_newer = False
        self._by_fingerprint: dict[str, ClientIdentity | Refusal] = {}
        self._by_number: dict[ClientId, ClientIdentity] = {}
        self._retired: dict[str, tuple[ClientIdentity, float]] = {}
        self._mapping = MappingRules()
        self._invitations: Sequence[Kept[Invitation]] = ()
        self._guests: dict[str, InvitedGuest] = {}

    async def refresh(self) -> bool:
        """Read all records again and tell whether anything changed."""
        records = await self._store.clients()
        tenants = {int(record.tenant) for record in records}
        if self._rules is not None and await self._rules.refresh(tenants):
            self._rules_are_newer = True  # also where what comes next fails: it is said once
        guests_changed = await self._refresh_entries()
        if records == self.records and not self._rules_are_newer:
            return guests_changed
        found: dict[str, ClientIdentity | Refusal] = {}
        retired: dict[str, tuple[ClientIdentity, float]] = {}
        now = self._now()
        # Revoked records last: a key that was revoked stays so, whatever other record names it.
        for record in sorted(records, key=_weight):
            if record.seal is not Seal.WHOLE:
                found[record.fingerprint] = Refusal.TAMPERED
                log.error("client_record_tampered", client=record.name, alarm=_TAMPERED)
                continue
            revoked = record.revoked_at is not None
            identity = self._identity(record)
            for key in record.keys:
                found[key] = Refusal.REVOKED if revoked else Refusal.REPLACED
            found[record.fingerprint] = Refusal.REVOKED if revoked else identity
            if not revoked:
                for one in record.retired(now):
                    assert one.until is not None
                    retired[one.fingerprint] = identity, one.until.timestamp()
        self.records, self._rules_are_newer = records, False
        self._by_fingerprint = found
        self._retired = {key: kept for key, kept in retired.items() if found[key] is Refusal.REPLACED}
        self._by_number = {one.client: one for one in found.values() if isinstance(one, ClientIdentity)}
        return True

    async def _refresh_entries(self) -> bool:
        """Read rules and invitations again; one that was tampered with ends them all, with an alarm."""
        if self._entries is None:
            return False
        try:
            rules = await self._entries.entries_of(CertificateRule, SYSTEM_TENANT, 0)
            invitations = await self._entries.entries_of(Invitation, SYSTEM_TENANT, 0)
        except TamperedRecord as error:
            log.error("rules_tampered", error=str(error), alarm="no rule and no invitation lets anybody in")
            rules = invitations = ()
        if tuple(rules) == self._mapping.rules and list(invitations) == list(self._invitations):
            return False
        self._mapping = MappingRules(rules)
        self._invitations = invitations
        self._guests = {
            kept.key: InvitedGuest(
                client=guest_number(kept.key),
                tenant=NO_TENANT,
                name=f"invitation for {kept.value.name}",
                invitation=kept.key,
            )
            for kept in invitations
        }
        return True

    def find(self, fingerprint: str) -> ClientIdentity | Refusal:
        """Return who has this public key, or why nobody may use it."""
        found = self._by_fingerprint.get(fingerprint, Refusal.UNKNOWN)
        if found is Refusal.REPLACED and fingerprint in self._retired:
            identity, until = self._retired[fingerprint]
            return identity if self._clock() < until else found
        return found

    def admit(self, certificate: PeerCertificate) -> ClientIdentity | Refusal:
        """Return whose certificate this is, or why it is nobody's that may come in."""
        found = self.find(certificate.fingerprint)
        if found is Refusal.UNKNOWN:
            found = self.by_rule(certificate.der)
            if isinstance(found, ClientIdentity):
                found = replace(found, mapped=True)
        if found is Refusal.UNKNOWN and certificate.fingerprint in self._guests:
            return Refusal.INVITED
        if isinstance(found, ClientIdentity) and self._lists is not None:
            verdict = self._lists.verdict(certificate.der, self._now())
            if verdict is Verdict.REVOKED:
                return Refusal.ON_REVOCATION_LIST
            if verdict is Verdict.UNKNOWN:
                return Refusal.REVOCATION_UNKNOWN
        return found

    def guest(self, certificate: PeerCertificate) -> InvitedGuest | None:
        """Return who may join with this certificate, None when it is no invitation in force."""
        return self._guests.get(certificate.fingerprint)

    def valid_until(self, certificate: PeerCertificate) -> float:
        """Return when a certificate stops letting its client in, in seconds since the epoch."""
        _, until = self._retired.get(certificate.fingerprint, (None, certificate.valid_until))
        return min(until, certificate.valid_until)

    def all_in_force(self) -> Collection[ClientIdentity]:
        """Return every client that may connect."""
        return self._by_number.values()

    def tenants(self) -> set[TenantId]:
        """Return every tenant that has had clients."""
        return {record.tenant for record in self.records}

    def in_force(self, client: ClientId) -> ClientIdentity | None:
        """Return the client with this number, None when it was revoked."""
        return self._by_number.get(client)

    def lists_are_stale(self) -> bool:
        """Tell whether a revocation list was replaced, or has ended."""
        return self._lists is not None and self._lists.is_stale(self._now())

    def reload_lists(self) -> None:
        """Read the revocation lists again, which may take a while."""
        if self._lists is not None:
            self._lists.reload(self._now())

    def by_rule(self, der: bytes) -> ClientIdentity | Refusal:
        """Return whose certificate (DER) this is by the rules for other authorities."""
        try:
            number = self._mapping.client(der)
        except Ambiguous:
            return Refusal.AMBIGUOUS
        if number is None:
            return Refusal.UNKNOWN
        return self._by_number.get(number, Refusal.REVOKED)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

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
