"""The next step of an order."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.base import PaymentId, ShipmentId
from shared.contracts.orders.models import LiveShipment, OrderState
from shared.contracts.orders.states import HoldReason, OrderStatus

from worker.orders.hold.policy import ExpireHold, Remind, overdue_hold, wait_for_people
from worker.orders.options import CLOCKS_APART
from worker.orders.refund.policy import StartRefunds
from worker.runtime.level_triggered import End, Wait


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
class Release:
    """Give back an authorisation that nobody needs."""

    payment: PaymentId


@dataclass(frozen=True)
class Complete:
    """All goods have arrived or were written off."""


OrderStep = (
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


MONEY_HOLDS = frozenset({HoldReason.PAYMENT, HoldReason.DIFFERENCE, HoldReason.DISPUTE})
"""While one of these is open, no other money is asked for."""


def next_step(facts: OrderState, running: Collection[str], now: datetime) -> OrderStep:
    """What an order needs next. `running` are the ids of the shipments and refunds
    whose workflows are under way."""
    half_paid = left_half_paid(facts, running)
    if half_paid is not None:
        return half_paid
    overdue = overdue_hold(facts.holds, now)
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


def left_half_paid(
    facts: OrderState, running: Collection[str]
) -> StartShipments | None:
    """Parcels whose payment a run before this one has begun. Nothing of the order can
    be cancelled until they have found out what became of it."""
    return _to_start((s for s in facts.shipments if s.paying), running)


def _toward_confirmation(facts: OrderState, now: datetime) -> OrderStep:
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
    facts: OrderState, running: Collection[str], now: datetime
) -> OrderStep:
    held = {hold.reason for hold in facts.holds if hold.subject == facts.order_id}
    if facts.unscreened:
        return Confirm()
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


def _cover(facts: OrderState, held: Collection[HoldReason], now: datetime) -> OrderStep:
    if not MONEY_HOLDS.isdisjoint(held):
        return _wait(facts, now)
    return Authorize()


def _undo(facts: OrderState, running: Collection[str], now: datetime) -> OrderStep:
    if facts.authorizing:
        return Authorize()  # finds out what became of it, so that it can be released
    return _settle(facts, running, now)


def _settle(facts: OrderState, running: Collection[str], now: datetime) -> OrderStep:
    unattended = _unattended(facts, running)
    if unattended:
        return unattended
    if facts.surplus_payments:
        return Release(facts.surplus_payments[0])
    if running or facts.holds:
        return _wait(facts, now)
    return End()


def _unattended(facts: OrderState, running: Collection[str]) -> StartShipments | None:
    """Parcels to be packed, watched, or whose label is to be given back."""
    return _to_start(facts.shipments, running)


def _to_start(
    shipments: Iterable[LiveShipment], running: Collection[str]
) -> StartShipments | None:
    parcels = tuple(s.shipment_id for s in shipments if s.shipment_id not in running)
    return StartShipments(parcels) if parcels else None


def _wait(facts: OrderState, now: datetime) -> Wait:
    renewal = facts.renew_at and facts.renew_at + CLOCKS_APART
    ahead = renewal is not None and renewal > now
    return wait_for_people(facts.holds, renewal if ahead else None)
