"""Bringing the schema up to date takes as long as it takes."""

import asyncio
from datetime import timedelta
from importlib import import_module

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


async def test_the_places_of_before_become_locations(engine: Engine) -> None:
    """Whatever they are called; and so do those that an older build still makes up."""
    migration = import_module("shared.database.migrations.versions.0020_locations")
    async with engine.begin() as before:
        await before.execute(text("DROP FUNCTION know_location CASCADE"))
        await before.execute(text("DROP TABLE locations"))
        await before.execute(text(_STOCKED))
        for statement in migration.STATEMENTS:
            await before.execute(text(statement))
        found = await before.execute(text("SELECT * FROM locations ORDER BY code"))
        assert {row.code for row in found} == {"Berlin", "berlin", "Halle 1/b"}
        assert {(row.code == row.name, row.active) for row in found} == {(True, True)}
        await before.execute(text("INSERT INTO stock VALUES ('TEA', 'kiel', 0, 0)"))
        made = "SELECT active FROM locations WHERE code = 'kiel'"
        assert await before.scalar(text(made)) is True


_STOCKED = """
    WITH sold AS (INSERT INTO products (sku, name, price, currency)
                  VALUES ('TEA', 'Tea', 1, 'EUR') RETURNING sku)
    INSERT INTO stock (sku, location)
    SELECT sku, unnest(ARRAY['Berlin', 'berlin', 'Halle 1/b']) FROM sold
"""
