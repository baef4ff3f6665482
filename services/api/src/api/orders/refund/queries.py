"""Reads of refunds."""

from shared.contracts.errors import NotFound
from shared.database.orders.snapshot import OrderSnapshot
from sqlalchemy import text

from api.http.auth import Principal
from api.http.dependencies import Dependencies
from api.orders.order import queries


async def order_of_refund(
    deps: Dependencies, caller: Principal, refund_id: str
) -> OrderSnapshot:
    """Raises `NotFound`, also for another customer's refund."""
    async with deps.engine.connect() as connection:
        order_id = await connection.scalar(_ORDER, {"id": refund_id})
    if order_id is None:
        raise NotFound(f"refund {refund_id}")
    order = await queries.order(deps, order_id)
    caller.require_sight(order.customer, order.id, f"refund {refund_id}", "orders:read")
    return order


_ORDER = text("SELECT order_id FROM refunds WHERE id = :id")
