"""Draws a refund's state, which its workflow decides on, from the order's snapshot."""

from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.payloads import RefundState
from shared.database.orders.snapshot import OrderSnapshot

from worker.orders.hold.state import holds_of
from worker.orders.payment.amounts import pending_refunds


def refund_state(order: OrderSnapshot, refund_id: str) -> RefundState:
    holds = holds_of(order, refund_id)
    return RefundState(
        refund_id=refund_id,
        status=order.refund(refund_id).status,
        to_settle=bool(pending_refunds(order, refund_id)),
        # A silent provider has a hold of its own; the refund keeps asking.
        on_hold=any(hold.reason is not HoldReason.PROVIDER for hold in holds),
        holds=holds,
    )
