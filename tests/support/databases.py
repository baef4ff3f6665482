"""Databases that are used again: empty, and with the tables that they began with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

_SCHEMA = """
    SELECT md5(string_agg(part, '|' ORDER BY part)) FROM (
      SELECT concat_ws(' ', relname, relkind, relacl, attname, atttypid, attnotnull,
        attidentity, pg_get_expr(adbin, adrelid)) AS part
      FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
      LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
      WHERE relnamespace = 'public'::regnamespace AND NOT attisdropped
      UNION ALL
      SELECT concat_ws(' ', conrelid::regclass, conname, contype, conkey::text)
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
      UNION ALL
      SELECT concat_ws(' ', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger
    ) AS parts
"""
_EMPTY = """
    DO $$
    DECLARE filled record;
    BEGIN
      SET LOCAL session_replication_role = replica;
      FOR filled IN
        SELECT oid::regclass AS name, pg_relation_size(oid) > 1e6 AS is_large
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
          AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0
      LOOP
        -- A hundred times as fast, where rows are few.
        EXECUTE CASE WHEN filled.is_large
          THEN format('TRUNCATE %s CASCADE', filled.name)
          ELSE format('DELETE FROM %s', filled.name) END;
      END LOOP;
      PERFORM setval(oid::regclass, 1, false) FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind = 'S';
    END $$
"""
_ALONE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND NOT (application_name = $1 AND state = 'idle')
"""
KEPT = "test"
"""The application whose idle connections stay open for the next test."""


class IdleDatabases:
    """Databases of this process that no test has at this time."""

    def __init__(self) -> None:
        self._urls: list[str] = []
        self._mark: str | None = None

    def take(self) -> str | None:
        return self._urls.pop() if self._urls else None

    async def know(self, url: str) -> None:
        """Remember what a new one looks like: all are copies of one template."""
        if self._mark is None:
            async with _connected(url) as connection:
                self._mark = await _mark(connection)

    async def give_back(self, url: str) -> bool:
        """Empty it for the next test; false if its tables are not as they were."""
        async with _connected(url) as connection:
            # Whoever is still there would hold locks.
            await connection.execute(_ALONE, KEPT)
            if await _mark(connection) != self._mark:
                return False
            await connection.execute(_EMPTY)
        self._urls.append(url)
        return True


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator["asyncpg.Connection"]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def _mark(connection: "asyncpg.Connection") -> str:
    """Of the tables, their columns, rights and triggers, and of the migration."""
    try:
        revision = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        revision = None
    return f"{revision} {await connection.fetchval(_SCHEMA)}"
