"""Whether a line may come back, as its product said when it was bought."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute("ALTER TABLE order_lines ADD COLUMN returnable BOOLEAN")
