"""What of a store goes into a backup: every table but those that are made again from the others.

Rule: only backups load this, since SQLAlchemy is heavy; tables of a schema that another Strongroom made are
asked of the database instead.
"""

from typing import Final

from sqlalchemy import Text

from strongroom.domain.backups import Table
from strongroom.store.schema import METADATA
from strongroom.store.versions import VERSION_TABLE

DERIVED: Final = frozenset({"names", "terms"})
"""Made from the objects: `store/filling.py`."""

NOT_COPIED: Final = DERIVED | {VERSION_TABLE}

TABLES: Final = tuple(
    Table(
        table.name,
        tuple(table.columns.keys()),
        tuple(column.name for column in table.primary_key),
    )
    for table in METADATA.tables.values()
    if table.name not in NOT_COPIED
)

_TEXTS: Final = {
    (table.name, column.name)
    for table in METADATA.tables.values()
    for column in table.columns
    if isinstance(column.type, Text)
}


def select(table: Table, *, collation: str = "") -> str:
    """Return the SQL that reads a table in its order; `collation` is how text is sorted by its bytes."""
    columns = ", ".join(map(quoted, table.columns))
    order = [
        quoted(name) + (f" {collation}" if collation and (table.name, name) in _TEXTS else "")
        for name in table.order
    ]
    ordering = f" ORDER BY {', '.join(order)}" if order else ""
    return f"SELECT {columns} FROM {quoted(table.name)}{ordering}"  # noqa: S608 -- names of the schema


def count(table: Table) -> str:
    """Return the SQL that counts the rows of a table."""
    return f"SELECT count(*) FROM {quoted(table.name)}"  # noqa: S608 -- a name of the schema


def quoted(name: str) -> str:
    """Return a name as SQL takes it; `groups` is a word of its own there."""
    return '"' + name.replace('"', '""') + '"'
