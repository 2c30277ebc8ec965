"""Connections to PostgreSQL: to the first host that takes writes, and what their failures mean.

Rule: whoever runs a statement learns whether it may have been executed, and people learn what helps.
"""

import os
import warnings
from typing import Final
from urllib.parse import parse_qs, urlsplit

import asyncpg

from strongroom.store.postgres_outcome import Connection
from strongroom.store.records import StoreUnavailable
from strongroom.store.url import Host, PostgresUrl

CONNECT_TIMEOUT: Final = 3.0
"""Seconds for one host."""

STATEMENT_TIMEOUT: Final = 10.0
"""Seconds until a host that says nothing counts as lost."""

LONG: Final = 24 * 3600.0
"""Seconds for a statement whose work grows with the store: a migration, a restore."""

APPLICATION: Final = "strongroom"
"""What connections are called in the server's list."""

_SETTINGS: Final = {
    "application_name": APPLICATION,
    # C4: an acknowledged change is on disk, and on a synchronous standby where there is one.
    "synchronous_commit": "on",
    # Generations are compared by hand; nothing here needs more.
    "default_transaction_isolation": "read committed",
    # Every statement is written to walk indexes, row by row; planning takes longer than most of them run, and
    # what the planner puts in place of that walk, where it misjudges a filter, takes a thousand times longer.
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
}


# Said here in words, where the password is wanted: the driver does not read such a file.
warnings.filterwarnings("ignore", message="password file", category=UserWarning)


class Lost(Exception):
    """The connection failed; `begun` tells whether the statement may have been executed."""

    def __init__(self, reason: str, *, begun: bool) -> None:
        super().__init__(reason)
        self.begun = begun


# The server said that it did nothing, and another host or moment may do: standby, starting up, no slot free.
NOT_NOW: Final = (
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.TargetServerAttributeNotMatched,
)
BROKEN: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InternalClientError,
)
_CURES: Final = {
    asyncpg.InvalidPasswordError: "the password is refused; put it into the file that ?passfile= names",
    asyncpg.InvalidAuthorizationSpecificationError: "this user may not log in; allow it in pg_hba.conf",
    asyncpg.InvalidCatalogNameError: "there is no such database; create it",
    asyncpg.InsufficientPrivilegeError: "this user lacks a privilege; make it the owner of the database",
    asyncpg.DiskFullError: "its disk is full; free some space, no restart is needed",
    asyncpg.UndefinedTableError: "a table is missing; run: strongroom store migrate DIR",
}


async def connect(url: PostgresUrl) -> Connection:
    """Connect to the first host that takes writes. Raises StoreUnavailable."""
    try:
        connection, _ = await connect_to_one(url, url.hosts)
        return connection
    except Lost as error:
        raise StoreUnavailable(f"the database cannot be reached: {error}") from error


async def connect_to_one(url: PostgresUrl, hosts: tuple[Host, ...]) -> tuple[Connection, Host]:
    """Try each host once. Raises Lost, StoreUnavailable."""
    reasons: list[str] = []
    for host in hosts:
        try:
            connection = await asyncpg.connect(
                url.dsn,
                host=host.name,
                port=host.port,
                timeout=CONNECT_TIMEOUT,
                command_timeout=STATEMENT_TIMEOUT,
                server_settings=_SETTINGS,
                connection_class=Connection,
            )
            await connection.begin()
            return connection, host
        except (*NOT_NOW, *BROKEN) as error:
            reasons.append(f"{host.name}:{host.port}: {reason(error)}")
        except asyncpg.InvalidPasswordError as error:
            fault = _password_file_fault(url)
            raise unavailable(error) if fault is None else StoreUnavailable(fault) from error
        except asyncpg.PostgresError as error:
            raise unavailable(error) from error
    raise Lost("; ".join(reasons), begun=False)


def _password_file_fault(url: PostgresUrl) -> str | None:
    """Return why the driver has taken no password from the file that the URL names, None when it has."""
    for path in parse_qs(urlsplit(url.dsn).query).get("passfile", ()):
        try:
            with open(path, "rb") as file:
                mode = os.fstat(file.fileno()).st_mode
        except OSError as error:
            return f"the database wants a password; cannot read {path}: {error.strerror}"
        if mode & 0o077:
            return f"the database wants a password, and others may read {path}; run: chmod 600 {path}"
    return None


def reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def unavailable(error: asyncpg.PostgresError) -> StoreUnavailable:
    cure = next((cure for kind, cure in _CURES.items() if isinstance(error, kind)), None)
    if cure is None:
        return StoreUnavailable(f"the database fails: {error} ({error.sqlstate})")
    return StoreUnavailable(f"the database fails: {cure} ({error.sqlstate})")
