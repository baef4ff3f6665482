"""Runs Alembic's migrations."""

from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from shared.database.engine import connector
from shared.platform.settings import DatabaseSettings

# Any fixed number: whoever holds it is migrating.
MIGRATION_LOCK = 7_063_241

LONGEST = timedelta(hours=1)
"""Upper bound for a statement: an index on a big table, or waiting for another
migration."""


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def _upgrade(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.commit()
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()
    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
    connection.commit()


def alembics_engine(settings: DatabaseSettings) -> AsyncEngine:
    """An engine for Alembic, which needs SQLAlchemy's."""
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connector(settings, application="migrations"),
        poolclass=NullPool,
    )


async def upgrade(settings: DatabaseSettings) -> None:
    """Migrate to the newest revision. Safe to repeat; waits for another migration that
    runs. Statements may take `LONGEST`, whatever a service's own limit is."""
    patient = settings.model_copy(update={"database_statement_timeout": LONGEST})
    engine = alembics_engine(patient)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()
