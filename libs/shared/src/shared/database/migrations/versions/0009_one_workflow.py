"""A request that was never sent, and commands that wait for a capture."""

from alembic import op

revision = "0009"
down_revision = "0008"

# A worker of the build before this one writes rows without naming `sent_at`, and sends
# them: by default a request counts as sent.
STATEMENTS = (
    "ALTER TABLE ledger ADD COLUMN sent_at TIMESTAMP WITH TIME ZONE DEFAULT now()",
    "ALTER TABLE orders ADD COLUMN cancel_wanted JSONB",
    "ALTER TABLE shipments ADD COLUMN cancel_wanted JSONB",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
