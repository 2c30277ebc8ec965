"""The index of a store made anew from its records.

Rule: all or nothing, in one transaction, while no server runs on the store. A record that does not open keeps
its row and is found by nothing but its identifier.
"""

from strongroom.domain.backups import Opened
from strongroom.domain.ports import RootKey
from strongroom.store import postgres_connect, sqlite_file
from strongroom.store.filling import PostgresRecords, SqliteRecords
from strongroom.store.snapshot import as_stored, translated
from strongroom.store.url import SqliteUrl, StoreUrl

_EMPTIED = ("DELETE FROM terms", "DELETE FROM names")


async def reindex(url: StoreUrl, root_key: RootKey) -> Opened:
    """Make index terms and names anew; return what was opened. Raises StoreFailure."""
    with translated():
        if isinstance(url, SqliteUrl):
            return await _reindex_sqlite(url, root_key)
        connection = await postgres_connect.connect(url)
        try:
            async with connection.transaction():
                for statement in _EMPTIED:
                    await connection.execute(statement, timeout=postgres_connect.LONG)
                return await PostgresRecords(connection, "").open_records(root_key)
        finally:
            await connection.close()


async def _reindex_sqlite(url: SqliteUrl, root_key: RootKey) -> Opened:
    connection = sqlite_file.connect(url.path)
    connection.text_factory = as_stored
    try:
        connection.execute("PRAGMA synchronous = FULL").close()
        connection.execute("BEGIN IMMEDIATE").close()
        for statement in _EMPTIED:
            connection.execute(statement).close()
        opened = await SqliteRecords(connection, "").open_records(root_key)
        connection.execute("COMMIT").close()
        return opened
    finally:
        connection.close()
