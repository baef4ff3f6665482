"""Where the label for the way back is kept, which its customer prints."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE returns ADD COLUMN label_url text")
