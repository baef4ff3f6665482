"""Stores notes that come with commands, so that they never reach Temporal."""

from shared.database.engine import Engine
from sqlalchemy import text

# A customer is erased once: later notes would be kept for ever.
_KEEP = text(
    """
    INSERT INTO notes (key, subject, text, actor, about)
    SELECT cast(:key AS text), :subject, :text, :actor, :about
    FROM contacts WHERE order_id = :subject AND erased_at IS NULL
    ON CONFLICT (key) DO NOTHING
    """
)


async def keep_note(
    engine: Engine,
    key: str,
    subject: str,
    note: str | None,
    *,
    actor: str,
    about: str,
) -> None:
    """Keep the note about an order under its command's key, unless its customer was
    erased. Safe to repeat."""
    if note is None:
        return
    values = {
        "key": key,
        "subject": subject,
        "text": note,
        "actor": actor,
        "about": about,
    }
    async with engine.begin() as connection:
        await connection.execute(_KEEP, values)
