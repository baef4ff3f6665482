"""The rules: what an order's next step is, and when a person must decide.

Pure: the same facts give the same answer, in a workflow, its replay and a test.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.base import HoldId, PaymentId, RefundId, ShipmentId
from shared.contracts.orders.models import OpenHold, OrderFacts, ShipmentFacts
from shared.contracts.orders.states import HoldReason, OrderStatus

# ── the next step of an order ───────────────────────────────────────────────────


@dataclass(frozen=True)
class Reserve:
    """Reserve stock for every line."""


@dataclass(frozen=True)
class Authorize:
    """Cover the amount that is still to be captured."""


@dataclass(frozen=True)
class Confirm:
    """Screen the order and promise it to the customer."""


@dataclass(frozen=True)
class PlanShipments:
    """Turn reservations into parcels."""


@dataclass(frozen=True)
class StartShipments:
    shipments: tuple[ShipmentId, ...]


@dataclass(frozen=True)
class StartRefunds:
    refunds: tuple[RefundId, ...]


@dataclass(frozen=True)
class Release:
    """Give back an authorisation that nobody needs."""

    payment: PaymentId


@dataclass(frozen=True)
class Remind:
    hold: HoldId


@dataclass(frozen=True)
class ExpireHold:
    hold: HoldId


@dataclass(frozen=True)
class Complete:
    """All goods have arrived or were written off."""


@dataclass(frozen=True)
class Wait:
    """Until somebody nudges, or until this moment."""

    until: datetime | None = None


@dataclass(frozen=True)
class End:
    """Nothing is left to do, nor to undo."""


Step = (
    Reserve
    | Authorize
    | Confirm
    | PlanShipments
    | StartShipments
    | StartRefunds
    | Release
    | Remind
    | ExpireHold
    | Complete
    | Wait
    | End
)


def next_step(facts: OrderFacts, running: Collection[str], now: datetime) -> Step:
    """What an order needs next. `running` are the ids of the shipments and refunds
    whose workflows are under way."""
    overdue = _overdue_hold(facts.holds, now)
    if overdue is not None:
        return overdue
    refunds = tuple(r for r in facts.pending_refunds if r not in running)
    if refunds:
        return StartRefunds(refunds)
    if facts.status is OrderStatus.CANCELLED:
        return _undo(facts, running, now)
    if facts.status is OrderStatus.COMPLETED:
        return _settle(facts, running, now)
    if facts.status is OrderStatus.PLACED:
        return _toward_confirmation(facts, now)
    return _toward_completion(facts, running, now)


def _toward_confirmation(facts: OrderFacts, now: datetime) -> Step:
    held = {hold.reason for hold in facts.holds}
    if not facts.allocated:
        return Reserve()
    if HoldReason.STOCK in held:
        return _wait(facts, now)
    if facts.uncovered or facts.authorizing:
        return _cover(facts, held, now)
    if held:
        return _wait(facts, now)
    return Confirm()


def _toward_completion(
    facts: OrderFacts, running: Collection[str], now: datetime
) -> Step:
    held = {hold.reason for hold in facts.holds if hold.subject == facts.order_id}
    waiting = tuple(
        s.shipment_id
        for s in facts.shipments
        if not s.status.final and s.shipment_id not in running
    )
    if waiting:
        return StartShipments(waiting)
    if facts.unplanned and not held:
        return PlanShipments()
    if (facts.uncovered or facts.authorizing) and HoldReason.STOCK not in held:
        return _cover(facts, held, now)
    if facts.surplus_payments:
        return Release(facts.surplus_payments[0])
    if facts.open_units or any(not s.status.final for s in facts.shipments):
        return _wait(facts, now)
    if facts.holds:
        return _wait(facts, now)
    return Complete()


def _cover(facts: OrderFacts, held: Collection[HoldReason], now: datetime) -> Step:
    if HoldReason.PAYMENT in held:
        return _wait(facts, now)
    return Authorize()


def _undo(facts: OrderFacts, running: Collection[str], now: datetime) -> Step:
    if facts.authorizing:
        return Authorize()  # finds out what became of it, so that it can be released
    return _settle(facts, running, now)


def _settle(facts: OrderFacts, running: Collection[str], now: datetime) -> Step:
    if facts.surplus_payments:
        return Release(facts.surplus_payments[0])
    if running or facts.holds:
        return _wait(facts, now)
    return End()


def _overdue_hold(holds: Collection[OpenHold], now: datetime) -> Step | None:
    for hold in holds:
        if hold.due_at is not None and hold.due_at <= now and not hold.escalated:
            return ExpireHold(hold.hold_id)
        if hold.remind_at is not None and hold.remind_at <= now and not hold.reminded:
            return Remind(hold.hold_id)
    return None


def _wait(facts: OrderFacts, now: datetime) -> Wait:
    ahead = facts.renew_at is not None and facts.renew_at > now
    moments = [facts.renew_at if ahead else None]
    for hold in facts.holds:
        moments.append(None if hold.reminded else hold.remind_at)
        moments.append(None if hold.escalated else hold.due_at)
    return Wait(min((moment for moment in moments if moment), default=None))


# ── when a person must decide ───────────────────────────────────────────────────


@dataclass(frozen=True)
class Screening:
    """What is known about an order when it is screened. Minor units."""

    total: int
    customers_orders: int
    """Completed or confirmed orders of the customer before this one."""
    recent_orders: int
    """Orders that the customer placed within `Limits.burst_window`."""
    ships_abroad_of_billing: bool


@dataclass(frozen=True)
class Limits:
    """Above these an order waits for approval. Minor units of its currency."""

    total: int = 100_000
    new_customer_total: int = 50_000
    burst_orders: int = 10
    burst_window: timedelta = timedelta(hours=1)


def screen(order: Screening, limits: Limits) -> tuple[str, ...]:
    """The reasons why a person should look at an order; none for most orders."""
    findings = {
        "total-over-limit": order.total > limits.total,
        "new-customer-high-value": order.customers_orders == 0
        and order.total > limits.new_customer_total,
        "ships-abroad-of-billing": order.ships_abroad_of_billing,
        "many-orders": order.recent_orders > limits.burst_orders,
    }
    return tuple(name for name, found in findings.items() if found)


# ── times ───────────────────────────────────────────────────────────────────────

APPROVAL_DUE = timedelta(hours=72)
APPROVAL_BEFORE_CAPTURE = timedelta(hours=24)
"""An approval that comes later than this before the authorisation ends is too late."""
STOCK_DUE = timedelta(days=7)
PAYMENT_DUE = timedelta(hours=72)
ADDRESS_DUE = timedelta(days=7)
DELIVERY_DUE = timedelta(days=2)
REFUND_DUE = timedelta(days=2)
RENEW_BEFORE = timedelta(hours=24)
"""How long before `capture_before` an authorisation is renewed."""
SCAN_DUE = timedelta(hours=48)
LOST_AFTER = timedelta(days=14)


def approval_due(now: datetime, capture_before: datetime | None) -> datetime:
    """The earlier of 72 h and 24 h before the authorisation ends."""
    due = now + APPROVAL_DUE
    if capture_before is None:
        return due
    return min(due, capture_before - APPROVAL_BEFORE_CAPTURE)


# ── the next step of a shipment ─────────────────────────────────────────────────


def shipment_ended(facts: ShipmentFacts) -> bool:
    """A cancelled parcel has not ended while its label is still valid."""
    return facts.status.final and not facts.to_void
