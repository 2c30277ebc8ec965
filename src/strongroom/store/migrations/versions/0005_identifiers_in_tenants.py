"""Identifiers are unique in their tenant, and no longer on the whole server."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

COLUMNS = (
    "sequence, unique_identifier, tenant, owner, generation, object_type, state, storage, usage_mask,"
    " activation_date, deactivation_date, store_key, attributes, sealed"
)


def upgrade() -> None:
    """Replace the constraint by an index over tenant and identifier."""
    if op.get_context().dialect.name == "postgresql":
        op.drop_constraint("uq_objects_unique_identifier", "objects", type_="unique")
    else:
        _copy()
    op.create_index(
        "uq_objects_tenant_unique_identifier", "objects", ["tenant", "unique_identifier"], unique=True
    )


def _copy() -> None:
    """Make the table anew: SQLite cannot drop a constraint."""
    op.create_table(
        "objects_in_tenants",
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
    )
    op.execute(f"INSERT INTO objects_in_tenants ({COLUMNS}) SELECT {COLUMNS} FROM objects")  # noqa: S608
    op.drop_table("objects")
    op.rename_table("objects_in_tenants", "objects")
    op.create_index("ix_objects_tenant_owner_sequence", "objects", ["tenant", "owner", "sequence"])
    op.create_index(
        "ix_objects_tenant_object_type_sequence", "objects", ["tenant", "object_type", "sequence"]
    )
    op.create_index("ix_objects_tenant_sequence", "objects", ["tenant", "sequence"])
