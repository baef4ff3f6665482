"""Parcels whose carrier does not tell where they are: nobody misses a scan of them."""

from alembic import op

revision = "0011"
down_revision = "0010"

# A label by hand is named after its parcel.
STATEMENTS = (
    "ALTER TABLE shipments ADD COLUMN tracked BOOLEAN DEFAULT true NOT NULL",
    "UPDATE shipments SET tracked = false"
    " WHERE label_ref = id AND status IN ('packed', 'shipped')",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
