"""Statements that delete old rows of any process, at most `:batch` at a time."""

from sqlalchemy import TextClause, text

KEYS = text(
    """
    DELETE FROM idempotency_keys WHERE (principal, key) IN (
      SELECT principal, key FROM idempotency_keys
      WHERE created_at < now() - cast(:age AS interval) LIMIT :batch)
    """
)
WEBHOOKS = text(
    """
    DELETE FROM inbox WHERE (source, event_id) IN (
      SELECT source, event_id FROM inbox
      WHERE processed_at < now() - cast(:age AS interval) LIMIT :batch)
    """
)
MESSAGES = text(
    """
    DELETE FROM messages WHERE (subject, seq) IN (
      SELECT subject, seq FROM messages
      WHERE status <> 'open' AND created_at < now() - cast(:age AS interval)
      LIMIT :batch)
    """
)


def forgetting_steps(process: str, *, ended: str) -> TextClause:
    """Deletes the stored answers of subjects that have `ended`: SQL that finds a row if
    the step `a` belongs to one that ended `:age` ago. No workflow repeats such a
    step."""
    return text(
        f"""
        DELETE FROM applied WHERE key IN (
          SELECT a.key FROM applied a
          WHERE a.process = '{process}' AND EXISTS ({ended}) LIMIT :batch)
        """  # noqa: S608 - a process's own words
    )
