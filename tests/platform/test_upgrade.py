"""Bringing the schema up to date takes as long as it takes."""

import asyncio
from datetime import timedelta

from pydantic import SecretStr
from shared.database.engine import Engine
from shared.database.migrations.upgrade import MIGRATION_LOCK, upgrade
from shared.platform.settings import DatabaseSettings
from sqlalchemy import text


async def test_an_upgrade_waits_for_another_one_beyond_the_statement_timeout(
    database: str, engine: Engine
) -> None:
    settings = DatabaseSettings(
        database_url=SecretStr(database),
        database_statement_timeout=timedelta(milliseconds=200),
    )
    async with engine.begin() as other:
        await other.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        upgrading = asyncio.create_task(upgrade(settings))
        ended, _ = await asyncio.wait({upgrading}, timeout=1)
        assert not ended
    await upgrading
