"""The business process that a hold, message, stored step or finding belongs to."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    # A constant default rewrites no rows; what an older release writes is an order's.
    for table in ("holds", "messages", "applied", "discrepancies"):
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN process text DEFAULT 'orders' NOT NULL"
        )
