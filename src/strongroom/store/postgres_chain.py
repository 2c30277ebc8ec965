"""The chain of audit events in PostgreSQL.

Rule: any number of nodes commit events at once, and one that was begun earlier may show up later. So events
get their place in the chain afterwards, by one process at a time: whoever holds the lock takes what has no
place yet, in the order of its numbers, and puts it behind the end. Whoever stands still, with its machine,
does not keep the lock.
"""

from typing import Final

import asyncpg

from strongroom.domain.chain import EMPTY, Head, extend
from strongroom.store import statements

AT_ONCE: Final = 2000
"""Events that are chained in one transaction."""

STANDSTILL: Final = "5s"
"""How long the server waits for the next statement of whoever has the lock; then it ends the connection."""

_UNCHAINED: Final = statements.numbered(statements.UNCHAINED)
_LOCK: Final = (
    "SELECT pg_try_advisory_xact_lock(hashtext('strongroom audit')),"
    " set_config('idle_in_transaction_session_timeout', $1, true)"
)
_CHAIN: Final = (
    "UPDATE audit SET position = v.position, hash = v.hash"
    " FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS v(sequence, position, hash)"
    " WHERE audit.sequence = v.sequence"
)


async def extend_chain(connection: asyncpg.Connection) -> int:
    """Chain what is not chained yet; return how many, 0 when another process is at it."""
    done = 0
    while chained := await _extend(connection):
        done += chained
        if chained < AT_ONCE:
            break
    return done


async def _extend(connection: asyncpg.Connection) -> int:
    async with connection.transaction():
        if not await connection.fetchval(_LOCK, STANDSTILL):
            return 0
        # Each statement sees what was committed before it began, and the lock was free by then.
        ends = await connection.fetch(statements.AUDIT_HEAD)
        rows = await connection.fetch(_UNCHAINED, AT_ONCE)
        heads = extend(Head(*ends[0]) if ends else EMPTY, [row["event"] for row in rows])
        await connection.execute(
            _CHAIN,
            [row["sequence"] for row in rows],
            [head.position for head in heads],
            [head.hash for head in heads],
        )
        return len(rows)
