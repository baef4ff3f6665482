"""Refunds and stock movements in the order in which they are exported."""

from alembic import op

revision = "0024"
down_revision = "0023"

INDEXES = {
    "refunds_newest": "refunds (created_at, id)",
    "stock_movements_newest": "stock_movements (at, key)",
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, what in INDEXES.items():
            # One that was broken off is there, and is no use.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {what}")
