"""What alembic runs: prints the SQL of a migration for the dialect that `store.migrate` asks for.

Rule: no connection is opened here; `store.migrate` executes what is printed.
"""

from alembic import context

from strongroom.store.versions import VERSION_TABLE

context.configure(
    dialect_name=context.config.attributes["dialect"],
    version_table=VERSION_TABLE,
    # `store.migrate` opens and ends the transaction.
    transactional_ddl=False,
)
context.run_migrations()
