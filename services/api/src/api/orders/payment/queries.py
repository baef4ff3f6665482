"""Reads discrepancies and disputes of payments."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.contracts.errors import NotFound, Refusal
from shared.contracts.orders.states import DisputeStatus
from shared.database.rows import Rows
from sqlalchemy import text

from api.http.dependencies import Dependencies


@dataclass(frozen=True)
class Difference:
    """A discrepancy between the provider's amounts of a payment and ours."""

    id: str
    order_id: str
    payment_id: str
    detail: Mapping[str, Any]
    resolved_by: str | None


async def read_difference(deps: Dependencies, discrepancy_id: str) -> Difference:
    """Raises `NotFound`, and `Refusal` for another kind of discrepancy."""
    async with deps.engine.connect() as connection:
        rows = await connection.execute(_DIFFERENCE, {"id": discrepancy_id})
    row = rows.one_or_none()
    if row is None:
        raise NotFound(f"discrepancy {discrepancy_id}")
    if row.order_id is None:
        raise Refusal("wrong-state", "It is not about the sums of a payment.")
    return Difference(
        id=discrepancy_id,
        order_id=row.order_id,
        payment_id=row.subject,
        detail=json.loads(row.detail),
        resolved_by=row.resolved_by,
    )


_DIFFERENCE = text(
    """
    SELECT d.subject, d.detail::text AS detail, d.resolved_by, p.order_id
    FROM discrepancies d
      LEFT JOIN payments p ON p.id = d.subject AND d.kind = 'money-differs'
    WHERE d.id = :id
    """
)


async def page_of_disputes(
    deps: Dependencies,
    *,
    order: str | None,
    is_open: bool | None,
    before: tuple[datetime | None, str | None],
    rows: int,
) -> Rows:
    parameters = {
        "order": order,
        "open": is_open,
        "undecided": [status for status in DisputeStatus if status.undecided],
        "at": before[0],
        "id": before[1],
        "rows": rows,
    }
    async with deps.engine.connect() as connection:
        return await connection.execute(_DISPUTES, parameters)


_DISPUTES = text(
    """
    SELECT d.id, p.order_id, d.payment_id, d.status, d.reason, d.amount, d.withdrawn,
      o.currency, d.due_at, d.created_at
    FROM disputes d JOIN payments p ON p.id = d.payment_id
      JOIN orders o ON o.id = p.order_id
    WHERE (cast(:order AS text) IS NULL OR o.id = :order)
      AND (cast(:open AS boolean) IS NULL
           OR (d.status = ANY(cast(:undecided AS text[]))) = :open)
      AND (cast(:id AS text) IS NULL
           OR (d.created_at, d.id) < (cast(:at AS timestamptz), :id))
    ORDER BY d.created_at DESC, d.id DESC LIMIT :rows
    """
)
