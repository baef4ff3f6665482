"""The rules: what an order's next step is, and when a person must decide.

Pure: the same facts give the same answer, in a workflow, its replay and a test.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.base import HoldId, PaymentId, RefundId, ShipmentId
from shared.contracts.orders.models import (
    OpenHold,
    OrderFacts,
    RefundFacts,
    ReturnFacts,
    ShipmentFacts,
)
from shared.contracts.orders.states import HoldReason, OrderStatus, ReturnStatus

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


@dataclass(frozen=True)
class AskProvider:
    """Have the money paid back, or hear how far it is."""


@dataclass(frozen=True)
class ArrangeReturn:
    """Buy the label for the way back; from then on the goods are awaited."""


@dataclass(frozen=True)
class RemindOfReturn:
    pass


@dataclass(frozen=True)
class ExpireReturn:
    """The goods did not come in time."""


@dataclass(frozen=True)
class CloseReturn:
    """The goods are here, and what they are worth is paid back."""


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
    unattended = _unattended(facts, running)
    if unattended:
        return unattended
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
    unattended = _unattended(facts, running)
    if unattended:
        return unattended
    if facts.surplus_payments:
        return Release(facts.surplus_payments[0])
    if running or facts.holds:
        return _wait(facts, now)
    return End()


def _unattended(facts: OrderFacts, running: Collection[str]) -> StartShipments | None:
    """Parcels to be packed, watched, or whose label is to be given back."""
    parcels = tuple(
        s.shipment_id for s in facts.shipments if s.shipment_id not in running
    )
    return StartShipments(parcels) if parcels else None


def _overdue_hold(
    holds: Collection[OpenHold], now: datetime
) -> Remind | ExpireHold | None:
    for hold in holds:
        if hold.due_at is not None and hold.due_at <= now and not hold.escalated:
            return ExpireHold(hold.hold_id)
        if hold.remind_at is not None and hold.remind_at <= now and not hold.reminded:
            return Remind(hold.hold_id)
    return None


def _wait(facts: OrderFacts, now: datetime) -> Wait:
    ahead = facts.renew_at is not None and facts.renew_at > now
    return _wait_for_people(facts.holds, facts.renew_at if ahead else None)


def _wait_for_people(holds: Collection[OpenHold], *others: datetime | None) -> Wait:
    moments = list(others)
    for hold in holds:
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


@dataclass(frozen=True)
class ReturnScreening:
    """What is known about a return when it is asked for. `value` in minor units."""

    value: int
    recent_returns: int
    """Returns of the customer within `ReturnLimits.recent_window`."""


@dataclass(frozen=True)
class ReturnLimits:
    """Up to these a return is approved at once."""

    value: int = 50_000
    recent_returns: int = 5
    recent_window: timedelta = timedelta(days=90)


def screen_return(asked: ReturnScreening, limits: ReturnLimits) -> tuple[str, ...]:
    """The reasons why a person should look at a return; none for most."""
    findings = {
        "value-over-limit": asked.value > limits.value,
        "many-returns": asked.recent_returns >= limits.recent_returns,
    }
    return tuple(name for name, found in findings.items() if found)


def needs_second_person(amount: int, limit: int) -> bool:
    """Whether somebody who gives back `amount` needs another one's word. Minor
    units; a limit of zero means always."""
    return amount > limit


# ── times ───────────────────────────────────────────────────────────────────────

APPROVAL_DUE = timedelta(hours=72)
APPROVAL_BEFORE_CAPTURE = timedelta(hours=24)
"""An approval that comes later than this before the authorisation ends is too late."""
STOCK_DUE = timedelta(days=7)
PAYMENT_DUE = timedelta(hours=72)
ADDRESS_DUE = timedelta(days=7)
DELIVERY_DUE = timedelta(days=2)
REFUND_DUE = timedelta(days=2)
RETURN_WINDOW = timedelta(days=30)
"""How long after its delivery a parcel's goods may be sent back."""
RETURN_DUE = timedelta(days=21)
"""How long the goods of an approved return are awaited."""
RETURN_REMINDED_EVERY = timedelta(days=7)
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


# ── the next step of a refund ───────────────────────────────────────────────────

RefundStep = AskProvider | Remind | ExpireHold | Wait | End


def next_refund_step(facts: RefundFacts, now: datetime) -> RefundStep:
    overdue = _overdue_hold(facts.holds, now)
    if overdue is not None:
        return overdue
    if facts.holds:
        return _wait_for_people(facts.holds)
    return AskProvider() if facts.to_settle else End()


# ── the next step of a return ───────────────────────────────────────────────────

ReturnStep = (
    ArrangeReturn
    | RemindOfReturn
    | ExpireReturn
    | StartRefunds
    | CloseReturn
    | Remind
    | ExpireHold
    | Wait
    | End
)


def next_return_step(facts: ReturnFacts, refunding: bool, now: datetime) -> ReturnStep:
    """What a return needs next; `refunding` while its refund is under way."""
    overdue = _overdue_hold(facts.holds, now)
    if overdue is not None:
        return overdue
    match facts.status:
        case ReturnStatus.REQUESTED:
            return _wait_for_people(facts.holds)
        case ReturnStatus.APPROVED:
            return _await_goods(facts, now)
        case ReturnStatus.RECEIVED if refunding:
            return Wait()
        case ReturnStatus.RECEIVED:
            return StartRefunds((facts.refund,)) if facts.refund else CloseReturn()
    return End()


def _await_goods(facts: ReturnFacts, now: datetime) -> ReturnStep:
    if facts.due_at is None:
        return ArrangeReturn()
    if facts.due_at <= now:
        return ExpireReturn()
    if facts.remind_at is not None and facts.remind_at <= now:
        return RemindOfReturn()
    return _wait_for_people(facts.holds, facts.remind_at, facts.due_at)


# ── the next step of a shipment ─────────────────────────────────────────────────


def shipment_ended(facts: ShipmentFacts) -> bool:
    """A cancelled parcel has not ended while its label is still valid."""
    return facts.status.final and not facts.to_void


# ── where a parcel is ───────────────────────────────────────────────────────────

DELIVERED = "delivered"
TRACKING_RANK = {
    "unknown": 0,
    "pre_transit": 1,
    "in_transit": 2,
    "out_for_delivery": 3,
    "available_for_pickup": 3,
    "failure": 4,
    "lost": 5,
    "return_to_sender": 6,
    DELIVERED: 7,
}
"""How far along a parcel is, by a carrier's words (EasyPost's)."""


def is_news(
    status: str, at: datetime, seen: str | None, seen_at: datetime | None
) -> bool:
    """Whether a scan says more than what was seen before: it is later, or at the same
    moment further along. Delivered is delivered, whatever the clocks say."""
    if seen is None or seen_at is None:
        return True
    if DELIVERED in (seen, status):
        return seen != DELIVERED
    return (at, _rank(status)) > (seen_at, _rank(seen))


def is_under_way(status: str) -> bool:
    """The carrier has the parcel in hand, or had."""
    return _rank(status) >= TRACKING_RANK["in_transit"]


def _rank(status: str) -> int:
    return TRACKING_RANK.get(status, 0)
