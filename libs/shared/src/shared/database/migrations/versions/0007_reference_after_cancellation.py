"""A reference is free again once its order is cancelled."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(
        "CREATE UNIQUE INDEX orders_live_reference"
        " ON orders (external_ref, coalesce(placed_by, ''))"
        " WHERE status <> 'cancelled'"
    )
    op.execute("DROP INDEX orders_reference")
