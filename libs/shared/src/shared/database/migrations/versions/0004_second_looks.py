"""What limits and second looks need: who placed an order, which changed since it was
looked at, and how many mails an address was sent."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE orders ADD COLUMN placed_by text,"
        " ADD COLUMN unscreened boolean NOT NULL DEFAULT false"
    )
    op.execute(
        "UPDATE orders SET placed_by = e.actor FROM events e"
        " WHERE e.subject = orders.id AND e.seq = 1"
    )
    # Orders that older code places in the meantime are unique among themselves.
    op.execute(
        "CREATE UNIQUE INDEX orders_reference"
        " ON orders (external_ref, coalesce(placed_by, ''))"
    )
    op.execute("ALTER TABLE orders DROP CONSTRAINT orders_external_ref_key")
    op.execute(
        """
        CREATE TABLE mails_sent (
          address bytea NOT NULL,
          hour timestamptz NOT NULL,
          mails integer NOT NULL,
          CONSTRAINT mails_sent_pkey PRIMARY KEY (address, hour)
        )
        """
    )
