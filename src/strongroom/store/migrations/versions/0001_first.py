"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table; `store/schema.py` says what they are for."""
    op.create_table(
        "objects",
        sa.Column("sequence", INT64, autoincrement=False, nullable=False),
        sa.Column("unique_identifier", sa.Text(), nullable=False),
        sa.Column("tenant", INT64, nullable=False),
        sa.Column("owner", INT64, nullable=False),
        sa.Column("generation", INT64, nullable=False),
        sa.Column("object_type", sa.Integer(), nullable=False),
        sa.Column("state", sa.Integer()),
        sa.Column("storage", sa.Integer(), nullable=False),
        sa.Column("usage_mask", INT64, nullable=False),
        sa.Column("activation_date", INT64),
        sa.Column("deactivation_date", INT64),
        sa.Column("store_key", INT64, nullable=False),
        sa.Column("attributes", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_objects"),
        sa.UniqueConstraint("unique_identifier", name="uq_objects_unique_identifier"),
    )
    op.create_index("ix_objects_tenant_owner_sequence", "objects", ["tenant", "owner", "sequence"])
    op.create_index(
        "ix_objects_tenant_object_type_sequence", "objects", ["tenant", "object_type", "sequence"]
    )
    op.create_index("ix_objects_tenant_sequence", "objects", ["tenant", "sequence"])
    op.create_table(
        "terms",
        sa.Column("tenant", INT64, nullable=False),
        sa.Column("term", sa.LargeBinary(), nullable=False),
        sa.Column("sequence", INT64, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "term", "sequence", name="pk_terms"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_terms_ordered",
        "terms",
        ["sequence", "term"],
        sqlite_where=sa.text("term >= X'80'"),
        postgresql_where=sa.text("term >= '\\x80'::bytea"),
    )
    op.create_table(
        "names",
        sa.Column("tenant", INT64, nullable=False),
        sa.Column("owner", INT64, nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "owner", "name", name="pk_names"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "clients",
        sa.Column("client", INT64, autoincrement=False, nullable=False),
        sa.Column("tenant", INT64, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.Column("username", sa.Text()),
        sa.Column("password_hash", sa.Text()),
        sa.Column("enrolled_at", INT64, nullable=False),
        sa.Column("revoked_at", INT64),
        sa.Column("revision", INT64, nullable=False),
        sa.PrimaryKeyConstraint("client", name="pk_clients"),
        sa.UniqueConstraint("fingerprint", name="uq_clients_fingerprint"),
    )
    op.create_index(
        "uq_clients_name_in_force",
        "clients",
        ["tenant", "name"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "store_keys",
        sa.Column("store_key", INT64, autoincrement=False, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", INT64, nullable=False),
        sa.PrimaryKeyConstraint("store_key", name="pk_store_keys"),
    )
    op.create_table(
        "audit",
        sa.Column("sequence", INT64, nullable=False, autoincrement=True),
        sa.Column("event", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit"),
    )
    if op.get_context().dialect.name == "postgresql":
        # Undoes a change set that did not find what it needs; `store/postgres_commit.py` calls it.
        op.execute(
            "CREATE FUNCTION strongroom_require(done bigint, wanted bigint, refusal text) RETURNS boolean"
            " LANGUAGE plpgsql AS $$ BEGIN"
            " IF done <> wanted THEN RAISE EXCEPTION 'change set refused' USING ERRCODE = refusal; END IF;"
            " RETURN true; END $$"
        )
