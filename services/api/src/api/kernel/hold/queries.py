"""Reads holds of all processes."""

from collections.abc import Mapping
from datetime import UTC, datetime

from shared.contracts.errors import NotFound
from sqlalchemy import text

from api.http.dependencies import Dependencies
from api.kernel.hold.schemas import StoredHold

LAST = datetime(2999, 12, 31, tzinfo=UTC)
"""Sorts holds without a deadline last."""


async def read_hold(deps: Dependencies, hold_id: str) -> StoredHold:
    """Raises `NotFound`."""
    async with deps.engine.connect() as connection:
        row = await connection.scalar(_HOLD, {"id": hold_id})
    if row is None:
        raise NotFound(f"hold {hold_id}")
    return StoredHold.model_validate_json(row)


async def page_of_holds(
    deps: Dependencies, state: str, parameters: Mapping[str, object]
) -> list[StoredHold]:
    """The open ones, first due first, or the decided ones, latest first."""
    async with deps.engine.connect() as connection:
        rows = await connection.scalars(_LISTS[state], {"last": LAST, **parameters})
        return [StoredHold.model_validate_json(row) for row in rows]


_HOLD = text("SELECT row_to_json(h)::text FROM holds h WHERE id = :id")
_WHICH = """
    SELECT row_to_json(h)::text FROM holds h
    WHERE process || '/' || reason = ANY(cast(:seen AS text[]))
      AND (cast(:reason AS text) IS NULL OR reason = :reason)
      AND (cast(:assignee AS text) IS NULL OR assignee = :assignee)
      AND (cast(:overdue AS boolean) IS NULL
           OR (coalesce(due_at, :last) < coalesce(released_at, now())) = :overdue)
      AND (cast(:subject AS text) IS NULL OR subject = :subject OR root = :subject)
"""
_LISTS = {
    "open": text(
        f"""
        {_WHICH} AND released_at IS NULL
          AND (cast(:id AS text) IS NULL
               OR (coalesce(due_at, :last), id) > (cast(:due AS timestamptz), :id))
        ORDER BY coalesce(due_at, :last), id LIMIT :rows
        """
    ),
    "decided": text(
        f"""
        {_WHICH} AND released_at IS NOT NULL
          AND (cast(:id AS text) IS NULL
               OR (released_at, id) < (cast(:due AS timestamptz), :id))
        ORDER BY released_at DESC, id DESC LIMIT :rows
        """
    ),
}
