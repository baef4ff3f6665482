"""Reads of refunds."""

from shared.contracts.errors import NotFound
from shared.contracts.orders.states import HoldReason, RefundReason
from shared.database.orders.snapshot import Hold, OrderSnapshot
from sqlalchemy import text

from api.http.auth import Principal
from api.http.schemas import Money
from api.orders.order import queries
from api.orders.order.schemas import LineUnits, OrderHold
from api.orders.refund import schemas as shown
from api.services import Services


async def order_of_refund(
    services: Services, caller: Principal, refund_id: str
) -> OrderSnapshot:
    """Raises `NotFound`, also for another customer's refund."""
    async with services.reads.connect() as connection:
        order_id = await connection.scalar(_ORDER, {"id": refund_id})
    if order_id is None:
        raise NotFound(f"refund {refund_id}")
    order = await queries.order(services, order_id)
    caller.require_sight(order.customer, f"refund {refund_id}", "orders:read")
    return order


_ORDER = text("SELECT order_id FROM refunds WHERE id = :id")


def show_refund(order: OrderSnapshot, refund_id: str) -> shown.Refund:
    refund = order.refund(refund_id)
    return shown.Refund(
        id=refund.id,
        order_id=order.id,
        return_id=refund.return_id,
        status=refund.status,
        reason=RefundReason(refund.reason),
        amount=Money(amount=refund.amount, currency=order.currency),
        shipping=Money(amount=refund.shipping, currency=order.currency),
        lines=[LineUnits(**item) for item in refund.lines],
        hold=show_hold(order.hold(HoldReason.REFUND, refund_id)),
        created_at=refund.created_at,
    )


def show_hold(hold: Hold | None) -> OrderHold | None:
    if hold is None:
        return None
    return OrderHold(id=hold.id, reason=hold.reason, due_at=hold.due_at)
