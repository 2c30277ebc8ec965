"""Certificates that are about to end: said in the log once a day, and in the status of the server.

Rule: an end is told while there is still time to do something about it, together with what to do. Names and
dates are told, never a key.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Final, cast

from cryptography import x509

from strongroom.domain.clients import ClientRecord, Seal
from strongroom.domain.entries import Entry, EntryChange, Kept
from strongroom.domain.store import Changes, LostRace, ObjectStore
from strongroom.domain.store_failures import DamagedEntry
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.model.struct import Int64, Own
from strongroom.server.certificates.authorities import certificates, identity
from strongroom.server.config import Settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import OperatorError
from strongroom.server.logs import get_logger
from strongroom.server.messages import Message

log = get_logger()

AUTHORITY_WARNING: Final = dt.timedelta(days=2 * 365)
"""How long before its end an authority is warned about: a client's certificate never outlives it."""

SERVER_WARNING: Final = dt.timedelta(days=30)
EVERY: Final = dt.timedelta(days=1)
LOOKS: Final = dt.timedelta(minutes=10)

_RENEW: Final = (
    "renew it: strongroom client renew NAME --out OUT, or on its host: strongroom client renew --profile FILE"
)
_KEY: Final = "clients"


class EndingsTold(Entry, kind=33):
    """When clients whose certificates end were last told about, by whichever worker it was; in seconds."""

    at: Annotated[Int64, Own(1)]


class EndingCertificates:
    """The job that warns of clients' certificates, once a day by one worker of all nodes."""

    def __init__(
        self, store: ObjectStore, records: Callable[[], Sequence[ClientRecord]], warn: dt.timedelta
    ) -> None:
        self._store = store
        self._records = records
        self._warn = warn
        self._next = dt.datetime.min.replace(tzinfo=dt.UTC)

    async def tidy(self, now: dt.datetime) -> None:
        """Warn when a day has passed since somebody did."""
        if now < self._next <= now + LOOKS:
            return
        self._next = now + LOOKS
        ending = list(ending_clients(self._records(), now, self._warn))
        if not ending:
            return
        try:
            told = await self._store.load_entry(EndingsTold, SYSTEM_TENANT, _KEY)
            generation = 0 if told is None else told.generation
        except DamagedEntry as damaged:
            told, generation = None, damaged.generation
        # One that seems to come from the future was told before the clock was set right.
        if told is not None and abs(now - dt.datetime.fromtimestamp(told.value.at, dt.UTC)) < EVERY:
            return
        after = Kept(tenant=SYSTEM_TENANT, key=_KEY, owner=0, value=EndingsTold(at=int(now.timestamp())))
        change = EntryChange(EndingsTold, SYSTEM_TENANT, _KEY, generation, after)
        try:
            await self._store.commit(Changes(entries=[change]))
        except LostRace:
            return  # another worker warns
        for record, ends_at in ending:
            log.warning(
                "certificate_ended" if ends_at <= now else "certificate_ends",
                client=record.name,
                ends_at=ends_at.isoformat(),
                cure=_RENEW,
            )


def ending_clients(
    records: Sequence[ClientRecord], now: dt.datetime, warn: dt.timedelta
) -> Iterator[tuple[ClientRecord, dt.datetime]]:
    """Yield the clients in force whose certificate ends soon, or has ended, and when."""
    for record in records:
        if record.revoked_at is None and record.seal is Seal.WHOLE:
            ends_at = record.ends_at
            if ends_at is not None and ends_at - now < warn:
                yield record, ends_at


def warn_of_endings(directory: DataDirectory, settings: Settings) -> None:
    """Say in the log which of the server's certificates end."""
    told = certificates_of_the_server(directory, settings, dt.datetime.now(dt.UTC))
    for warning in cast(list[str], told["warnings"]):
        log.warning("certificate_ends", warning=warning)


def certificates_of_the_server(directory: DataDirectory, settings: Settings, now: dt.datetime) -> Message:
    """Return what the status says of the server's certificates; `warnings` are sentences with a cure."""
    warnings: list[str] = []
    authorities = []
    try:
        for one in certificates(directory):
            ends_at = one.not_valid_after_utc
            authorities.append({"authority": identity(one), "ends_at": ends_at.isoformat()})
            if ends_at - now < AUTHORITY_WARNING:
                warnings.append(
                    f"the authority {identity(one)[:16]} ends on {ends_at:%Y-%m-%d}; make another one and"
                    " renew the clients: strongroom server ca rotate"
                )
    except OperatorError as error:
        warnings.append(str(error))
    own = settings.tls.certificate
    file = directory.server_certificate if own is None else directory.path / own
    ends = None
    try:
        ends = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
        if ends - now < SERVER_WARNING:
            warnings.append(f"the server certificate {file.name} ends on {ends:%Y-%m-%d}; replace it")
    except (OSError, ValueError):
        warnings.append(f"the server certificate {file} cannot be read")
    return {
        "server_certificate_ends_at": None if ends is None else ends.isoformat(),
        "authorities": authorities,
        "warnings": warnings,
    }
