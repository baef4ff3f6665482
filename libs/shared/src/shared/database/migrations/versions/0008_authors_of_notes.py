"""Who wrote a note, and about what."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("ALTER TABLE notes ADD COLUMN actor TEXT")
    op.execute("ALTER TABLE notes ADD COLUMN about TEXT")
