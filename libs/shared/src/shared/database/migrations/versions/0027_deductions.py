"""What the shop keeps of goods that came back worn or damaged."""

from alembic import op

revision = "0027"
down_revision = "0026"

STATEMENTS = (
    "ALTER TABLE orders ADD COLUMN deducted BIGINT DEFAULT '0' NOT NULL",
    "ALTER TABLE orders ADD CONSTRAINT orders_deducted_check"
    " CHECK (deducted >= 0) NOT VALID",
    "ALTER TABLE orders VALIDATE CONSTRAINT orders_deducted_check",
    "ALTER TABLE return_lines ADD COLUMN deduction BIGINT DEFAULT '0' NOT NULL",
    "ALTER TABLE return_lines ADD CONSTRAINT return_lines_deduction_check"
    " CHECK (deduction = 0 OR (deduction > 0 AND accepted > 0)) NOT VALID",
    "ALTER TABLE return_lines VALIDATE CONSTRAINT return_lines_deduction_check",
    # M1, as before; what was deducted is kept, although its goods are credited.
    """
    CREATE OR REPLACE VIEW audit_money AS
    SELECT o.id, p.net AS ledger_net,
      o.shipping_captured - o.shipping_credited - o.goodwill + o.deducted + l.net
        AS goods_net
    FROM orders o
    JOIN LATERAL (
      SELECT coalesce(sum(captured - refunded - refunding), 0) AS net
      FROM payments WHERE order_id = o.id) p ON true
    JOIN LATERAL (
      SELECT coalesce(sum(total / step * captured / qty * step
                          - total / step * credited / qty * step), 0) AS net
      FROM order_lines WHERE order_id = o.id) l ON true
    WHERE p.net <>
      o.shipping_captured - o.shipping_credited - o.goodwill + o.deducted + l.net
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
