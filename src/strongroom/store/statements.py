"""The SQL of the hot path.

Rule: column lists are written once, here; the order of columns is that of the rows in `records` and
`changes`. Reads serve both databases (`numbered` for PostgreSQL). SQLite writes with the rest; PostgreSQL
takes a change set in one statement (`store/postgres_commit.py`).
"""

from typing import Final

from strongroom.domain.parking import Parked
from strongroom.store.records import MOST_WRITES, NONCE_SIZE

OBJECT_COLUMNS: Final = (
    "sequence, unique_identifier, tenant, owner, generation, object_type, state, storage, usage_mask,"
    " activation_date, deactivation_date, store_key, attributes, sealed"
)
CLIENT_COLUMNS: Final = (
    "client, tenant, name, fingerprint, groups, username, password_hash, enrolled_at, revoked_at, revision,"
    " store_key, sealed"
)

ENTRY_COLUMNS: Final = "tenant, kind, key, owner, generation, due, store_key, sealed"


def numbered(sql: str) -> str:
    """Return `sql` with its question marks as PostgreSQL writes parameters: $1, $2."""
    first, *rest = sql.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))


NONCE: Final = f"substr(sealed, 1, {NONCE_SIZE})"
"""What tells one write of a row from every other; see `domain.generation`."""

_WRITTEN_BY_US: Final = (
    f"typeof(generation) = 'integer' AND generation BETWEEN 1 AND {MOST_WRITES} AND typeof(sealed) = 'blob'"
)
_SAME_ENTRY: Final = f"iif({_WRITTEN_BY_US}, generation, 1) = ? AND iif({_WRITTEN_BY_US}, {NONCE}, x'') = ?"
"""Whether an entry is from the write that was read, as `EntryRow.written` tells it."""

WRITTEN: Final = f"SELECT generation, {NONCE} FROM objects WHERE tenant = ? AND unique_identifier = ?"  # noqa: S608
FETCH: Final = f"SELECT {OBJECT_COLUMNS} FROM objects o WHERE o.tenant = ? AND o.unique_identifier = ?"  # noqa: S608
USAGE: Final = (
    "SELECT count(*) FILTER (WHERE storage <> 4),"
    " CAST(coalesce(sum(length(attributes) + length(sealed)), 0) AS bigint)"
    " + CAST((SELECT coalesce(sum(length(sealed)), 0) FROM entries WHERE tenant = ? AND kind = ?) AS bigint)"
    " FROM objects WHERE tenant = ?"
)
USAGE_OF_OWNER: Final = (
    "SELECT count(*) FILTER (WHERE storage <> 4),"
    " CAST(coalesce(sum(length(attributes) + length(sealed)), 0) AS bigint)"
    " FROM objects WHERE tenant = ? AND owner = ?"
)
CLIENTS: Final = f"SELECT {CLIENT_COLUMNS} FROM clients ORDER BY client"  # noqa: S608 -- fixed text
STORE_KEYS: Final = "SELECT store_key, wrapped, created_at FROM store_keys ORDER BY created_at, store_key"
ENTRY: Final = f"SELECT {ENTRY_COLUMNS} FROM entries WHERE tenant = ? AND kind = ? AND key = ?"  # noqa: S608
ENTRIES: Final = (
    f"SELECT {ENTRY_COLUMNS} FROM entries WHERE tenant = ? AND kind = ? AND owner = ? ORDER BY key LIMIT ?"  # noqa: S608
)
COUNT_ENTRIES: Final = "SELECT count(*) FROM entries WHERE tenant = ? AND kind = ? AND owner = ?"
DUE_ENTRIES: Final = (
    f"SELECT {ENTRY_COLUMNS} FROM entries WHERE kind = ? AND due < ?"  # noqa: S608
    " ORDER BY due, key, tenant LIMIT ? OFFSET ?"
)
AUDIT_HEAD: Final = (
    "SELECT position, hash FROM audit WHERE position IS NOT NULL ORDER BY position DESC LIMIT 1"
)
AUDIT_ROWS: Final = "SELECT position, hash, event FROM audit WHERE position > ? ORDER BY position LIMIT ?"
HAS_EVENT: Final = (
    "SELECT 1 FROM (SELECT event FROM audit ORDER BY sequence DESC LIMIT ?) AS newest WHERE newest.event = ?"
)
UNCHAINED: Final = "SELECT sequence, event FROM audit WHERE position IS NULL ORDER BY sequence LIMIT ?"

UPDATE_OBJECT: Final = (
    "UPDATE objects SET owner = ?, generation = ?, state = ?, storage = ?, usage_mask = ?,"  # noqa: S608
    " activation_date = ?, deactivation_date = ?, store_key = ?, attributes = ?, sealed = ?"
    f" WHERE tenant = ? AND unique_identifier = ? AND generation = ? AND {NONCE} = ?"
)
REMOVE_OBJECT: Final = (
    f"DELETE FROM objects WHERE tenant = ? AND unique_identifier = ? AND generation = ? AND {NONCE} = ?"  # noqa: S608
)
REMOVE_NAME: Final = "DELETE FROM names WHERE tenant = ? AND owner = ? AND name = ?"
ADD_NAME: Final = "INSERT INTO names (tenant, owner, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
INSERT_OBJECT: Final = (
    f"INSERT INTO objects ({OBJECT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
    " ON CONFLICT DO NOTHING"
)
UPDATE_ENTRY: Final = (
    "UPDATE entries SET owner = ?, generation = ?, due = ?, store_key = ?, sealed = ?"  # noqa: S608
    f" WHERE tenant = ? AND kind = ? AND key = ? AND {_SAME_ENTRY}"
)
REMOVE_ENTRY: Final = f"DELETE FROM entries WHERE tenant = ? AND kind = ? AND key = ? AND {_SAME_ENTRY}"  # noqa: S608
INSERT_ENTRY: Final = (
    f"INSERT INTO entries ({ENTRY_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"  # noqa: S608
)
UPDATE_CLIENT: Final = (
    "UPDATE clients SET tenant = ?, name = ?, fingerprint = ?, groups = ?, username = ?,"  # noqa: S608
    " password_hash = ?, enrolled_at = ?, revoked_at = ?, revision = ?, store_key = ?, sealed = ?"
    f" WHERE client = ? AND revision = ? AND {NONCE} IS coalesce(nullif(?, x''), {NONCE})"
)
INSERT_CLIENT: Final = (
    f"INSERT INTO clients ({CLIENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
    " ON CONFLICT DO NOTHING"
)
INSERT_STORE_KEY: Final = (
    "INSERT INTO store_keys (store_key, wrapped, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
)
REWRAP_STORE_KEY: Final = "UPDATE store_keys SET wrapped = ? WHERE store_key = ? AND wrapped = ?"
REMOVE_TERM: Final = "DELETE FROM terms WHERE tenant = ? AND term = ? AND sequence = ?"
ADD_TERM: Final = "INSERT INTO terms (tenant, term, sequence) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
APPEND_EVENT: Final = "INSERT INTO audit (event, position, hash) VALUES (?, ?, ?)"
CHAIN_EVENT: Final = "UPDATE audit SET position = ?, hash = ? WHERE sequence = ?"


def usage_of(tenant: int, owner: int | None) -> tuple[str, tuple[int, ...]]:
    """Return the statement that counts what an owner (None: the tenant) has, and its parameters."""
    if owner is None:
        return USAGE, (tenant, Parked.kind, tenant)
    return USAGE_OF_OWNER, (tenant, owner)
