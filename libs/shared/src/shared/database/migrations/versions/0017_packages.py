"""Several boxes in one shipment, and labels that were given up before they left."""

from alembic import op

revision = "0017"
down_revision = "0016"

STATEMENTS = (
    """
    CREATE TABLE packages (
      shipment_id TEXT NOT NULL,
      number INTEGER NOT NULL,
      parcel JSONB NOT NULL,
      carrier TEXT,
      tracking TEXT,
      label_ref TEXT,
      label_url TEXT,
      tracking_status TEXT,
      tracking_at TIMESTAMP WITH TIME ZONE,
      eta DATE,
      CONSTRAINT packages_pkey PRIMARY KEY (shipment_id, number),
      CONSTRAINT packages_number_check CHECK (number > 1),
      CONSTRAINT packages_shipment_id_fkey
        FOREIGN KEY(shipment_id) REFERENCES shipments (id),
      CONSTRAINT packages_tracking_key UNIQUE (tracking)
    )
    """,
    "ALTER TABLE shipments ADD COLUMN spoilt_labels JSONB DEFAULT '[]' NOT NULL",
    "CREATE INDEX shipments_spoilt ON shipments USING gin (spoilt_labels)"
    " WHERE spoilt_labels <> '[]'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
