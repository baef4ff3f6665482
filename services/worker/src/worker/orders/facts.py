"""What a workflow needs to know of an order, drawn from its snapshot."""

from collections.abc import Iterator
from datetime import datetime

from shared.contracts.orders.models import (
    LiveShipment,
    OpenHold,
    OrderFacts,
    RefundFacts,
    ReturnFacts,
    ShipmentFacts,
)
from shared.contracts.orders.states import (
    HoldReason,
    MoneyKind,
    MoneyStatus,
    RefundReason,
    ShipmentStatus,
)
from shared.database.orders.snapshot import (
    Hold,
    LedgerRow,
    OrderSnapshot,
    Payment,
    Shipment,
)

from worker.orders.policy.order import RENEW_BEFORE
from worker.orders.policy.shipment import LOST_AFTER, SCAN_DUE

KEY_SPENT = "key-spent"
"""Why an attempt failed: the provider has stored an error under its key. The money did
not move, and the next attempt gets a new key."""


def order_facts(order: OrderSnapshot, now: datetime) -> OrderFacts:
    return OrderFacts(
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
                begun=_begun(s),
                paying=paying(order, s.id),
            )
            for s in order.shipments
            if not s.status.final or _to_void(s)
        ),
        authorizing=next((p.id for p in order.payments if unsettled(p)), None),
        surplus_payments=tuple(surplus(order, now)),
        pending_refunds=tuple(
            r.id
            for r in order.refunds
            if r.reason == RefundReason.CANCELLATION and pending_refunds(order, r.id)
        ),
        renew_at=renew_at(order, now),
    )


def _apart(hold: Hold) -> bool:
    """Refunds and returns outlive their order: their workflows mind their holds."""
    return hold.subject.startswith(("ref_", "ret_"))


def open_hold(hold: Hold) -> OpenHold:
    return OpenHold(
        hold_id=hold.id,
        reason=hold.reason,
        subject=hold.subject,
        remind_at=hold.remind_at,
        due_at=hold.due_at,
        reminded=hold.reminded_at is not None,
        escalated=hold.escalated_at is not None,
    )


# ── money ───────────────────────────────────────────────────────────────────────


def capturable(payment: Payment, now: datetime) -> int:
    """What may still be taken from a payment: nothing after it expired, nor after
    the provider refused a capture, nor while it is given back."""
    expired = payment.capture_before is not None and payment.capture_before <= now
    over = payment.pending(MoneyKind.RELEASE) is not None
    return 0 if expired or over or _refused_a_capture(payment) else payment.held


def _refused_a_capture(payment: Payment) -> bool:
    return any(
        row.status is MoneyStatus.FAILED and row.failure != KEY_SPENT
        for row in payment.rows(MoneyKind.CAPTURE)
    )


def cover(order: OrderSnapshot, now: datetime) -> Payment | None:
    """The authorisation that covers all that is still to be captured. One that ends
    soon covers nothing, so that it is renewed in time."""
    for payment in order.payments:
        renewal = _renewal(payment)
        ending = renewal is not None and renewal <= now
        if not ending and capturable(payment, now) >= order.to_capture > 0:
            return payment
    return None


def _renewal(payment: Payment) -> datetime | None:
    """When an authorisation has to be renewed: in time, but never before half of its
    life, or a short-lived one would be renewed over and over."""
    if payment.capture_before is None:
        return None
    asked = max((r.created_at for r in payment.rows(MoneyKind.AUTHORIZE)), default=None)
    life = payment.capture_before - (asked or payment.created_at)
    return payment.capture_before - min(RENEW_BEFORE, life / 2)


def uncovered(order: OrderSnapshot, now: datetime) -> int:
    """The amount to authorise: all that is still to be captured, or nothing."""
    return 0 if cover(order, now) else order.to_capture


def unsettled(payment: Payment) -> bool:
    """An authorisation was begun and its outcome is not known here yet. One that
    waits for the customer (`next_action`) is known."""
    pending = payment.pending(MoneyKind.AUTHORIZE)
    return pending is not None and payment.next_action is None


def surplus(order: OrderSnapshot, now: datetime) -> Iterator[str]:
    """Payments that hold back money which nobody will capture any more."""
    covering = cover(order, now)
    needed = order.to_capture > 0 and covering is None
    for payment in order.payments:
        idle = payment.held > 0 and payment.capturing == 0
        wanted = needed and capturable(payment, now) > 0
        unneeded = idle and payment is not covering and not wanted
        if unneeded or (order.status.final and payment.next_action is not None):
            yield payment.id


def renew_at(order: OrderSnapshot, now: datetime) -> datetime | None:
    """When the authorisation that covers the order has to be renewed."""
    covering = cover(order, now)
    return None if covering is None else _renewal(covering)


def pending_refunds(
    order: OrderSnapshot, refund_id: str
) -> list[tuple[Payment, LedgerRow]]:
    """What is set aside for a refund and not settled."""
    return [
        (payment, row)
        for payment in order.payments
        for row in payment.rows(MoneyKind.REFUND)
        if row.ref == refund_id and row.status is MoneyStatus.PENDING
    ]


# ── goods ───────────────────────────────────────────────────────────────────────


def shipment_facts(order: OrderSnapshot, shipment_id: str) -> ShipmentFacts:
    shipment = order.shipment(shipment_id)
    held = any(hold.subject in (order.id, shipment.id) for hold in order.holds)
    return ShipmentFacts(
        shipment_id=shipment.id,
        status=shipment.status,
        parcel_ready=shipment.status is ShipmentStatus.READY
        and shipment.parcel is not None
        and not held,
        paying=paying(order, shipment.id),
        to_void=_to_void(shipment),
        watch_until=watch_until(order, shipment),
    )


def paying(order: OrderSnapshot, shipment_id: str) -> bool:
    pending = (payment.pending(MoneyKind.CAPTURE) for payment in order.payments)
    return any(row is not None and row.ref == shipment_id for row in pending)


def _begun(shipment: Shipment) -> bool:
    return shipment.status is not ShipmentStatus.READY or shipment.parcel is not None


def _to_void(shipment: Shipment) -> bool:
    return (
        shipment.status is ShipmentStatus.CANCELLED and shipment.label_ref is not None
    )


def watch_until(order: OrderSnapshot, shipment: Shipment) -> datetime | None:
    """When a parcel has not been seen for too long."""
    if shipment.status is not ShipmentStatus.SHIPPED or shipment.shipped_at is None:
        return None
    last_seen = max(shipment.tracking_at or shipment.shipped_at, shipment.shipped_at)
    asked = order.hold(HoldReason.DELIVERY, shipment.id) is not None
    return last_seen + (LOST_AFTER if asked else SCAN_DUE)


def refund_facts(order: OrderSnapshot, refund_id: str) -> RefundFacts:
    holds = _holds_of(order, refund_id)
    return RefundFacts(
        refund_id=refund_id,
        status=order.refund(refund_id).status,
        to_settle=bool(pending_refunds(order, refund_id)),
        on_hold=bool(holds),
        holds=holds,
    )


def return_facts(order: OrderSnapshot, return_id: str) -> ReturnFacts:
    found = order.return_(return_id)
    return ReturnFacts(
        return_id=found.id,
        status=found.status,
        holds=_holds_of(order, return_id),
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


def _holds_of(order: OrderSnapshot, subject: str) -> tuple[OpenHold, ...]:
    return tuple(open_hold(hold) for hold in order.holds if hold.subject == subject)
