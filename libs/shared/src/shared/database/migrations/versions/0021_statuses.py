"""Where an order stands with its money and its goods, stored so that it can be found.

Computed by PostgreSQL whenever an order changes, in the transaction that changes its
counters: docs/adr/0067.
"""

from alembic import op

revision = "0021"
down_revision = "0020"

STATEMENTS = (
    "ALTER TABLE orders ADD COLUMN payment_status TEXT",
    "ALTER TABLE orders ADD COLUMN fulfillment_status TEXT",
    # What is left to be taken is priced as `share` does it (shared.contracts.money).
    """
    CREATE FUNCTION payment_status(o orders) RETURNS TEXT LANGUAGE sql STABLE AS $$
    SELECT CASE
      WHEN p.captured > 0 AND p.refunded >= p.captured THEN 'refunded'
      WHEN p.captured > 0 AND p.refunded > 0 THEN 'partially_refunded'
      WHEN p.captured > 0 AND l.due > 0 THEN 'partially_captured'
      WHEN p.captured > 0 THEN 'captured'
      WHEN p.held THEN 'authorized'
      WHEN p.authorized OR o.status = 'cancelled' THEN 'voided'
      WHEN l.due > 0 THEN 'unpaid'
      ELSE 'captured'
    END
    FROM (
      SELECT coalesce(sum(captured), 0) AS captured,
        coalesce(sum(refunded), 0) AS refunded,
        coalesce(bool_or(authorized > captured + released), false) AS held,
        coalesce(bool_or(authorized > 0), false) AS authorized
      FROM payments WHERE order_id = o.id
    ) p, (
      SELECT CASE WHEN o.status = 'cancelled' THEN 0 ELSE coalesce(sum(
          (total / step * (captured + wanted) / qty - total / step * captured / qty)
          * step), 0)
        + CASE WHEN bool_or(wanted <> 0) THEN o.shipping - o.shipping_captured
            ELSE 0 END
        - greatest(0, -o.goodwill) END AS due
      FROM (SELECT total, step, captured, qty, qty - cancelled + voided - captured
              AS wanted
            FROM order_lines WHERE order_id = o.id) w
    ) l
    $$
    """,
    """
    CREATE FUNCTION fulfillment_status(o orders) RETURNS TEXT LANGUAGE sql STABLE AS $$
    SELECT CASE
      WHEN shipped = 0 THEN 'unfulfilled'
      WHEN returned >= shipped THEN 'returned'
      WHEN returned > 0 THEN 'partially_returned'
      WHEN open > 0 THEN 'partially_fulfilled'
      WHEN EXISTS (SELECT FROM shipments WHERE order_id = o.id
                   AND status NOT IN ('cancelled', 'delivered')) THEN 'fulfilled'
      ELSE 'delivered'
    END
    FROM (SELECT coalesce(sum(shipped), 0) AS shipped,
            coalesce(sum(returned), 0) AS returned,
            coalesce(sum(qty - cancelled - shipped), 0) AS open
          FROM order_lines WHERE order_id = o.id) l
    $$
    """,
    """
    CREATE FUNCTION store_statuses() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      UPDATE orders o
      SET payment_status = s.payment, fulfillment_status = s.fulfillment
      FROM (SELECT payment_status(NEW) AS payment,
              fulfillment_status(NEW) AS fulfillment) s
      WHERE o.id = NEW.id AND (o.payment_status, o.fulfillment_status)
        IS DISTINCT FROM (s.payment, s.fulfillment);
      RETURN NULL;
    END
    $$
    """,
    # After the statement: what it changes beside the order is seen then.
    """
    CREATE TRIGGER orders_statuses_of_new AFTER INSERT ON orders FOR EACH ROW
      WHEN (NEW.payment_status IS NULL) EXECUTE FUNCTION store_statuses()
    """,
    """
    CREATE TRIGGER orders_statuses AFTER UPDATE OF version ON orders FOR EACH ROW
      WHEN (OLD.version <> NEW.version) EXECUTE FUNCTION store_statuses()
    """,
    # Whom an order is for, who gets the goods and who the bill. Folded: "Müller",
    # "MULLER" and "muller" are the same word.
    r"""
    CREATE FUNCTION name_words(name TEXT, ship_to JSONB, bill_to JSONB)
    RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_tsvector('pg_catalog.simple', regexp_replace(normalize(lower(
      concat_ws(' ', name, ship_to ->> 'name', bill_to ->> 'name')), NFKD),
      '[\u0300-\u036f]', '', 'g'))
    $$
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
