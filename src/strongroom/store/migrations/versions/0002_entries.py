"""What is kept beside objects: requests that wait, tickets, defaults, endpoints."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table of entries."""
    op.create_table(
        "entries",
        sa.Column("tenant", INT64, nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("owner", INT64, nullable=False),
        sa.Column("generation", INT64, nullable=False),
        sa.Column("due", INT64),
        sa.Column("store_key", INT64, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "kind", "key", name="pk_entries"),
    )
    op.create_index("ix_entries_tenant_kind_owner_key", "entries", ["tenant", "kind", "owner", "key"])
    op.create_index("ix_entries_due", "entries", ["kind", "due", "key"])
