"""Client records as rows.

Rule: rows are translated here, both ways, and nothing else.
"""

import datetime as dt

from strongroom.domain.clients import ClientRecord
from strongroom.domain.identity import ClientId, TenantId
from strongroom.store.records import ClientRow


def to_record(row: ClientRow) -> ClientRecord:
    """Return the record of a row."""
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


def to_row(record: ClientRecord) -> ClientRow:
    """Return the row of a record."""
    return ClientRow(
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
