"""Draws an order's state, which its workflow decides on, from the snapshot."""

from datetime import datetime

from shared.contracts.orders.holds import SubjectKind, kind_of
from shared.contracts.orders.payloads import OrderState
from shared.database.orders.snapshot import Hold, OrderSnapshot

from worker.orders.hold.state import open_hold
from worker.orders.payment.amounts import renew_at, surplus, uncovered, unsettled
from worker.orders.refund.state import refund_state
from worker.orders.shipment.state import parcel_states
from worker.orders.store import OrderStore, utc_now


async def read_state(store: OrderStore, order_id: str) -> OrderState:
    return state_now(await store.read(order_id))


def state_now(order: OrderSnapshot) -> OrderState:
    return order_state(order, utc_now())


def order_state(order: OrderSnapshot, now: datetime) -> OrderState:
    refunds = (
        refund_state(order, refund.id)
        for refund in order.refunds
        if refund.reason.run_by_order
    )
    return OrderState(
        order_id=order.id,
        status=order.status,
        allocated=order.allocated,
        short=order.short,
        unplanned=sum(units for _, units in order.unplanned()),
        open_units=order.open_units,
        uncovered=uncovered(order, now),
        holds=tuple(open_hold(hold) for hold in order.holds if not _apart(hold)),
        parcels=parcel_states(order, now),
        authorizing=next((p.id for p in order.payments if unsettled(p)), None),
        surplus_payments=tuple(surplus(order, now)),
        refunds=tuple(r for r in refunds if r.to_settle or r.on_hold),
        renew_at=renew_at(order, now),
        cancel_wanted=order.cancel_wanted is not None,
        unscreened=order.unscreened,
    )


def _apart(hold: Hold) -> bool:
    """Problems of a refund or a return do not keep parcels from being packed."""
    return kind_of(hold.subject) in (SubjectKind.REFUND, SubjectKind.RETURN)
