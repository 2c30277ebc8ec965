"""The PostgreSQL back end.

Rule: one statement is one transaction. A connection that failed is thrown away together with the idle ones;
reads are tried again for a bounded time, commits as `store/resend.py` says.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import asyncpg

from strongroom.domain.chain import Head
from strongroom.store import (
    postgres_chain,
    postgres_commit,
    postgres_outcome,
    postgres_schema,
    resend,
    statements,
    versions,
    visibility,
)
from strongroom.store.changes import Writes, client_exists, client_row, flatten, name_taken, sealed_under
from strongroom.store.locate import POSTGRESQL, search
from strongroom.store.postgres_connect import (
    BROKEN,
    CONNECT_TIMEOUT,
    LONG,
    NOT_NOW,
    Lost,
    connect,
    connect_to_one,
    reason,
    unavailable,
)
from strongroom.store.postgres_outcome import Connection, NotReplicated
from strongroom.store.records import (
    ALL_ENTRIES,
    AuditRow,
    ChangeSet,
    ClientExists,
    ClientRow,
    Conflict,
    EntryRow,
    Located,
    LocateQuery,
    NameTaken,
    ObjectRow,
    OutcomeUnknown,
    StoreKeyRow,
    StoreUnavailable,
    Visible,
    Written,
)
from strongroom.store.url import PostgresUrl

CONNECTIONS: Final = 10
"""Connections of one worker; a statement that finds them busy waits."""

APART: Final = 2
"""Of these are kept for reads: commits may wait long, for a standby or for each other, and what a worker
looks for meanwhile, such as revocations, does not wait with them."""

RETRY_FOR: Final = 15.0
"""Seconds in which another host may take over."""

RETRY_PAUSE: Final = 0.1

QUIET: Final = 0.5
"""Seconds after which a connection that nobody has used is asked whether it still leads somewhere: nothing
tells of a host that is gone, or of a firewall that has forgotten it. The statement would be answered long
after, with a commit nobody would know what became of it, and a revocation would be heard of too late."""

ANSWER_WITHIN: Final = 1.0

_WRITTEN: Final = statements.numbered(statements.WRITTEN)
_ENTRY: Final = statements.numbered(statements.ENTRY)
_ENTRIES: Final = statements.numbered(statements.ENTRIES)
_COUNT_ENTRIES: Final = statements.numbered(statements.COUNT_ENTRIES)
_DUE_ENTRIES: Final = statements.numbered(statements.DUE_ENTRIES)
_AUDIT_ROWS: Final = statements.numbered(statements.AUDIT_ROWS)
_UNCHAINED: Final = statements.numbered(statements.UNCHAINED)
_VACUUM: Final = "VACUUM objects, entries"
"""Of whatever held sealed material."""
_LONG_READS: Final = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND backend_xmin IS NOT NULL"
    " AND pid <> pg_backend_pid() AND xact_start < now() - interval '1 second' LIMIT 1"
)
"""Finds a transaction, such as that of a backup, that still sees rows which were removed since it began."""
_TAKEN: Final = (
    "SELECT n.name FROM names n"
    " JOIN unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS v(tenant, owner, name)"
    " ON n.tenant = v.tenant AND n.owner = v.owner AND n.name = v.name LIMIT 1"
)


T = TypeVar("T")


async def _chain(connection: Connection) -> int:
    connection.watch()
    chained = await postgres_chain.extend_chain(connection)
    connection.check()
    return chained


class PostgresBackend:
    """A worker's view of a PostgreSQL store."""

    def __init__(self, url: PostgresUrl, *, connections: int = CONNECTIONS) -> None:
        self._url = url
        self._hosts = url.hosts
        self._free = asyncio.Semaphore(connections)
        self._free_for_commits = asyncio.Semaphore(max(1, connections - APART))
        self._connections = connections
        self._idle: list[Connection] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = True

    async def start(self) -> None:
        self._closed = False
        connection = await connect(self._url)
        try:
            versions.check(await postgres_schema.version(connection), "the database")
        except BaseException:
            await connection.close()
            raise
        self._put_back(connection)

    async def close(self) -> None:
        self._closed = True
        for _ in range(self._connections):
            await self._free.acquire()
        for connection in self._idle:
            await connection.close()
        self._idle.clear()
        await asyncio.gather(*self._ending)
        for _ in range(self._connections):
            self._free.release()

    def mark(self) -> None:
        return None

    async def version(self) -> int | None:
        return None  # a round trip to ask costs as much as one to search

    async def written(self, tenant: int, unique_identifier: str) -> Written | None:
        # PostgreSQL has no text with a NUL in it, so nothing can be called so.
        if "\0" in unique_identifier:
            return None
        rows = await self._read(_WRITTEN, (tenant, unique_identifier))
        return (rows[0][0], rows[0][1]) if rows else None

    async def fetch(
        self, tenant: int, unique_identifier: str, visible: Visible | None = None
    ) -> ObjectRow | None:
        if "\0" in unique_identifier:
            return None
        sql, parameters = visibility.fetch(tenant, unique_identifier, visible, with_numbers=True)
        rows = await self._read(sql, parameters)
        return ObjectRow._make(rows[0]) if rows else None

    async def locate(self, query: LocateQuery) -> Located:
        steps = search(query, POSTGRESQL)
        try:
            sql, parameters = next(steps)
            while True:
                sql, parameters = steps.send(await self._read(sql, parameters))
        except StopIteration as answer:
            located: Located = answer.value
            return located

    async def entry(self, tenant: int, kind: int, key: str) -> EntryRow | None:
        rows = await self._read(_ENTRY, (tenant, kind, key)) if "\0" not in key else []
        return EntryRow._make(rows[0]) if rows else None

    async def entries(self, tenant: int, kind: int, owner: int, maximum: int = ALL_ENTRIES) -> list[EntryRow]:
        rows = await self._read(_ENTRIES, (tenant, kind, owner, maximum))
        return [EntryRow._make(row) for row in rows]

    async def usage(self, tenant: int, owner: int | None) -> tuple[int, int]:
        sql, parameters = statements.usage_of(tenant, owner)
        objects, size = (await self._read(statements.numbered(sql), parameters))[0]
        return objects, size

    async def count_entries(self, tenant: int, kind: int, owner: int) -> int:
        counted: int = (await self._read(_COUNT_ENTRIES, (tenant, kind, owner)))[0][0]
        return counted

    async def due_entries(self, kind: int, before: int, maximum: int, offset: int = 0) -> list[EntryRow]:
        rows = await self._read(_DUE_ENTRIES, (kind, before, maximum, offset))
        return [EntryRow._make(row) for row in rows]

    async def clients(self) -> list[ClientRow]:
        return [client_row(tuple(row)) for row in await self._read(statements.CLIENTS)]

    async def store_keys(self) -> list[StoreKeyRow]:
        return [StoreKeyRow._make(row) for row in await self._read(statements.STORE_KEYS)]

    async def audit_head(self) -> Head:
        return await self._confirmed(postgres_outcome.audit_head)

    async def audit_rows(self, after: int, maximum: int) -> list[AuditRow]:
        return [AuditRow._make(row) for row in await self._read(_AUDIT_ROWS, (after, maximum))]

    async def chain_events(self) -> int:
        if not await self._read(_UNCHAINED, (1,)):
            return 0
        try:
            return await self._commit_on_connection(_chain)
        except Lost as error:  # undone, or done: the next one sees
            raise StoreUnavailable(f"the database cannot be reached: {error}") from error
        except asyncpg.PostgresError as error:
            raise unavailable(error) from error

    async def commit(self, changes: ChangeSet) -> None:
        writes = flatten(changes)
        if not any(writes):
            return
        try:
            await self._send(changes, writes)
        except OutcomeUnknown as lost:
            await resend.after(lost, changes, lambda: self._send(changes, writes), self)

    async def is_lasting(self, look: resend.Look) -> bool:
        return await self._confirmed(lambda connection: postgres_outcome.is_lasting(connection, look))

    async def _confirmed(self, look: Callable[[Connection], Awaitable[T]]) -> T:
        """Look at something and have it last. Raises StoreUnavailable."""
        try:
            return await self._patiently(lambda: self._commit_on_connection(look), again_if_begun=True)
        except Lost as error:
            raise StoreUnavailable(f"the database cannot be reached: {error}") from error
        except asyncpg.PostgresError as error:
            raise unavailable(error) from error

    async def scrub(self) -> None:
        # Dead rows go; what was in their place, in the write-ahead log and in replicas is PostgreSQL's own.
        kept_for = await self._read(_LONG_READS)
        try:
            await self._on_connection(lambda connection: connection.execute(_VACUUM, timeout=LONG))
        except Lost as error:
            raise StoreUnavailable(f"the database cannot be reached: {error}") from error
        except asyncpg.PostgresError as error:
            raise unavailable(error) from error
        if kept_for:
            raise StoreUnavailable(
                "the database is being read for long, and keeps what was removed until then"
            )

    async def _send(self, changes: ChangeSet, writes: Writes) -> None:
        sql, parameters = postgres_commit.statement(writes)
        store_keys = sealed_under(changes)

        async def write(connection: Connection) -> None:
            try:
                await connection.require(store_keys)
            except BROKEN as error:
                raise Lost(reason(error), begun=False) from error
            await connection.lasting(sql, *parameters)

        try:
            await self._patiently(lambda: self._commit_on_connection(write), again_if_begun=False)
        except Lost as error:
            if error.begun:
                raise OutcomeUnknown(
                    f"the database did not answer ({error}); the change may have been made or not, "
                    "so look before you repeat it"
                ) from error
            raise StoreUnavailable(f"the database cannot be reached: {error}; nothing was changed") from error
        except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
            raise Conflict from error
        except asyncpg.UniqueViolationError as error:
            raise ClientExists(client_exists(", ".join(row.name for row in changes.clients))) from error
        except (ValueError, asyncpg.DataError) as error:
            raise ValueError(f"the store cannot hold a value: {error}") from error
        except asyncpg.PostgresError as error:
            await self._refused(error, changes, writes)

    async def _refused(self, error: asyncpg.PostgresError, changes: ChangeSet, writes: Writes) -> None:
        match error.sqlstate:
            case postgres_commit.CONFLICT:
                raise Conflict from None
            case postgres_commit.NAME_TAKEN:
                names = writes.names_added
                if len(names) > 1:
                    taken = await self._read(_TAKEN, tuple(map(list, zip(*names, strict=True))))
                    names = [(0, 0, row[0]) for row in taken] or names
                raise NameTaken(name_taken(changes, names[0][2])) from None
            case postgres_commit.CLIENT_EXISTS:
                raise ClientExists(client_exists(", ".join(row.name for row in changes.clients))) from None
            case _:
                raise unavailable(error) from error

    async def _read(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[asyncpg.Record]:
        try:
            return await self._patiently(
                lambda: self._on_connection(lambda c: c.fetch(sql, *parameters)), again_if_begun=True
            )
        except Lost as error:
            raise StoreUnavailable(f"the database cannot be reached: {error}") from error
        except asyncpg.PostgresError as error:
            raise unavailable(error) from error

    async def _patiently(self, attempt: Callable[[], Awaitable[T]], *, again_if_begun: bool) -> T:
        """Do something, again if another host may take over meanwhile. Raises Lost, PostgresError."""
        clock = asyncio.get_running_loop().time
        deadline: float | None = None
        while True:
            try:
                return await attempt()
            except Lost as error:
                if deadline is None:
                    deadline = clock() + RETRY_FOR
                if clock() >= deadline or (error.begun and not again_if_begun):
                    raise
            await asyncio.sleep(RETRY_PAUSE)

    async def _commit_on_connection(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """As `_on_connection`, for what commits and so may wait long."""
        async with self._free_for_commits:
            return await self._on_connection(work)

    async def _on_connection(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do something on a connection of its own. Raises Lost, PostgresError, StoreUnavailable."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        async with self._free:
            connection = await self._connection()
            try:
                result = await work(connection)
            except ValueError:
                # A value that cannot be encoded; nothing was sent.
                self._put_back(connection)
                raise
            except NotReplicated as error:
                self._put_back(connection)
                raise Lost(str(error), begun=True) from error
            except NOT_NOW as error:
                self._discard(connection)
                raise Lost(reason(error), begun=False) from error
            except BROKEN as error:
                self._discard(connection)
                raise Lost(reason(error), begun=True) from error
            except asyncpg.PostgresError:
                self._put_back(connection)
                raise
            except BaseException:
                # Cancelled in the middle: an answer may still come.
                self._end(connection)
                raise
            self._put_back(connection)
            return result

    def _put_back(self, connection: Connection) -> None:
        connection.idle_since = time.monotonic()
        self._idle.append(connection)

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed() and await self._is_alive(connection):
                return connection
        # Requests begin outside a task, where the driver's time limits raise. From here on this is one.
        await asyncio.sleep(0)
        connection, host = await connect_to_one(self._url, self._hosts)
        # The one that serves now is asked first next time.
        self._hosts = (host, *(other for other in self._hosts if other != host))
        return connection

    async def _is_alive(self, connection: Connection) -> bool:
        if time.monotonic() < connection.idle_since + QUIET:
            return True
        try:
            await connection.ask(ANSWER_WITHIN)
        except (asyncpg.PostgresError, *BROKEN):
            self._discard(connection)
            return False
        except BaseException:
            self._end(connection)
            raise
        return True

    def _discard(self, connection: Connection) -> None:
        """Close a connection that failed, and the idle ones, which lead to the same host."""
        self._end(connection)
        for idle in self._idle:
            idle.terminate()
        self._idle.clear()

    def _end(self, connection: Connection) -> None:
        """Close a connection once the server was told to stop what it does for it.

        It would wait for a standby for ever, and use up the connections that there are for all.
        """
        ending = asyncio.get_running_loop().create_task(connection.end(CONNECT_TIMEOUT))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
