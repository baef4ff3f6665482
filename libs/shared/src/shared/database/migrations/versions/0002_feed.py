"""The order of the feed: each event names the transaction that wrote it."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # Two steps: a default that is computed would rewrite the whole table.
    op.execute("ALTER TABLE events ADD COLUMN transaction_id bigint NOT NULL DEFAULT 0")
    op.execute(
        "ALTER TABLE events ALTER COLUMN transaction_id"
        " SET DEFAULT (pg_current_xact_id()::text)::bigint"
    )
    op.execute("CREATE INDEX events_feed ON events (transaction_id, id)")
