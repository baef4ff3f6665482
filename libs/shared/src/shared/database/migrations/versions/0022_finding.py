"""Indexes for what orders are found by, and the statuses of the orders that are there.

Neither holds up who is at work: indexes are built beside them, and a thousand orders
are changed at a time. Safe to repeat, so it may break off at any moment."""

from alembic import op

revision = "0022"
down_revision = "0021"

INDEXES = {
    "orders_payment_status": "orders (payment_status, created_at, id)",
    "orders_fulfillment_status": "orders (fulfillment_status, created_at, id)",
    "orders_reference": "orders (external_ref)",
    "orders_updated": "orders (updated_at, id)",
    "order_lines_sku": "order_lines (sku, order_id)",
    "returns_tracking": "returns (tracking)",
    "contacts_email": "contacts (lower(email))",
    "contacts_name": "contacts USING gin (name_words(name, ship_to, bill_to))",
}
STATUSES = """
DO $$
DECLARE
  last TEXT := '';
  batch TEXT[];
BEGIN
  LOOP
    batch := ARRAY(SELECT id FROM orders WHERE id > last ORDER BY id LIMIT 1000);
    EXIT WHEN batch = '{}';
    UPDATE orders o SET payment_status = payment_status(o),
      fulfillment_status = fulfillment_status(o)
    WHERE id = ANY(batch) AND payment_status IS NULL;
    COMMIT;
    last := batch[array_upper(batch, 1)];
  END LOOP;
END
$$
"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(STATUSES)
        for name, what in INDEXES.items():
            # One that was broken off is there, and is no use.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {what}")
