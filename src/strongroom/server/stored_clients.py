"""Client records in a back end.

Rule: rows and errors of the store are translated here, both ways, and nothing else.
"""

import datetime as dt
from collections.abc import Sequence

from strongroom.domain.clients import ClientChanged, ClientExists, ClientRecord
from strongroom.domain.identity import ClientId, TenantId
from strongroom.domain.store import StoreFailure
from strongroom.store import records


class StoredClients:
    """See `domain.clients.ClientStore`."""

    def __init__(self, backend: records.Backend) -> None:
        self._backend = backend

    async def clients(self) -> Sequence[ClientRecord]:
        try:
            return [_to_record(row) for row in await self._backend.clients()]
        except records.StoreUnavailable as error:
            raise StoreFailure(str(error)) from error

    async def put(self, record: ClientRecord) -> None:
        try:
            await self._backend.commit(records.ChangeSet(clients=[_to_row(record)]))
        except records.ClientExists as error:
            raise ClientExists from error
        except records.Conflict as error:
            raise ClientChanged from error
        except records.StoreUnavailable as error:
            raise StoreFailure(str(error)) from error


def _to_record(row: records.ClientRow) -> ClientRecord:
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
        revision=row.revision,
    )


def _to_row(record: ClientRecord) -> records.ClientRow:
    return records.ClientRow(
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
    )


def _date(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
