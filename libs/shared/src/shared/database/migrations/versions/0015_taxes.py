"""Taxes that come with an order, on top of its prices or within them."""

from alembic import op

revision = "0015"
down_revision = "0014"

STATEMENTS = (
    "ALTER TABLE orders ADD COLUMN tax_treatment TEXT DEFAULT 'included' NOT NULL",
    "ALTER TABLE orders ADD CONSTRAINT orders_tax_treatment_check"
    " CHECK (tax_treatment IN ('included', 'added', 'exempt')) NOT VALID",
    "ALTER TABLE orders VALIDATE CONSTRAINT orders_tax_treatment_check",
    "ALTER TABLE orders ADD COLUMN shipping_taxes JSONB DEFAULT '[]' NOT NULL",
    "ALTER TABLE order_lines ADD COLUMN taxes JSONB DEFAULT '[]' NOT NULL",
    "ALTER TABLE refunds ADD COLUMN shipping_tax BIGINT",
    # None: sending goods is taxed as most of them.
    "ALTER TABLE shipping_methods ALTER COLUMN tax_bp DROP NOT NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
