"""Webhooks to other systems: their endpoints, and what became of each delivery."""

from alembic import op

revision = "0019"
down_revision = "0018"

STATEMENTS = (
    """
    CREATE TABLE webhook_endpoints (
        id TEXT NOT NULL,
        version INTEGER DEFAULT '1' NOT NULL,
        created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        updated_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        url TEXT NOT NULL,
        description TEXT,
        owner_email TEXT NOT NULL,
        types JSONB NOT NULL,
        status TEXT DEFAULT 'enabled' NOT NULL,
        secret TEXT NOT NULL,
        previous_secret TEXT,
        previous_secret_until TIMESTAMPTZ,
        transaction_id BIGINT NOT NULL,
        event_id BIGINT NOT NULL,
        failures INTEGER DEFAULT '0' NOT NULL,
        failing_since TIMESTAMPTZ,
        rests_until TIMESTAMPTZ,
        leased_by TEXT,
        leased_until TIMESTAMPTZ,
        CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (id),
        CONSTRAINT webhook_endpoints_status_check
            CHECK (status IN ('enabled', 'disabled', 'failed'))
    )
    """,
    """
    CREATE TABLE webhook_deliveries (
        endpoint TEXT NOT NULL,
        transaction_id BIGINT NOT NULL,
        event_id BIGINT NOT NULL,
        subject TEXT NOT NULL,
        type TEXT NOT NULL,
        status TEXT NOT NULL,
        attempts INTEGER DEFAULT '0' NOT NULL,
        due_at TIMESTAMPTZ,
        first_attempt_at TIMESTAMPTZ,
        last_attempt_at TIMESTAMPTZ,
        response_status SMALLINT,
        response_head TEXT,
        latency_ms INTEGER,
        error TEXT,
        CONSTRAINT webhook_deliveries_pkey
            PRIMARY KEY (endpoint, transaction_id, event_id),
        CONSTRAINT webhook_deliveries_status_check
            CHECK (status IN ('pending', 'succeeded', 'failed'))
    )
    """,
    """
    CREATE INDEX webhook_deliveries_unfinished
    ON webhook_deliveries (endpoint, transaction_id, event_id)
    WHERE status <> 'succeeded'
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
