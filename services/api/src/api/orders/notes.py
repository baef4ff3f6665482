"""What people write about a command: kept here, so that it never reaches Temporal."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_KEEP = text(
    "INSERT INTO notes (key, subject, text) VALUES (:key, :subject, :text)"
    " ON CONFLICT (key) DO NOTHING"
)


async def keep_note(
    engine: AsyncEngine, key: str, subject: str, note: str | None
) -> None:
    """Keep the note under its command's key. Safe to repeat."""
    if note is None:
        return
    async with engine.begin() as connection:
        await connection.execute(_KEEP, {"key": key, "subject": subject, "text": note})
