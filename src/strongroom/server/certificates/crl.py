"""The revocation list of the internal authorities, `crl.pem` in the data directory.

Rule: the list says what the client records say, in a form that other programs read, and outside the database:
a revoked client whose record somebody puts back stays out. It is made anew when a client is revoked, and long
before it ends.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.domain.clients import ClientRecord, Seal
from strongroom.server.certificates.authorities import certificates, identity
from strongroom.server.certificates.ca import Authority
from strongroom.server.certificates.revocation import read_lists
from strongroom.server.data_directory import DataDirectory, write_public
from strongroom.server.logs import get_logger

log = get_logger()

LIFETIME: Final = dt.timedelta(days=7)
RENEWAL: Final = dt.timedelta(days=3)
"""What a list has left at least."""

AGAIN: Final = dt.timedelta(minutes=1)
"""Between two looks at a list that nothing has changed."""

Revoked = Mapping[str, Mapping[int, dt.datetime]]
"""By authority (the fingerprint of its key): serial numbers, and when each was revoked."""


def revoked_certificates(records: Sequence[ClientRecord]) -> dict[str, dict[int, dt.datetime]]:
    """Return what was revoked, by authority."""
    found: dict[str, dict[int, dt.datetime]] = {}
    for record in records:
        if record.revoked_at is not None and record.seal is Seal.WHOLE:
            for one in record.certificates:
                found.setdefault(one.authority, {})[one.serial] = record.revoked_at
    return found


class RevocationListKeeper:
    """The job that keeps `crl.pem`. `open_authorities` opens all internal ones; it may take a while."""

    def __init__(
        self,
        directory: DataDirectory,
        records: Callable[[], Sequence[ClientRecord]],
        open_authorities: Callable[[], Sequence[Authority]],
    ) -> None:
        self._directory = directory
        self._records = records
        self._open_authorities = open_authorities
        self._seen: Sequence[ClientRecord] | None = None
        self._next = dt.datetime.min.replace(tzinfo=dt.UTC)

    async def tidy(self, now: dt.datetime) -> None:
        """Make the list anew when it is time."""
        records = self._records()
        if records is self._seen and now < self._next <= now + AGAIN:
            return
        revoked = revoked_certificates(records)
        await asyncio.get_running_loop().run_in_executor(None, self._keep, revoked, now)
        self._seen, self._next = records, now + AGAIN

    def _keep(self, revoked: Revoked, now: dt.datetime) -> None:
        file = self._directory.revocation_list
        try:
            lists = read_lists(file.read_bytes()) if file.exists() else []
        except ValueError as error:
            log.error("revocation_list_unreadable", file=str(file), error=str(error), alarm="it is made anew")
            lists = []
        left = {one.issuer: _left(one, now) for one in lists}
        issuers = certificates(self._directory)
        # One that lasts longer than any does was made by a clock that was ahead; others do not take it yet.
        fresh = all(RENEWAL < left.get(issuer.subject, dt.timedelta()) <= LIFETIME for issuer in issuers)
        listed = {entry.serial_number for one in lists for entry in one}
        wanted = {serial for issuer in issuers for serial in revoked.get(identity(issuer), {})}
        if fresh and wanted <= listed:
            return
        write_revocation_list(self._directory, self._open_authorities(), revoked, lists, now)


def write_revocation_list(
    directory: DataDirectory,
    authorities: Sequence[Authority],
    revoked: Revoked,
    before: Sequence[x509.CertificateRevocationList],
    now: dt.datetime,
) -> None:
    """Write the list of each authority. What a list named `before` stays named: nothing is ever unrevoked."""
    written = []
    for authority in authorities:
        serials = dict(revoked.get(authority.identity, {}))
        for old in before:
            if old.issuer == authority.certificate.subject:
                serials = {entry.serial_number: entry.revocation_date_utc for entry in old} | serials
        written.append(authority.revocation_list(serials, now.replace(microsecond=0), LIFETIME))
    write_public(directory.revocation_list, b"".join(one.public_bytes(Encoding.PEM) for one in written))
    log.info("revocation_list_written", revoked=sum(len(one) for one in written))


def _left(one: x509.CertificateRevocationList, now: dt.datetime) -> dt.timedelta:
    return dt.timedelta() if one.next_update_utc is None else one.next_update_utc - now
