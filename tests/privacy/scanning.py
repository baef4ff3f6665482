"""Looking for people in what a system left behind."""

from collections.abc import Iterable, Mapping

import asyncpg


async def rows_with(database_url: str, words: Iterable[str]) -> dict[str, set[str]]:
    """Which of the words are in any column of which tables, whatever their case."""
    wanted = [word.lower() for word in words]
    connection = await asyncpg.connect(database_url)
    try:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        found: dict[str, set[str]] = {}
        for (table,) in tables:
            rows = await connection.fetch(f'SELECT to_jsonb(t)::text FROM "{table}" t')
            told = "\n".join(row[0].lower() for row in rows)
            if hits := {word for word in wanted if word in told}:
                found[table] = hits
        return found
    finally:
        await connection.close()


def words_of(person: Mapping[str, str]) -> set[str]:
    """What tells of somebody: whole values, and each longer word in them."""
    values = set(person.values())
    return values | {w for value in values for w in value.split() if len(w) > 6}
