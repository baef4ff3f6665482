"""The tax of lines, of shipping and of refunds, as it was when they were placed."""

from alembic import op

revision = "0014"
down_revision = "0013"

STATEMENTS = (
    "ALTER TABLE order_lines ADD COLUMN tax_bp INTEGER",
    "ALTER TABLE orders ADD COLUMN shipping_tax BIGINT DEFAULT '0' NOT NULL",
    "ALTER TABLE orders ADD COLUMN shipping_tax_bp INTEGER",
    "ALTER TABLE refunds ADD COLUMN tax BIGINT",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
