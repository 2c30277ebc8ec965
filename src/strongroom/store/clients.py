"""Client records as rows, and their seal.

Rule: rows are translated here, both ways, and nothing else. The seal binds every column of a row and holds
what has no column; a row that it does not fit is passed on as such and never stops the others.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Final

from strongroom.domain.clients import ClientCertificate, ClientRecord, Seal
from strongroom.domain.identity import ClientId, TenantId
from strongroom.domain.store_failures import StoreFailure
from strongroom.model.convert import decoder, encoder
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Int64, Own, Struct
from strongroom.registry import Tag
from strongroom.store.entries import EntryRepository
from strongroom.store.records import Backend, ClientRow, StoreUnavailable
from strongroom.store.sealing import RecordTampered, StoreKeys, UnknownStoreKey
from strongroom.wire import binary
from strongroom.wire.errors import DecodeError
from strongroom.wire.limits import OWN

_VALUE: Final = int(Tag.VENDOR_EXTENSION)  # something has to be the root; nothing reads it
_NEVER: Final = dt.datetime.fromtimestamp(0, dt.UTC)
_UNBELIEVABLE: Final = (
    RecordTampered,
    UnknownStoreKey,
    DecodeError,
    ValueError,
    TypeError,
    OverflowError,
    OSError,
)


class StoredCertificate(Struct):
    """See `domain.clients.ClientCertificate`; the serial number is in hex, times in seconds."""

    fingerprint: Annotated[str, Own(1)]
    authority: Annotated[str, Own(2)]
    serial: Annotated[str, Own(3)]
    ends_at: Annotated[Int64, Own(4)]
    until: Annotated[Int64 | None, Own(5)] = None


class ClientDetails(Struct):
    """What a client record has beside its columns."""

    certificates: Annotated[tuple[StoredCertificate, ...], Own(1)] = ()
    former: Annotated[tuple[str, ...], Own(2)] = ()


class ClientRepository(EntryRepository):
    """The client records of one store, as one process sees them."""

    def __init__(self, backend: Backend, keys: StoreKeys) -> None:
        super().__init__(backend, keys)
        self._opened: dict[ClientRow, ClientRecord] = {}

    async def clients(self) -> Sequence[ClientRecord]:
        """Return every record, revoked clients too. One whose seal is not whole is marked."""
        try:
            rows = await self._backend.clients()
            if any(row.store_key is not None and not self._keys.knows(row.store_key) for row in rows):
                # Another process made a new store key since we loaded ours.
                self._keys.load(await self._backend.store_keys())
        except StoreUnavailable as exc:
            raise StoreFailure(str(exc)) from exc
        # Whoever polls sees the same rows again and again; each is opened once.
        before = self._opened
        self._opened = {row: before.get(row) or self._open_client(row) for row in rows}
        return list(self._opened.values())

    def seal_client(self, record: ClientRecord) -> ClientRow:
        """Return the row of a record, sealed as it will be stored."""
        row = ClientRow(
            client=record.client,
            tenant=record.tenant,
            name=record.name,
            fingerprint=record.fingerprint,
            groups=record.groups,
            username=record.username,
            password_hash=record.password_hash,
            enrolled_at=int(record.enrolled_at.timestamp()),
            revoked_at=None if record.revoked_at is None else int(record.revoked_at.timestamp()),
            revision=record.revision,
            store_key=self._keys.current,
        )
        # The store counts the revision up.
        as_stored = row._replace(revision=row.revision + 1)
        return row._replace(sealed=self._keys.seal(as_stored, _encode(record)))

    def _open_client(self, row: ClientRow) -> ClientRecord:
        if row.sealed is None or row.store_key is None:
            return _unsealed(row, Seal.MISSING)
        try:
            opened = self._keys.open(row)
            details = decoder(ClientDetails, None)(binary.decode(opened.reveal(), OWN)[2])
            return _record(row, details, Seal.WHOLE)
        except _UNBELIEVABLE:
            return _unsealed(row, Seal.BROKEN)


def _record(row: ClientRow, details: ClientDetails, seal: Seal) -> ClientRecord:
    return ClientRecord(
        client=ClientId(row.client),
        tenant=TenantId(row.tenant),
        name=row.name,
        fingerprint=row.fingerprint,
        groups=tuple(row.groups),
        username=row.username,
        password_hash=row.password_hash,
        enrolled_at=_date(row.enrolled_at),
        revoked_at=None if row.revoked_at is None else _date(row.revoked_at),
        revision=row.written,
        certificates=tuple(map(_certificate, details.certificates)),
        former=details.former,
        seal=seal,
    )


def _unsealed(row: ClientRow, seal: Seal) -> ClientRecord:
    """Return what a row says that no seal vouches for; its values may be of any type (SQLite)."""
    try:
        texts = (row.name, row.fingerprint, row.username or "", row.password_hash or "", *row.groups)
        if all(isinstance(text, str) for text in texts) and isinstance(row.tenant, int):
            return _record(row, ClientDetails(), seal)
    except _UNBELIEVABLE:
        pass
    return ClientRecord(
        client=ClientId(row.client),
        tenant=TenantId(0),
        name=str(row.name),
        fingerprint=str(row.fingerprint),
        groups=(),
        username=None,
        password_hash=None,
        enrolled_at=_NEVER,
        revoked_at=None if row.revoked_at is None else _NEVER,
        revision=row.written if isinstance(row.revision, int) else 0,
        seal=Seal.BROKEN,
    )


def _encode(record: ClientRecord) -> SecretBytes:
    details = ClientDetails(
        certificates=tuple(
            StoredCertificate(
                fingerprint=one.fingerprint,
                authority=one.authority,
                serial=f"{one.serial:x}",
                ends_at=int(one.ends_at.timestamp()),
                until=None if one.until is None else int(one.until.timestamp()),
            )
            for one in record.certificates
        ),
        former=record.former,
    )
    return SecretBytes(binary.encode((_VALUE, 1, encoder(ClientDetails, None)(details))))


def _certificate(stored: StoredCertificate) -> ClientCertificate:
    return ClientCertificate(
        fingerprint=stored.fingerprint,
        authority=stored.authority,
        serial=int(stored.serial, 16),
        ends_at=_date(stored.ends_at),
        until=None if stored.until is None else _date(stored.until),
    )


def _date(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
