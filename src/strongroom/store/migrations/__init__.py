"""Schema versions, one file each under `versions`, run by alembic.

Rule: a migration is SQL that alembic can print (no queries, no Python over rows), so that the drivers of the
back ends run it, in one transaction, and nothing is left half done.
"""
