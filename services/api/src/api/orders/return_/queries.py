"""Reads of returns."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel
from shared.contracts.errors import NotFound
from shared.contracts.orders.states import ReturnStatus
from sqlalchemy import text

from api.http.auth import Principal
from api.http.dependencies import Dependencies
from api.orders.order.queries import orders_named
from api.orders.order.schemas import OrderHold
from api.orders.return_ import schemas as shown

READERS = ("orders:read", "fulfil")
"""Scopes that see all returns; the warehouse has to know what comes."""


class Return(BaseModel):
    id: str
    order_id: str
    customer: str
    currency: str
    status: ReturnStatus
    lines: list[shown.ReturnLine]
    hold: OrderHold | None
    tracking: str | None
    label_ref: str | None
    label_url: str | None
    due_at: datetime | None
    refund_id: str | None
    created_at: datetime


async def read_return(deps: Dependencies, caller: Principal, return_id: str) -> Return:
    """Raises `NotFound`, also for another customer's return."""
    found = await _read(deps, "t.id = :id", {"id": return_id})
    if not found:
        raise NotFound(f"return {return_id}")
    of = found[0]
    caller.require_sight(of.customer, of.order_id, f"return {return_id}", *READERS)
    return of


async def page_of_returns(
    deps: Dependencies,
    query: shown.ReturnQuery,
    customer: str | None,
    position: tuple[datetime, str] | None,
) -> list[Return]:
    """One more than the page holds, newest first; only a `customer`'s if given."""
    conditions, parameters = ["true"], dict[str, object]()
    if customer is not None:
        conditions.append("o.customer = :customer")
        parameters["customer"] = customer
    if query.status:
        conditions.append("t.status = ANY(:status)")
        parameters["status"] = [status.value for status in query.status]
    if query.created_from is not None:
        conditions.append("t.created_at >= :created_from")
        parameters["created_from"] = query.created_from
    if query.order is not None:
        conditions.append("t.order_id = ANY(:order)")
        parameters["order"] = await orders_named(deps, query.order)
    if position is not None:
        conditions.append("(t.created_at, t.id) < (:at, :id)")
        parameters |= {"at": position[0], "id": position[1]}
    parameters["rows"] = query.limit + 1
    which = " AND ".join(conditions) + " ORDER BY t.created_at DESC, t.id DESC"
    return await _read(deps, which + " LIMIT :rows", parameters)


async def _read(
    deps: Dependencies, which: str, parameters: Mapping[str, object]
) -> list[Return]:
    statement = text(RETURNS.format(which=which))
    async with deps.engine.connect() as connection:
        rows = await connection.scalars(statement, parameters)
        return [Return.model_validate_json(row) for row in rows]


RETURNS = """
SELECT row_to_json(whole)::text FROM (
  SELECT t.*, o.customer, o.currency,
    (SELECT json_agg(i ORDER BY i.line) FROM (
       SELECT l.line, l.sku, l.name, i.qty AS quantity, i.reason, i.accepted,
         i.disposition, CASE WHEN i.accepted IS NOT NULL THEN json_build_object(
           'amount', i.deduction, 'currency', o.currency) END AS deduction
       FROM return_lines i JOIN order_lines l USING (order_id, line)
       WHERE i.return_id = t.id) i) AS lines,
    (SELECT to_json(h) FROM (
       SELECT id, reason, due_at FROM holds
       WHERE subject = t.id AND released_at IS NULL) h) AS hold,
    (SELECT r.id FROM refunds r
     WHERE r.order_id = t.order_id AND r.return_id = t.id) AS refund_id
  FROM returns t JOIN orders o ON o.id = t.order_id WHERE {which}
) whole
"""
