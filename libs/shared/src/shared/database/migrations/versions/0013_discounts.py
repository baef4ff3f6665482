"""Discounts of lines, and parts of a line in steps that can be charged."""

from alembic import op

revision = "0013"
down_revision = "0012"

STATEMENTS = (
    "ALTER TABLE order_lines ADD COLUMN price BIGINT",
    "ALTER TABLE order_lines ADD COLUMN discounts JSONB DEFAULT '[]' NOT NULL",
    "ALTER TABLE order_lines ADD COLUMN step INTEGER DEFAULT '1' NOT NULL",
    # M1, as before; a part of a line costs a multiple of its step.
    """
    CREATE OR REPLACE VIEW audit_money AS
    SELECT o.id, p.net AS ledger_net,
      o.shipping_captured - o.shipping_credited - o.goodwill + l.net AS goods_net
    FROM orders o
    JOIN LATERAL (
      SELECT coalesce(sum(captured - refunded - refunding), 0) AS net
      FROM payments WHERE order_id = o.id) p ON true
    JOIN LATERAL (
      SELECT coalesce(sum(total / step * captured / qty * step
                          - total / step * credited / qty * step), 0) AS net
      FROM order_lines WHERE order_id = o.id) l ON true
    WHERE p.net <> o.shipping_captured - o.shipping_credited - o.goodwill + l.net
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
