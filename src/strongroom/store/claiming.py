"""A new store becomes that of a root key.

Rule: its first store key is put there in one step, which does nothing where there is one. So of all who begin
with the same database, at whatever moments, one gets it, and the others know.
"""

import asyncio
import sqlite3
import time
from typing import Final

from strongroom.domain.ports import RootKey
from strongroom.store.records import StoreKeyRow, StoreUnavailable
from strongroom.store.sealing import StoreKeys
from strongroom.store.url import PostgresUrl, SqliteUrl, StoreUrl

_CLAIM: Final = (
    "INSERT INTO store_keys (store_key, wrapped, created_at)"
    " SELECT {}, {}, {} WHERE NOT EXISTS (SELECT 1 FROM store_keys)"
)


def claim(url: StoreUrl, root_key: RootKey) -> bool:
    """Make a store, which has the newest schema, that of a root key; False when it is of another one.

    Not to be called from a running event loop. Raises StoreUnavailable and RootKeyError.
    """
    row = StoreKeys(root_key).create(int(time.time())).row
    return asyncio.run(_claim_postgres(url, row)) if isinstance(url, PostgresUrl) else _claim_sqlite(url, row)


def _claim_sqlite(url: SqliteUrl, row: StoreKeyRow) -> bool:
    try:
        connection = sqlite3.connect(url.path, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = FULL").close()
            return connection.execute(_CLAIM.format("?", "?", "?"), row).rowcount == 1
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot write {url.path}: {error}") from error


async def _claim_postgres(url: PostgresUrl, row: StoreKeyRow) -> bool:
    from strongroom.store import postgres_schema

    return await postgres_schema.first_key(url, _CLAIM.format("$1::bigint", "$2::bytea", "$3::bigint"), row)
