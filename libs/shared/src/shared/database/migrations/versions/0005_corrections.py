"""Corrections of the ledger, which may be negative, and disputes."""

from alembic import op

revision = "0005"
down_revision = "0004"

# Every row fits by the narrower rule that is replaced.
STATEMENTS = (
    "ALTER TABLE ledger DROP CONSTRAINT ledger_amount_check",
    "ALTER TABLE ledger ADD CONSTRAINT ledger_amount_check CHECK (amount <> 0)"
    " NOT VALID",
    "ALTER TABLE ledger VALIDATE CONSTRAINT ledger_amount_check",
    """
    CREATE TABLE disputes (
        id TEXT NOT NULL,
        payment_id TEXT NOT NULL,
        amount BIGINT NOT NULL,
        withdrawn BIGINT DEFAULT '0' NOT NULL,
        status TEXT NOT NULL,
        reason TEXT NOT NULL,
        due_at TIMESTAMP WITH TIME ZONE,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        CONSTRAINT disputes_pkey PRIMARY KEY (id),
        CONSTRAINT disputes_amount_check CHECK (amount > 0 AND withdrawn >= 0),
        CONSTRAINT disputes_payment_id_fkey FOREIGN KEY (payment_id)
            REFERENCES payments (id)
    )
    """,
    "CREATE INDEX disputes_payment ON disputes (payment_id)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
