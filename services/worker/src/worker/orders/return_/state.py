"""Draws a return's state, which its workflow decides on, from the order's snapshot."""

from shared.contracts.orders.payloads import ReturnState
from shared.database.orders.snapshot import OrderSnapshot

from worker.orders.hold.state import holds_of
from worker.orders.payment.amounts import pending_refunds


def return_state(order: OrderSnapshot, return_id: str) -> ReturnState:
    found = order.return_(return_id)
    return ReturnState(
        return_id=found.id,
        status=found.status,
        holds=holds_of(order, return_id),
        remind_at=found.remind_at,
        due_at=found.due_at,
        refund=next(
            (
                refund.id
                for refund in order.refunds
                if refund.return_id == return_id and pending_refunds(order, refund.id)
            ),
            None,
        ),
    )
