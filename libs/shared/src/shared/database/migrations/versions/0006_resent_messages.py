"""Messages that somebody asks for once more."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("ALTER TABLE messages ADD COLUMN resends INTEGER DEFAULT '0' NOT NULL")
    op.execute("ALTER TABLE messages ADD COLUMN resent_at TIMESTAMP WITH TIME ZONE")
