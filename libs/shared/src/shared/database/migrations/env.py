"""Alembic's environment: runs the migrations on the connection it is handed."""

from alembic import context

from shared.database.kernel.tables import Base
from shared.database.orders import tables as _tables  # noqa: F401 - fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
