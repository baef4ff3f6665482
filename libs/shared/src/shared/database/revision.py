"""Compares the schema of the database with the one this code was written for.

Without Alembic, which would cost 10 MB in every process that only checks.
"""

from pathlib import Path

from sqlalchemy import text

from shared.database.engine import Engine

KNOWN = tuple(
    sorted(
        path.name.partition("_")[0]
        for path in Path(__file__).parent.glob("migrations/versions/[0-9]*_*.py")
    )
)
"""Every migration's file begins with its revision, and they follow each other."""
HEAD = KNOWN[-1]


def fits(revision: str | None) -> bool:
    """Whether this code can run on a database at `revision`: its own newest, or one it
    does not know. A later release has made that one, and takes nothing away that this
    one uses (docs/how-to/migrate-the-database.md): while pods are replaced, and after a
    rollback, older code runs on the newer schema."""
    if revision is None:
        return False
    return revision == HEAD or revision not in KNOWN


async def database_revision(engine: Engine) -> str | None:
    """The revision that the database is at; `None` before the first migration."""
    async with engine.connect() as connection:
        known = await connection.scalar(text("SELECT to_regclass('alembic_version')"))
        if known is None:
            return None
        revision = await connection.scalar(
            text("SELECT version_num FROM alembic_version")
        )
        return str(revision)
