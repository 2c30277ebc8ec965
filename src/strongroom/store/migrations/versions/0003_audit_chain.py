"""Audit events are chained: each gets its place in the chain and its hash.

Events that are there already are chained by whoever writes the store next.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns of the chain."""
    op.add_column("audit", sa.Column("position", INT64))
    op.add_column("audit", sa.Column("hash", sa.LargeBinary()))
    op.create_index("uq_audit_position", "audit", ["position"], unique=True)
    op.create_index(
        "ix_audit_unchained",
        "audit",
        ["sequence"],
        sqlite_where=sa.text("position IS NULL"),
        postgresql_where=sa.text("position IS NULL"),
    )
