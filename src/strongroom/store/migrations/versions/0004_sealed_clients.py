"""Client records are sealed: what was made before is sealed at the next start."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make room for the seal of a client record."""
    op.add_column("clients", sa.Column("store_key", INT64))
    op.add_column("clients", sa.Column("sealed", sa.LargeBinary()))
