"""What PostgreSQL says, and does not say, about whether a commit will last.

Rule: a commit counts once the standby has it, where there is a synchronous one. When the wait for it is
broken off, the server keeps the change and shows it to every reader, and a failover may still lose it: what
is merely found is no answer. So it is found and confirmed in one go: by a commit on the same connection, thus
on the same server, which has to wait for the standby as well and comes after all that was seen.

A connection leads to one server as long as it lasts, so what a failover has lost is seen by the connections
that are made after it.
"""

import contextlib
from collections.abc import Set
from typing import Final

import asyncpg

from strongroom.domain.chain import EMPTY, Head
from strongroom.store import statements, visibility
from strongroom.store.records import EntryRow, ObjectRow, StoreKeyLost
from strongroom.store.resend import Look

_ENTRY: Final = statements.numbered(statements.ENTRY)
_HAS_EVENT: Final = statements.numbered(statements.HAS_EVENT)

_STORE_KEYS: Final = "SELECT store_key FROM store_keys WHERE store_key = ANY($1::bigint[])"

_CONFIRM: Final = "SELECT pg_logical_emit_message(true, 'strongroom', '')"
"""Writes a few bytes of log that mean nothing, since a commit that has written nothing waits for nobody."""

_WARNING: Final = "01000"
"""The SQLSTATE of "canceling wait for synchronous replication"; its text is in the server's language."""


_CHECK_CLIENT: Final = (
    "SELECT set_config(name, '5s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'"
)
"""The server ends what it does for a client that is gone, where it knows how (PostgreSQL 14)."""


class NotReplicated(Exception):
    """The server has made the change, and has stopped waiting for the standby."""


class Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that knows whether the server has warned of a commit."""

    __slots__ = ("_store_keys", "_warned", "idle_since")

    async def begin(self) -> None:
        """Get ready for the first statement."""
        self.watch()
        self._store_keys: set[int] = set()
        self.add_log_listener(note)
        try:
            with contextlib.suppress(asyncpg.InvalidParameterValueError):  # not on the system it runs on
                await self.execute(_CHECK_CLIENT)
        except BaseException:
            self.terminate()
            raise

    async def ask(self, within: float) -> None:
        """Return if the server answers in so many seconds; raises what `fetch` does."""
        await self.execute("SELECT 1", timeout=within)

    async def end(self, within: float) -> None:
        """Close the connection once the server was told to stop what it does for it; in so many seconds."""
        try:
            # The driver waits until the server has taken note.
            await self.close(timeout=within)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            self.terminate()

    async def require(self, store_keys: Set[int]) -> None:
        """Return if the server has these store keys. Raises StoreKeyLost beside what `fetch` does.

        None is ever removed there, so each is looked for once.
        """
        if not store_keys <= self._store_keys:
            self._store_keys.update(row[0] for row in await self.fetch(_STORE_KEYS, list(store_keys)))
            if not store_keys <= self._store_keys:
                raise StoreKeyLost

    async def lasting(self, sql: str, *parameters: object) -> list[asyncpg.Record]:
        """Run a statement that changes something. Raises NotReplicated beside what `fetch` does."""
        self.watch()
        rows: list[asyncpg.Record] = await self.fetch(sql, *parameters)
        self.check()
        return rows

    def watch(self) -> None:
        """Forget what was warned of before."""
        self._warned = ""

    def check(self) -> None:
        """Raise NotReplicated if the server has warned since `watch`."""
        if self._warned:
            raise NotReplicated(self._warned)

    def note(self, message: asyncpg.PostgresLogMessage) -> None:
        """Take a message of the server. It is handed over before the answer that follows it."""
        if message.sqlstate == _WARNING:
            self._warned = str(message)


def note(connection: Connection, message: asyncpg.PostgresLogMessage) -> None:
    """Be the listener of a connection."""
    connection.note(message)


async def is_lasting(connection: Connection, look: Look) -> bool:
    """Tell whether `look` finds what it looks for, and have it last. Raises NotReplicated and more."""
    if not await look(_Reads(connection)):
        return False
    await connection.lasting(_CONFIRM)
    return True


async def audit_head(connection: Connection) -> Head:
    """Return the end of the chain of audit events, and have it last. Raises NotReplicated and more."""
    rows = await connection.fetch(statements.AUDIT_HEAD)
    await connection.lasting(_CONFIRM)
    return Head(*rows[0]) if rows else EMPTY


class _Reads:
    """See `resend.Reads`; on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._fetch = connection.fetch

    async def fetch(self, tenant: int, unique_identifier: str) -> ObjectRow | None:
        sql, parameters = visibility.fetch(tenant, unique_identifier, None, with_numbers=True)
        rows = await self._fetch(sql, *parameters)
        return ObjectRow._make(rows[0]) if rows else None

    async def entry(self, tenant: int, kind: int, key: str) -> EntryRow | None:
        rows = await self._fetch(_ENTRY, tenant, kind, key)
        return EntryRow._make(rows[0]) if rows else None

    async def has_event(self, event: bytes, among: int) -> bool:
        return bool(await self._fetch(_HAS_EVENT, among, event))
