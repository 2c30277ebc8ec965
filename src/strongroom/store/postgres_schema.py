"""The schema of a PostgreSQL database: which one it has, making the newest, and whether the server is safe.

Rule: a migration is one transaction.
"""

from collections.abc import Callable
from typing import Final

import asyncpg

from strongroom.store import versions
from strongroom.store.postgres_connect import BROKEN, LONG, connect
from strongroom.store.postgres_outcome import Connection
from strongroom.store.records import StoreKeyRow, StoreUnavailable
from strongroom.store.url import PostgresUrl

MIGRATION_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('strongroom'))"
"""Two nodes may be upgraded at the same moment; the second waits and finds it done."""


async def version(connection: Connection) -> str | None:
    """Return the schema version, None for an empty database."""
    try:
        found = await connection.fetchval(versions.VERSION_QUERY)
    except asyncpg.UndefinedTableError:
        return None
    return None if found is None else str(found)


async def holds_keys(url: PostgresUrl) -> bool:
    """Tell whether a database that has a schema has store keys. Raises StoreUnavailable."""
    connection = await connect(url)
    try:
        return bool(await connection.fetchval(versions.HOLDS_KEYS))
    except (asyncpg.PostgresError, *BROKEN) as error:
        raise StoreUnavailable(f"the database does not say what it holds: {error}") from error
    finally:
        await connection.close()


async def first_key(url: PostgresUrl, claim: str, row: StoreKeyRow) -> bool:
    """Put the first store key into a database; False when it has one. Raises StoreUnavailable."""
    connection = await connect(url)
    try:
        async with connection.transaction():
            # Two that begin at the same moment would not see each other's.
            await connection.execute(MIGRATION_LOCK, timeout=LONG)
            return bool(await connection.execute(claim, *row) == "INSERT 0 1")
    except (asyncpg.PostgresError, *BROKEN) as error:
        raise StoreUnavailable(f"the database does not take a first key: {error}") from error
    finally:
        await connection.close()


async def warnings(url: PostgresUrl) -> list[str]:
    """Return what the operator should know about this database: what would lose acknowledged changes."""
    connection = await connect(url)
    try:
        found = []
        if await connection.fetchval("SHOW fsync") != "on":
            found.append("the database server runs with fsync off: a crash of its machine loses keys")
        standbys = await connection.fetchval("SHOW synchronous_standby_names")
        if len(url.hosts) > 1 and not standbys:
            found.append(
                "several database hosts are configured but the server has no synchronous standby: "
                "a failover may lose acknowledged changes; set synchronous_standby_names"
            )
        return found
    except (asyncpg.PostgresError, *BROKEN) as error:
        raise StoreUnavailable(f"the database does not say how it is set up: {error}") from error
    finally:
        await connection.close()


async def migrate(url: PostgresUrl, script: Callable[[str | None], str]) -> None:
    """Run the SQL that `script` gives for the version that is there, in one transaction."""
    connection = await connect(url)
    try:
        async with connection.transaction():
            await connection.execute(MIGRATION_LOCK, timeout=LONG)
            found = await _version_in_transaction(connection)
            if found == versions.VERSIONS[-1]:
                return
            if versions.is_newer(found):
                versions.check(found, "the database")
            await run_script(connection, script(found))
    except (asyncpg.PostgresError, *BROKEN) as error:
        raise StoreUnavailable(f"cannot migrate the database: {error}; nothing was changed") from error
    finally:
        await connection.close()


async def run_script(connection: Connection, script: str) -> None:
    """Run the SQL of a migration, however long it takes."""
    await connection.execute(script, timeout=LONG)


async def _version_in_transaction(connection: Connection) -> str | None:
    """As `version`, without an error that would end the transaction."""
    if await connection.fetchval("SELECT to_regclass($1)", versions.VERSION_TABLE) is None:
        return None
    return await version(connection)
