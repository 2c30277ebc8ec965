"""The tables, once for both databases.

Rule: this is what the migrations lead to (a test compares); nothing at run time imports it, since SQLAlchemy
costs a third of a second to load.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

METADATA: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite: only a column of type INTEGER can be the row's own number; any integer has up to 64 bits anyway.
INT64: Final = BigInteger().with_variant(Integer, "sqlite")

objects: Final = Table(
    "objects",
    METADATA,
    Column("sequence", INT64, primary_key=True, autoincrement=False),
    Column("unique_identifier", Text, nullable=False),
    Column("tenant", INT64, nullable=False),
    Column("owner", INT64, nullable=False),
    Column("generation", INT64, nullable=False),
    Column("object_type", Integer, nullable=False),
    Column("state", Integer),
    Column("storage", Integer, nullable=False),
    Column("usage_mask", INT64, nullable=False),
    Column("activation_date", INT64),
    Column("deactivation_date", INT64),
    Column("store_key", INT64, nullable=False),
    Column("attributes", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("uq_objects_tenant_unique_identifier", "tenant", "unique_identifier", unique=True),
    Index(None, "tenant", "owner", "sequence"),
    Index(None, "tenant", "object_type", "sequence"),
    Index(None, "tenant", "sequence"),
)
"""One row an object, in the columns of `records.ObjectRow`."""

terms: Final = Table(
    "terms",
    METADATA,
    Column("tenant", INT64, nullable=False),
    Column("term", LargeBinary, nullable=False),
    Column("sequence", INT64, nullable=False),
    PrimaryKeyConstraint("tenant", "term", "sequence"),
    sqlite_with_rowid=False,
)
"""Which objects have which attribute value. Without row numbers, SQLite keeps each row once, in the index."""

# The ordered terms of one object (`records.ORDERED`).
Index(
    "ix_terms_ordered",
    terms.c.sequence,
    terms.c.term,
    sqlite_where=text("term >= X'80'"),
    postgresql_where=text("term >= '\\x80'::bytea"),
)

names: Final = Table(
    "names",
    METADATA,
    Column("tenant", INT64, nullable=False),
    Column("owner", INT64, nullable=False),
    Column("name", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "owner", "name"),
    sqlite_with_rowid=False,
)
"""The names that are taken, as `changes.name_key` gives them."""

entries: Final = Table(
    "entries",
    METADATA,
    Column("tenant", INT64, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("key", Text, nullable=False),
    Column("owner", INT64, nullable=False),
    Column("generation", INT64, nullable=False),
    Column("due", INT64),
    Column("store_key", INT64, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "kind", "key"),
    Index(None, "tenant", "kind", "owner", "key"),
)
"""What is kept beside objects, in the columns of `records.EntryRow`."""

Index("ix_entries_due", entries.c.kind, entries.c.due, entries.c.key)

clients: Final = Table(
    "clients",
    METADATA,
    Column("client", INT64, primary_key=True, autoincrement=False),
    Column("tenant", INT64, nullable=False),
    Column("name", Text, nullable=False),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("groups", Text, nullable=False),
    Column("username", Text),
    Column("password_hash", Text),
    Column("enrolled_at", INT64, nullable=False),
    Column("revoked_at", INT64),
    Column("revision", INT64, nullable=False),
    Column("store_key", INT64),
    Column("sealed", LargeBinary),
)
"""Enrolled clients; `groups` is a JSON list. A revoked client's name is free again, its key never is. Without
a seal are only rows that an older release made, until the next start."""

Index(
    "uq_clients_name_in_force",
    clients.c.tenant,
    clients.c.name,
    unique=True,
    sqlite_where=text("revoked_at IS NULL"),
    postgresql_where=text("revoked_at IS NULL"),
)

store_keys: Final = Table(
    "store_keys",
    METADATA,
    Column("store_key", INT64, primary_key=True, autoincrement=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", INT64, nullable=False),
)

audit: Final = Table(
    "audit",
    METADATA,
    Column("sequence", INT64, primary_key=True, autoincrement=True),
    Column("event", LargeBinary, nullable=False),
    Column("position", INT64),
    Column("hash", LargeBinary),
)
"""Audit events; only ever appended to. `position` counts from 1 along the chain and `hash` is as
`domain.chain` says; both are NULL until an event has its place in it, which in PostgreSQL is soon after."""

Index("uq_audit_position", audit.c.position, unique=True)
Index(
    "ix_audit_unchained",
    audit.c.sequence,
    sqlite_where=text("position IS NULL"),
    postgresql_where=text("position IS NULL"),
)
