"""Runs Alembic's migrations and says which revision the code expects."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database.engine import create_engine
from shared.platform.settings import DatabaseSettings

# Any fixed number: whoever holds it is migrating.
MIGRATION_LOCK = 7_063_241


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


@cache
def head_revision() -> str:
    """The revision that this code was written for."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        raise LookupError("there is no migration beside this file")
    return head


@cache
def _known_revisions() -> frozenset[str]:
    scripts = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    return frozenset(script.revision for script in scripts)


def fits(revision: str | None) -> bool:
    """Whether this code can run on a database at `revision`: its own newest, or one it
    does not know. A later release has made that one, and takes nothing away that this
    one uses (docs/how-to/migrate-the-database.md): while pods are replaced, and after a
    rollback, older code runs on the newer schema."""
    if revision is None:
        return False
    return revision == head_revision() or revision not in _known_revisions()


def _upgrade(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.commit()
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()
    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
    connection.commit()


async def upgrade(settings: DatabaseSettings) -> None:
    engine = create_engine(settings, application="migrations")
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


async def database_revision(engine: AsyncEngine) -> str | None:
    """The revision that the database is at; `None` before the first migration."""
    async with engine.connect() as connection:
        known = await connection.scalar(text("SELECT to_regclass('alembic_version')"))
        if known is None:
            return None
        revision = await connection.scalar(
            text("SELECT version_num FROM alembic_version")
        )
        return str(revision)
