"""Shipments and returns in the order in which they are listed."""

from alembic import op

revision = "0026"
down_revision = "0025"

INDEXES = {
    "shipments_oldest": "shipments (created_at, id)",
    "returns_newest": "returns (created_at, id)",
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, what in INDEXES.items():
            # One that was broken off is there, and is no use.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {what}")
