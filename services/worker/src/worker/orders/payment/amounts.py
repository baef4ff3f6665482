"""Calculates what payments cover, hold and can still capture. Minor units."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from shared.contracts.orders.charging import chargeable
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import MoneyKind, MoneyStatus
from shared.database.orders.payments import KEY_SPENT
from shared.database.orders.snapshot import (
    LedgerRow,
    OrderSnapshot,
    Payment,
    Shipment,
)

from worker.orders.payment.policy import RENEW_BEFORE


def capturable(payment: Payment, now: datetime) -> int:
    """What can still be captured from a payment: nothing once it has expired, the
    provider has refused a capture, or it is being released."""
    expired = payment.capture_before is not None and payment.capture_before <= now
    over = payment.pending(MoneyKind.RELEASE) is not None
    return 0 if expired or over or _refused_a_capture(payment) else payment.held


def _refused_a_capture(payment: Payment) -> bool:
    return any(
        row.status is MoneyStatus.FAILED and row.failure != KEY_SPENT
        for row in payment.rows(MoneyKind.CAPTURE)
    )


def cover(order: OrderSnapshot, now: datetime) -> Payment | None:
    """The authorisation that covers everything still to be captured. One that ends soon
    covers nothing, so that it is renewed in time."""
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
    """An authorisation was begun and its outcome is unknown here. The outcome of one
    that waits for the customer (`next_action`) is known."""
    pending = payment.pending(MoneyKind.AUTHORIZE)
    return pending is not None and payment.next_action is None


def surplus(order: OrderSnapshot, now: datetime) -> Iterator[str]:
    """Payments that hold money which the order does not need."""
    covering = cover(order, now)
    needed = order.to_capture > 0 and covering is None
    for payment in order.payments:
        idle = payment.held > 0 and payment.capturing == 0
        if idle and _stuck(order, payment):
            continue
        wanted = needed and capturable(payment, now) > 0
        unneeded = idle and payment is not covering and not wanted
        if unneeded or (order.status.final and payment.next_action is not None):
            yield payment.id


def _stuck(order: OrderSnapshot, payment: Payment) -> bool:
    """The provider has refused the release, and nobody has decided yet what follows."""
    refused = payment.rows(MoneyKind.RELEASE)[-1:]
    failed = any(row.status is MoneyStatus.FAILED for row in refused)
    held = (order.hold(HoldReason.PROVIDER), order.hold(HoldReason.DIFFERENCE))
    return failed and any(held)


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


def paying(order: OrderSnapshot, shipment_id: str) -> bool:
    pending = (payment.pending(MoneyKind.CAPTURE) for payment in order.payments)
    return any(row is not None and row.ref == shipment_id for row in pending)


def unpaid_units(order: OrderSnapshot, shipment: Shipment) -> dict[int, int]:
    """Units of a parcel, by line, that earlier captures did not pay for."""
    return {
        item.line: max(0, item.qty - prepaid_units(order, shipment, item.line))
        for item in shipment.lines
    }


def prepaid_units(order: OrderSnapshot, shipment: Shipment, line: int) -> int:
    """Units of a line that are paid for and in no other live parcel: they were in one
    that was taken apart."""
    spoken_for = sum(
        other.units(line)
        for other in order.shipments
        if other.in_house and other.captured_at and other.id != shipment.id
    )
    return max(0, order.line(line).paid_in_house - spoken_for)


def able_to_pay(order: OrderSnapshot, shipment: Shipment, now: datetime) -> bool:
    """Whether what is due for a parcel can be captured now."""
    due = amount_due(order, shipment)
    return due == 0 or any(capturable(p, now) >= due for p in order.payments)


def amount_due(order: OrderSnapshot, shipment: Shipment) -> int:
    """What to capture for a parcel: the first one also pays the shipping."""
    due = capture_price(order, unpaid_units(order, shipment)) + order.shipping_due
    return max(0, due - order.paid_ahead)


def amount_to_take(
    order: OrderSnapshot, payment: Payment, due: int, now: datetime
) -> int:
    """What is captured for a parcel: `due`, plus the remainder where it would be too
    small for the provider to capture by itself. The remainder then counts as paid
    ahead."""
    rest = order.to_capture - due
    lost = rest > 0 and not payment.multicapture
    if lost and not chargeable(order.currency, rest):
        return due + rest if capturable(payment, now) >= due + rest else due
    return due


def capture_price(order: OrderSnapshot, units: Mapping[int, int]) -> int:
    return sum(order.line(line).price_to_capture(n) for line, n in units.items())
