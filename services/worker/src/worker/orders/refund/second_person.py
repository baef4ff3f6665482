"""Limits how much of an order one person may refund alone, in whatever way."""

from shared.contracts.money import AmountLimit
from shared.contracts.orders.holds import HoldReason, due_of
from shared.contracts.orders.states import MoneyStatus, RefundReason
from shared.database.kernel.holds import place_hold
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot

from worker.orders.hold.screening import needs_second_person
from worker.orders.refund.state import refund_state

NOBODYS_WISH = (RefundReason.CANCELLATION, RefundReason.RETURN)
"""Reasons whose amount follows from cancelled or returned goods: they do not count
towards a clerk's limit."""


async def ask_second_person(
    change: UnitOfWork,
    order: OrderSnapshot,
    refund_id: str,
    amount: int,
    *,
    limit: AmountLimit,
) -> None:
    """Hold a refund that its clerk may not decide alone. `order` as it was before;
    amounts are minor units."""
    given = amount + _given_alone(order, change.actor)
    if needs_second_person(given, limit.of(order.currency)):
        await place_hold(
            change,
            HoldReason.REFUND,
            subject=refund_id,
            due_in=due_of(HoldReason.REFUND),
            detail={"refund_id": refund_id, "cause": "over-limit"},
        )


def _given_alone(order: OrderSnapshot, actor: str) -> int:
    """What this person has already refunded of the order without a second person's
    approval: many small refunds add up to a large one."""
    return sum(
        refund.amount
        for refund in order.refunds
        if refund.requested_by == actor
        and refund.status is not MoneyStatus.FAILED
        and refund.approved_by is None
        and refund.reason not in NOBODYS_WISH
        and not refund_state(order, refund.id).on_hold
    )
