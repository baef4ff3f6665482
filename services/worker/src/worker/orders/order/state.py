"""What an order's workflow needs to know, drawn from its snapshot."""

from datetime import datetime

from shared.contracts.orders.models import LiveShipment, OrderState
from shared.contracts.orders.states import RefundReason
from shared.database.orders.snapshot import Hold, OrderSnapshot

from worker.orders.hold.state import open_hold
from worker.orders.payment.amounts import (
    paying,
    pending_refunds,
    renew_at,
    surplus,
    uncovered,
    unsettled,
)
from worker.orders.shipment.state import begun, to_void


def order_state(order: OrderSnapshot, now: datetime) -> OrderState:
    return OrderState(
        order_id=order.id,
        status=order.status,
        allocated=order.allocated,
        short=order.short,
        unplanned=sum(units for _, units in order.unplanned()),
        open_units=order.open_units,
        uncovered=uncovered(order, now),
        holds=tuple(open_hold(hold) for hold in order.holds if not _apart(hold)),
        shipments=tuple(
            LiveShipment(
                shipment_id=s.id,
                status=s.status,
                begun=begun(s),
                paying=paying(order, s.id),
            )
            for s in order.shipments
            if not s.status.final or to_void(s)
        ),
        authorizing=next((p.id for p in order.payments if unsettled(p)), None),
        surplus_payments=tuple(surplus(order, now)),
        pending_refunds=tuple(
            r.id
            for r in order.refunds
            if r.reason == RefundReason.CANCELLATION and pending_refunds(order, r.id)
        ),
        renew_at=renew_at(order, now),
        unscreened=order.unscreened,
    )


def _apart(hold: Hold) -> bool:
    """Refunds and returns outlive their order: their workflows mind their holds."""
    return hold.subject.startswith(("ref_", "ret_"))
