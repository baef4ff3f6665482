"""Files of rows that are made in the background, in chunks."""

from alembic import op

revision = "0023"
down_revision = "0022"

STATEMENTS = (
    """
    CREATE TABLE exports (
      id TEXT NOT NULL,
      kind TEXT NOT NULL,
      format TEXT NOT NULL,
      status TEXT DEFAULT 'running' NOT NULL,
      begins_at TIMESTAMP WITH TIME ZONE,
      ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
      requested_by TEXT NOT NULL,
      rows_expected BIGINT NOT NULL,
      rows_written BIGINT DEFAULT '0' NOT NULL,
      bytes BIGINT DEFAULT '0' NOT NULL,
      chunks INTEGER DEFAULT '0' NOT NULL,
      position JSONB,
      transaction_id BIGINT DEFAULT (pg_current_xact_id()::text)::bigint NOT NULL,
      created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      finished_at TIMESTAMP WITH TIME ZONE,
      expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
      CONSTRAINT exports_pkey PRIMARY KEY (id),
      CONSTRAINT exports_kind_check
        CHECK (kind IN ('orders', 'lines', 'refunds', 'movements')),
      CONSTRAINT exports_format_check CHECK (format IN ('csv', 'jsonl')),
      CONSTRAINT exports_status_check
        CHECK (status IN ('running', 'done', 'failed', 'expired'))
    )
    """,
    "CREATE INDEX exports_newest ON exports (created_at, id)",
    "CREATE INDEX exports_running ON exports (requested_by) WHERE status = 'running'",
    """
    CREATE TABLE export_chunks (
      export_id TEXT NOT NULL,
      number INTEGER NOT NULL,
      data BYTEA NOT NULL,
      CONSTRAINT export_chunks_pkey PRIMARY KEY (export_id, number),
      CONSTRAINT export_chunks_export_id_fkey
        FOREIGN KEY(export_id) REFERENCES exports (id) ON DELETE CASCADE
    )
    """,
    # It is compressed before it comes here.
    "ALTER TABLE export_chunks ALTER COLUMN data SET STORAGE EXTERNAL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
