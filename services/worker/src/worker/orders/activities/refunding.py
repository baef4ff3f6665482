"""Owing a refund: the goods are credited and the money is set aside at once, in one
transaction, so that the books agree from the first moment (M1)."""

from collections.abc import Mapping

from shared.contracts.errors import Refusal
from shared.contracts.orders.states import MoneyKind, MoneyStatus
from shared.database.ids import new_id
from shared.database.kernel.change import Change
from shared.database.orders.snapshot import OrderSnapshot
from shared.database.orders.tables import Order, Refund
from sqlalchemy import insert, update

from worker.orders.activities import ledger
from worker.orders.activities.stock import add_to_line


async def request(
    change: Change,
    order: OrderSnapshot,
    *,
    reason: str,
    lines: Mapping[int, int],
    shipping: int = 0,
    goodwill: int = 0,
) -> str | None:
    """Owe the customer the price of `lines`, `shipping` and `goodwill`.

    Returns the refund's id, `None` where it comes to nothing. Raises `Refusal`
    exceeds-refundable. Asking the provider is the refund's workflow's business.
    """
    goods = sum(
        order.line(number).price_to_credit(units) for number, units in lines.items()
    )
    amount = goods + shipping + goodwill
    if amount > order.refundable:
        raise Refusal(
            "exceeds-refundable",
            "More than was paid cannot be paid back.",
            refundable=order.refundable,
        )
    for number, units in lines.items():
        await add_to_line(change, order.id, number, credited=units)
    if shipping or goodwill:
        await change.connection.execute(
            update(Order)
            .where(Order.id == order.id)
            .values(
                shipping_credited=Order.shipping_credited + shipping,
                goodwill=Order.goodwill + goodwill,
            )
        )
    if amount == 0:
        return None
    refund_id = new_id("ref")
    await change.connection.execute(
        insert(Refund).values(
            id=refund_id,
            order_id=order.id,
            reason=reason,
            amount=amount,
            shipping=shipping,
            goodwill=goodwill,
            status=MoneyStatus.PENDING,
            lines=[
                {"line": number, "quantity": units} for number, units in lines.items()
            ],
            requested_by=change.actor,
        )
    )
    await _set_aside(change, order, amount, refund_id)
    change.event("refund.requested", refund_id=refund_id, amount=amount, reason=reason)
    return refund_id


async def _set_aside(
    change: Change, order: OrderSnapshot, amount: int, refund_id: str
) -> None:
    """Spread the amount over the payments that can still pay it, oldest first."""
    for payment in order.payments:
        part = min(amount, payment.refundable)
        if part > 0:
            amount -= part
            await ledger.add(change, payment.id, refunding=part)
            await ledger.begin(change, payment.id, MoneyKind.REFUND, part, refund_id)
