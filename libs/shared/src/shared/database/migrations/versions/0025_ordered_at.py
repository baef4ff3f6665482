"""When its order was placed, beside what orders are found by: the SKU of a line, the
location of a shipment. So the newest orders with either are the first of an index.

Safe to repeat, so it may break off at any moment."""

from alembic import op

revision = "0025"
down_revision = "0024"

COLUMNS = (
    "ALTER TABLE order_lines ADD COLUMN IF NOT EXISTS ordered_at TIMESTAMPTZ",
    "ALTER TABLE shipments ADD COLUMN IF NOT EXISTS ordered_at TIMESTAMPTZ",
    """
    CREATE OR REPLACE FUNCTION date_lines() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      UPDATE order_lines l SET ordered_at = o.created_at FROM orders o
      WHERE o.id = l.order_id AND l.order_id = NEW.order_id AND l.line = NEW.line;
      RETURN NULL;
    END
    $$
    """,
    # Of a build before this one. Its order comes with the same statement, and is there
    # only after it.
    """
    CREATE OR REPLACE TRIGGER order_lines_ordered_at AFTER INSERT ON order_lines
      FOR EACH ROW WHEN (NEW.ordered_at IS NULL) EXECUTE FUNCTION date_lines()
    """,
    """
    CREATE OR REPLACE FUNCTION date_shipment() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      NEW.ordered_at := (SELECT created_at FROM orders WHERE id = NEW.order_id);
      RETURN NEW;
    END
    $$
    """,
    """
    CREATE OR REPLACE TRIGGER shipments_ordered_at BEFORE INSERT ON shipments
      FOR EACH ROW WHEN (NEW.ordered_at IS NULL) EXECUTE FUNCTION date_shipment()
    """,
)
FILL = """
DO $$
DECLARE
  last TEXT := '';
  batch TEXT[];
BEGIN
  LOOP
    batch := ARRAY(SELECT id FROM orders WHERE id > last ORDER BY id LIMIT 1000);
    EXIT WHEN batch = '{}';
    UPDATE order_lines l SET ordered_at = o.created_at FROM orders o
    WHERE o.id = l.order_id AND o.id = ANY(batch) AND l.ordered_at IS NULL;
    UPDATE shipments s SET ordered_at = o.created_at FROM orders o
    WHERE o.id = s.order_id AND o.id = ANY(batch) AND s.ordered_at IS NULL;
    COMMIT;
    last := batch[array_upper(batch, 1)];
  END LOOP;
END
$$
"""
INDEXES = {
    "order_lines_of_sku": "order_lines (sku, ordered_at, order_id)",
    "shipments_of_location": "shipments (location, ordered_at, order_id)"
    " WHERE status <> 'cancelled'",
}


# The index above serves whatever this one has served.
REPLACED = "order_lines_sku"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for statement in COLUMNS:
            op.execute(statement)
        op.execute(FILL)
        for name, what in INDEXES.items():
            # One that was broken off is there, and is no use.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {what}")
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {REPLACED}")
