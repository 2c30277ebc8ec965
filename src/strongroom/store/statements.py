"""The SQL of the hot path, for SQLite's driver.

Rule: column lists are written once, here; the order of columns is that of the rows in `records` and
`changes`. PostgreSQL writes a change set in one statement (`store/postgres.py`) and reads with these.
"""

from typing import Final

OBJECT_COLUMNS: Final = (
    "sequence, unique_identifier, tenant, owner, generation, object_type, state, storage, usage_mask,"
    " activation_date, deactivation_date, store_key, attributes, sealed"
)
CLIENT_COLUMNS: Final = (
    "client, tenant, name, fingerprint, groups, username, password_hash, enrolled_at, revoked_at, revision"
)

GENERATION: Final = "SELECT generation FROM objects WHERE unique_identifier = ?"
FETCH: Final = f"SELECT {OBJECT_COLUMNS} FROM objects WHERE unique_identifier = ?"  # noqa: S608 -- fixed text
CLIENTS: Final = f"SELECT {CLIENT_COLUMNS} FROM clients ORDER BY client"  # noqa: S608 -- fixed text
STORE_KEYS: Final = "SELECT store_key, wrapped, created_at FROM store_keys ORDER BY created_at, store_key"

UPDATE_OBJECT: Final = (
    "UPDATE objects SET owner = ?, generation = ?, state = ?, storage = ?, usage_mask = ?,"
    " activation_date = ?, deactivation_date = ?, store_key = ?, attributes = ?, sealed = ?"
    " WHERE unique_identifier = ? AND generation = ?"
)
REMOVE_OBJECT: Final = "DELETE FROM objects WHERE unique_identifier = ? AND generation = ?"
REMOVE_NAME: Final = "DELETE FROM names WHERE tenant = ? AND owner = ? AND name = ?"
ADD_NAME: Final = "INSERT INTO names (tenant, owner, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
INSERT_OBJECT: Final = (
    f"INSERT INTO objects ({OBJECT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
    " ON CONFLICT DO NOTHING"
)
UPDATE_CLIENT: Final = (
    "UPDATE clients SET tenant = ?, name = ?, fingerprint = ?, groups = ?, username = ?,"
    " password_hash = ?, enrolled_at = ?, revoked_at = ?, revision = ? WHERE client = ? AND revision = ?"
)
INSERT_CLIENT: Final = (
    f"INSERT INTO clients ({CLIENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
    " ON CONFLICT DO NOTHING"
)
INSERT_STORE_KEY: Final = (
    "INSERT INTO store_keys (store_key, wrapped, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
)
REMOVE_TERM: Final = "DELETE FROM terms WHERE tenant = ? AND term = ? AND sequence = ?"
ADD_TERM: Final = "INSERT INTO terms (tenant, term, sequence) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
APPEND_EVENT: Final = "INSERT INTO audit (event) VALUES (?)"
