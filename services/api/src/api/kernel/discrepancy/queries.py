"""Reads of what the auditors found."""

import json
from typing import Any

from shared.contracts.errors import NotFound
from sqlalchemy import text

from api.http.dependencies import Dependencies
from api.kernel.discrepancy import schemas as shown


async def read_discrepancy(
    deps: Dependencies, discrepancy_id: str
) -> shown.Discrepancy:
    """Raises `NotFound`."""
    async with deps.engine.connect() as connection:
        row = (await connection.execute(ONE, {"id": discrepancy_id})).one_or_none()
    if row is None:
        raise NotFound(f"discrepancy {discrepancy_id}")
    return show_discrepancy(row)


def show_discrepancy(row: Any) -> shown.Discrepancy:
    return shown.Discrepancy(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        detail=json.loads(row.detail),
        found_at=row.found_at,
        resolved_at=row.resolved_at,
        resolved_by=row.resolved_by,
        note=row.note,
    )


SHOWN = """
SELECT id, kind, subject, detail::text AS detail, found_at, resolved_at, resolved_by,
  (SELECT n.text FROM notes n WHERE n.subject = d.id ORDER BY n.at LIMIT 1) AS note
FROM discrepancies d
"""
ONE = text(SHOWN + " WHERE id = :id")
