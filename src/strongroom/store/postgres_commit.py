"""A change set as one statement of PostgreSQL.

Rule: what `sqlite_file` does row by row happens here in one statement, so that a commit is one round trip and
a transaction of its own.

The rows of each table are a WITH query over one array a column. These queries see the same snapshot and run
in no particular order, which is sound since no two of them touch the same row. Where a row had no effect that
must have one, `strongroom_require` (made by the first migration) fails the statement as a whole.
"""

from functools import lru_cache
from itertools import count
from typing import Any, Final, NamedTuple

from strongroom.store.changes import Writes
from strongroom.store.records import MOST_WRITES, NONCE_SIZE

CONFLICT: Final = "SR001"
NAME_TAKEN: Final = "SR002"
CLIENT_EXISTS: Final = "SR003"
"""SQLSTATEs of a change set that was refused."""


class _Step(NamedTuple):
    """What happens to the rows of one field of `Writes`.

    `columns` are names and types. `{rows}` in `sql` stands for the rows, called `v`. `refusal` is the
    SQLSTATE when a row has no effect, None where that is well.
    """

    columns: str
    sql: str
    refusal: str | None = None


class _Expected(NamedTuple):
    """What a row is compared with that is changed or removed."""

    columns: str
    condition: str


_WRITE: Final = _Expected(
    "expected bigint, nonce bytea",
    f"r.generation = v.expected AND substr(r.sealed, 1, {NONCE_SIZE}) = v.nonce",
)
_WRITTEN_BY_US: Final = f"r.generation BETWEEN 1 AND {MOST_WRITES}"
_ENTRY_WRITE: Final = _Expected(
    "expected bigint, nonce bytea",
    f"CASE WHEN {_WRITTEN_BY_US} THEN r.generation ELSE 1 END = v.expected"
    f" AND CASE WHEN {_WRITTEN_BY_US} THEN substr(r.sealed, 1, {NONCE_SIZE}) ELSE '' END = v.nonce",
)
_REVISION: Final = _Expected(
    "expected bigint, nonce bytea",
    f"r.revision = v.expected AND substr(r.sealed, 1, {NONCE_SIZE})"
    f" IS NOT DISTINCT FROM coalesce(nullif(v.nonce, ''), substr(r.sealed, 1, {NONCE_SIZE}))",
)

_OBJECT: Final = (
    "sequence bigint, unique_identifier text, tenant bigint, owner bigint, generation bigint,"
    " object_type int, state int, storage int, usage_mask bigint, activation_date bigint,"
    " deactivation_date bigint, store_key bigint, attributes bytea, sealed bytea"
)
_CLIENT: Final = (
    "client bigint, tenant bigint, name text, fingerprint text, groups text, username text,"
    " password_hash text, enrolled_at bigint, revoked_at bigint, revision bigint,"
    " store_key bigint, sealed bytea"
)
_OBJECT_KEY: Final = "tenant bigint, unique_identifier text"
_NAME: Final = "tenant bigint, owner bigint, name bytea"
_TERM: Final = "tenant bigint, term bytea, sequence bigint"
_ENTRY_KEY: Final = "tenant bigint, kind int, key text"
_ENTRY: Final = "owner bigint, generation bigint, due bigint, store_key bigint, sealed bytea"
_STORE_KEY: Final = "store_key bigint, wrapped bytea, created_at bigint"


def _names(columns: str) -> list[str]:
    return [column.split()[0] for column in columns.split(", ")]


def _without(columns: str, *names: str) -> str:
    return ", ".join(column for column in columns.split(", ") if column.split()[0] not in names)


def _insert(table: str, columns: str, refusal: str | None = None) -> _Step:
    names = ", ".join(_names(columns))
    values = ", ".join(f"v.{name}" for name in _names(columns))
    # In the order of the rows, for the sake of the audit events.
    sql = (
        f"INSERT INTO {table} ({names}) SELECT {values} FROM {{rows}} ORDER BY v.position"  # noqa: S608
        " ON CONFLICT DO NOTHING"
    )
    return _Step(columns, sql, refusal)


def _update(table: str, columns: str, key: str, found: _Expected) -> _Step:
    changes = ", ".join(f"{name} = v.{name}" for name in _names(columns))
    same = " AND ".join(f"r.{name} = v.{name}" for name in _names(key))
    sql = (
        f"UPDATE {table} AS r SET {changes} FROM {{rows}}"  # noqa: S608 -- fixed text
        f" WHERE {same} AND {found.condition}"
    )
    return _Step(f"{columns}, {key}, {found.columns}", sql, CONFLICT)


def _delete(table: str, key: str, found: _Expected | None = None) -> _Step:
    same = " AND ".join(f"r.{name} = v.{name}" for name in _names(key))
    sql = f"DELETE FROM {table} AS r USING {{rows}} WHERE {same}"  # noqa: S608 -- fixed text
    if found is None:
        return _Step(key, sql)
    return _Step(f"{key}, {found.columns}", f"{sql} AND {found.condition}", CONFLICT)


_STEPS: Final = {
    "updated": _update(
        "objects",
        _without(_OBJECT, "sequence", "unique_identifier", "tenant", "object_type"),
        _OBJECT_KEY,
        _WRITE,
    ),
    "removed": _delete("objects", _OBJECT_KEY, _WRITE),
    "entries_updated": _update("entries", _ENTRY, _ENTRY_KEY, _ENTRY_WRITE),
    "entries_removed": _delete("entries", _ENTRY_KEY, _ENTRY_WRITE),
    "entries_inserted": _insert("entries", f"{_ENTRY_KEY}, {_ENTRY}", CONFLICT),
    "names_removed": _delete("names", _NAME),
    "names_added": _insert("names", _NAME, NAME_TAKEN),
    "inserted": _insert("objects", _OBJECT, CONFLICT),
    "clients_updated": _update("clients", _without(_CLIENT, "client"), "client bigint", _REVISION),
    "clients_inserted": _insert("clients", _CLIENT, CLIENT_EXISTS),
    "store_keys": _insert("store_keys", _STORE_KEY, CONFLICT),
    "store_keys_rewrapped": _Step(
        "wrapped bytea, store_key bigint, before bytea",
        "UPDATE store_keys AS r SET wrapped = v.wrapped FROM {rows}"
        " WHERE r.store_key = v.store_key AND r.wrapped = v.before",
        CONFLICT,
    ),
    "terms_removed": _delete("terms", _TERM),
    "terms_added": _insert("terms", _TERM),
    "events": _insert("audit", "event bytea"),
}
if tuple(_STEPS) != Writes._fields:
    raise TypeError("the steps are not the fields of Writes")


def statement(writes: Writes) -> tuple[str, list[Any]]:
    """Return the statement that writes all rows or none, and its parameters; `writes` is not empty."""
    arrays: list[list[Any]] = []
    wanted: list[int] = []
    for step, rows in zip(_STEPS.values(), writes, strict=True):
        if rows:
            arrays += map(list, zip(*rows, strict=True))
            if step.refusal is not None:
                wanted.append(len(rows))
    return _sql(tuple(map(bool, writes))), arrays + wanted


@lru_cache(maxsize=256)
def _sql(present: tuple[bool, ...]) -> str:
    numbers = count(1)
    queries: list[str] = []
    checks: list[tuple[str, str]] = []
    for (name, step), there in zip(_STEPS.items(), present, strict=True):
        if not there:
            continue
        columns = [column.split() for column in step.columns.split(", ")]
        arrays = ", ".join(f"${next(numbers)}::{type_}[]" for _, type_ in columns)
        rows = f"unnest({arrays}) WITH ORDINALITY AS v({', '.join(_names(step.columns))}, position)"
        queries.append(f"{name} AS ({step.sql.format(rows=rows)} RETURNING 1)")
        if step.refusal is not None:
            checks.append((name, step.refusal))
    results = [
        f"strongroom_require((SELECT count(*) FROM {name}), ${next(numbers)}, '{refusal}')"  # noqa: S608
        for name, refusal in checks
    ]
    return f"WITH {', '.join(queries)} SELECT {', '.join(results) or 'true'}"
