"""Certificates that TLS took and that no client has: remembered, so that an administrator can let them in.

Rule: nobody comes in by being remembered. What stands in such a certificate is the word of its authority, and
shown as such; a client gets the name that the administrator types. Memory and store are bounded, and what was
seen last stays.
"""

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography import x509

from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.mapping import MAX_DER, PendingCertificate
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.store_failures import DamagedEntry
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.certificates.ca import INVITATION_SUBJECT, UNREADABLE
from strongroom.server.clients.directory import PeerCertificate
from strongroom.server.errors import InvalidOption, NotFound, OperatorError
from strongroom.server.logs import get_logger
from strongroom.server.messages import Message

log = get_logger()

HELD: Final = 64
"""Certificates that a worker holds until they are written; more are not remembered."""

WRITTEN_EVERY: Final = timedelta(seconds=2)

LIFETIME: Final = timedelta(days=30)
"""After which a certificate that has not come again is forgotten."""

SHORTEST: Final = 8
"""Characters that name a certificate at least."""

LONGEST_SHOWN: Final = 512
"""Characters of a name in a certificate that are shown."""


class Strangers:
    """What one worker has seen, and the job that writes it down. `maximum` 0 remembers nobody."""

    def __init__(self, store: ObjectStore, maximum: int) -> None:
        self._store = store
        self._maximum = maximum
        self._seen: dict[str, tuple[PeerCertificate, str, int]] = {}
        self._written: datetime | None = None

    def note(self, certificate: PeerCertificate, peer: str) -> None:
        """Remember that a certificate has come from somewhere."""
        if not self._maximum or len(certificate.der) > MAX_DER:
            return
        _, _, count = self._seen.get(certificate.fingerprint, (None, None, 0))
        if count or len(self._seen) < HELD:
            self._seen[certificate.fingerprint] = certificate, peer, count + 1

    async def tidy(self, now: datetime) -> None:
        """Write down what was seen; forget what is old, or too much."""
        if not self._seen or (self._written is not None and now - self._written < WRITTEN_EVERY):
            return
        self._written = now
        seen, self._seen = self._seen, {}
        # A token that was used or withdrawn is no client, and never will be one.
        seen = {known: what for known, what in seen.items() if not _is_invitation(what[0].der)}
        damaged: list[DamagedEntry] = []
        kept = {one.key: one for one in await queue(self._store, damaged.append)}
        await self._take_away(damaged)
        others = sorted(
            (one for one in kept.values() if one.key not in seen and (one.due is None or one.due > now)),
            key=lambda one: one.value.last_seen,
            reverse=True,
        )
        ranked = [*sorted(seen, key=lambda known: known not in kept), *(one.key for one in others)]
        staying = set(ranked[: self._maximum])
        changes = [
            _change(kept.get(known), known, _noted(kept.get(known), *what, int(now.timestamp())), now)
            for known, what in seen.items()
            if known in staying
        ]
        changes += [removal(one) for one in kept.values() if one.key not in staying]
        try:
            await self._store.commit(Changes(entries=changes))
        except LostRace:
            # Another worker has seen one of them too. What comes again is counted again.
            self._seen = seen | self._seen

    async def _take_away(self, damaged: Sequence[DamagedEntry]) -> None:
        """Remove what nobody could let in, and what would keep its certificate from being remembered."""
        for one in damaged:
            log.error("pending_certificate_damaged", error=str(one))
            gone = EntryChange(PendingCertificate, SYSTEM_TENANT, one.key, one.generation, None)
            with contextlib.suppress(LostRace):  # another worker did
                await self._store.commit(Changes(entries=[gone]))


def _left_out(_damaged: DamagedEntry) -> None:
    """Let it be: the worker that next writes one down takes it away, and says so."""


async def queue(
    store: ObjectStore, damaged: Callable[[DamagedEntry], None] = _left_out
) -> Sequence[Kept[PendingCertificate]]:
    """Return what waits for a decision; what cannot be read is told to `damaged`."""
    return await store.entries_of(PendingCertificate, SYSTEM_TENANT, 0, damaged=damaged)


async def find(store: ObjectStore, wanted: str) -> Kept[PendingCertificate]:
    """Return the certificate whose fingerprint begins with `wanted`; raises NotFound and OperatorError."""
    if len(wanted) < SHORTEST:
        raise InvalidOption(f"name a certificate by {SHORTEST} characters of its fingerprint at least")
    found = [one for one in await queue(store) if one.key.startswith(wanted.lower())]
    if not found:
        raise NotFound(f"no certificate {wanted} is waiting; list them: strongroom client pending list")
    if len(found) > 1:
        raise OperatorError(f"{len(found)} certificates begin with {wanted}; write more of the fingerprint")
    return found[0]


def removal(kept: Kept[Any]) -> EntryChange:
    """Return the change that forgets an entry of the system tenant."""
    return EntryChange(type(kept.value), SYSTEM_TENANT, kept.key, kept.generation, None)


def to_message(kept: Kept[PendingCertificate]) -> Message:
    """Return what an administrator sees; names are what the certificate says, and may be a lie."""
    value = kept.value
    message: Message = {
        "fingerprint": kept.key,
        "address": value.address,
        "first_seen": value.first_seen,
        "last_seen": value.last_seen,
        "count": value.count,
    }
    try:
        certificate = x509.load_der_x509_certificate(value.certificate)
        message |= {
            "subject": shown(certificate.subject),
            "issuer": shown(certificate.issuer),
            "serial": f"{certificate.serial_number:x}",
            "ends_at": certificate.not_valid_after_utc.isoformat(),
            "names": _names(certificate),
        }
    except UNREADABLE:
        message |= {"subject": None, "issuer": None, "serial": None, "ends_at": None, "names": []}
    return message


def shown(name: x509.Name) -> str:
    """Return a name in ASCII, on one line, with nothing that a terminal obeys or an eye mistakes."""
    parts = [
        "+".join(f"{one.rfc4514_attribute_name}={_escaped(one.value)}" for one in part)
        for part in reversed(name.rdns)
    ]
    return ",".join(parts)[:LONGEST_SHOWN]


def _escaped(value: str | bytes) -> str:
    if isinstance(value, bytes):
        return f"#{value.hex()}"
    return value.encode("unicode_escape").decode("ascii").replace(",", "\\,").replace("+", "\\+")


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    kinds = {x509.DNSName: "dns", x509.RFC822Name: "email", x509.UniformResourceIdentifier: "uri"}
    found = [
        f"{kind}:{_escaped(name.value)[:LONGEST_SHOWN]}"
        for cls, kind in kinds.items()
        for name in names
        if isinstance(name, cls)
    ]
    return found + [f"ip:{name.value}" for name in names if isinstance(name, x509.IPAddress)]


def _is_invitation(der: bytes) -> bool:
    try:
        return x509.load_der_x509_certificate(der).subject == INVITATION_SUBJECT
    except UNREADABLE:
        return False


def _noted(
    before: Kept[PendingCertificate] | None, certificate: PeerCertificate, peer: str, count: int, now: int
) -> PendingCertificate:
    return PendingCertificate(
        certificate=certificate.der,
        address=peer,
        first_seen=now if before is None else before.value.first_seen,
        last_seen=now,
        count=count + (0 if before is None else before.value.count),
    )


def _change(
    before: Kept[PendingCertificate] | None, key: str, value: PendingCertificate, now: datetime
) -> EntryChange:
    generation = 0 if before is None else before.generation
    after = Kept(tenant=SYSTEM_TENANT, key=key, owner=0, value=value, due=now + LIFETIME)
    return EntryChange(PendingCertificate, SYSTEM_TENANT, key, generation, after)
