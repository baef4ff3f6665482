"""What customs ask of goods: their tariff number, and where they were made."""

from alembic import op

revision = "0018"
down_revision = "0017"

STATEMENTS = (
    "ALTER TABLE products ADD COLUMN hs_code TEXT",
    "ALTER TABLE products ADD COLUMN origin CHAR(2)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
