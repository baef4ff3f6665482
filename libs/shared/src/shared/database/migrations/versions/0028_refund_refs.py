"""Refunds by the provider's id, which is all that its webhook says."""

from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # One that was broken off is there, and is no use.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ledger_refunds")
        op.execute(
            "CREATE INDEX CONCURRENTLY ledger_refunds ON ledger (provider_ref)"
            " WHERE kind = 'refund'"
        )
