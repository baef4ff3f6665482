"""Locations as rows: those that stock lies at today, whatever they are called."""

from alembic import op

revision = "0020"
down_revision = "0019"

STATEMENTS = (
    """
    CREATE TABLE locations (
      code TEXT NOT NULL,
      name TEXT NOT NULL,
      address JSONB,
      active BOOLEAN DEFAULT 'true' NOT NULL,
      priority INTEGER DEFAULT '100' NOT NULL,
      safety_stock INTEGER DEFAULT '0' NOT NULL,
      CONSTRAINT locations_pkey PRIMARY KEY (code),
      CONSTRAINT locations_numbers_check
        CHECK (priority >= 0 AND safety_stock >= 0)
    )
    """,
    # While the release before runs, and after a rollback, stock is booked wherever
    # somebody says. A foreign key follows once no release does that any more.
    """
    CREATE FUNCTION know_location() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO locations (code, name) VALUES (NEW.location, NEW.location)
      ON CONFLICT DO NOTHING;
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER stock_location AFTER INSERT ON stock
    FOR EACH ROW EXECUTE FUNCTION know_location()
    """,
    # `Berlin` and `berlin` are two: their stock, parcels and movements say so.
    """
    INSERT INTO locations (code, name)
    SELECT location, location FROM stock
    UNION SELECT location, location FROM shipments
    ON CONFLICT DO NOTHING
    """,
    # More reasons than before: of parcels that were moved, of counts, of short picks.
    "ALTER TABLE stock_movements DROP CONSTRAINT stock_movements_reason_check",
    """
    ALTER TABLE stock_movements ADD CONSTRAINT stock_movements_reason_check
    CHECK (reason IN ('receipt', 'reserve', 'release', 'move', 'ship', 'return',
      'adjust', 'count', 'short_pick', 'write_off')) NOT VALID
    """,
    "ALTER TABLE stock_movements VALIDATE CONSTRAINT stock_movements_reason_check",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
