"""The schema of a PostgreSQL database: which one it has, making the newest, and whether the server is safe.

Rule: a migration is one transaction, and no server is at work meanwhile: a release reads and writes by the
schema that it knows, and looks once, when it connects, whether that is the one there is.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import asyncpg

from strongroom.store import versions
from strongroom.store.postgres_connect import APPLICATION, BROKEN, LONG, connect
from strongroom.store.postgres_outcome import Connection
from strongroom.store.records import StoreKeyRow, StoreUnavailable
from strongroom.store.url import PostgresUrl

MIGRATION_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('strongroom'))"
"""Two nodes may be upgraded at the same moment; the second waits and finds it done."""


OTHERS_WITHIN: Final = 5.0
"""Seconds in which connections that were closed a moment ago disappear."""

_MIGRATING: Final = "SET application_name = 'strongroom migrate'"
"""Others that do the same wait for each other."""

_OTHERS: Final = (
    "SELECT string_agg(format('process %s from %s', pid, coalesce(host(client_addr), 'this machine')), ', ')"
    " FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1"
    " AND pid <> pg_backend_pid()"
)


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
        await connection.execute(_MIGRATING)
        if await version(connection) in versions.VERSIONS[:-1]:
            await _wait_for_others(connection)
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


async def _wait_for_others(connection: Connection) -> None:
    """Return once no server is connected to the database. Raises StoreUnavailable."""
    clock = asyncio.get_running_loop().time
    give_up = clock() + OTHERS_WITHIN
    while others := await connection.fetchval(_OTHERS, APPLICATION):
        if clock() > give_up:
            raise StoreUnavailable(
                f"a server is connected to the database ({others}): stop every server that uses it, and give"
                " the command again; for one whose machine is gone, pg_terminate_backend ends its connection"
            )
        await asyncio.sleep(0.1)


async def run_script(connection: Connection, script: str) -> None:
    """Run the SQL of a migration, however long it takes."""
    await connection.execute(script, timeout=LONG)


async def _version_in_transaction(connection: Connection) -> str | None:
    """As `version`, without an error that would end the transaction."""
    if await connection.fetchval("SELECT to_regclass($1)", versions.VERSION_TABLE) is None:
        return None
    return await version(connection)
