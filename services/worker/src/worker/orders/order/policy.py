"""The next steps of an order, its parcels and the refunds of its cancellations.

A step in PostgreSQL is taken before anything else, one at a time. Steps at a provider
are taken side by side, one for each subject: what orders them is said here, not by a
lock, which would die with the workflow's run.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.base import PaymentId, RefundId, ShipmentId
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.payloads import OrderState
from shared.contracts.orders.states import OrderStatus

from worker.orders.hold.policy import (
    ExpireHold,
    Remind,
    overdue_hold,
    wait_for_people,
)
from worker.orders.options import CLOCKS_APART
from worker.orders.refund.policy import ASK_AGAIN_AFTER
from worker.runtime.level_triggered import End, Wait

MONEY_HOLDS = frozenset({HoldReason.PAYMENT, HoldReason.DIFFERENCE, HoldReason.DISPUTE})
"""While one of these is open, no further money is requested."""

LastAsked = Mapping[RefundId, datetime]
"""When this run last asked the provider how far each refund is."""


# ── in PostgreSQL ───────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Confirm:
    """Screen the order and promise it to the customer."""


@dataclass(frozen=True)
class PlanShipments:
    """Turn reservations into parcels."""


@dataclass(frozen=True)
class CarryOutCancel:
    """Carry out a cancellation that waited for a parcel's capture."""


@dataclass(frozen=True)
class CancelOnRequest:
    """Somebody cancelled the workflow itself, at the Temporal server."""


@dataclass(frozen=True)
class TakeApart:
    """Carry out the cancellation of one parcel that waited for its capture."""

    shipment: ShipmentId


@dataclass(frozen=True)
class MissScan:
    shipment: ShipmentId


@dataclass(frozen=True)
class Complete:
    """All goods have arrived or were written off."""


# ── at a provider ───────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Authorize:
    """Reserve stock, then cover the amount that is still to be captured."""


@dataclass(frozen=True)
class Release:
    """Give back an authorisation that nobody needs."""

    payment: PaymentId


@dataclass(frozen=True)
class Capture:
    shipment: ShipmentId


@dataclass(frozen=True)
class BuyLabel:
    shipment: ShipmentId


@dataclass(frozen=True)
class VoidLabel:
    shipment: ShipmentId


@dataclass(frozen=True)
class AskRefund:
    """Ask the provider for the refund, or how far it is."""

    refund: RefundId


LocalStep = (
    CancelOnRequest
    | Confirm
    | PlanShipments
    | CarryOutCancel
    | TakeApart
    | MissScan
    | Complete
    | Remind
    | ExpireHold
)
ProviderStep = Authorize | Release | Capture | BuyLabel | VoidLabel | AskRefund


@dataclass(frozen=True)
class AtProviders:
    """Steps that are due side by side."""

    steps: tuple[ProviderStep, ...]


OrderStep = LocalStep | AtProviders


def subject_of(step: ProviderStep) -> str:
    """The subject of a step; each subject has one step at a time."""
    match step:
        case Authorize() | Release():
            return "order"
        case AskRefund(refund):
            return refund
        case _:
            return step.shipment


def next_step(
    state: OrderState, busy: Collection[str], asked: LastAsked, now: datetime
) -> OrderStep | Wait | End:
    """What an order needs next. `busy` are the subjects whose step is at a provider."""
    local = _local_step(state, now)
    if local is not None:
        return local
    steps = _at_providers(state, asked, now)
    due = tuple(step for step in steps if subject_of(step) not in busy)
    if due:
        return AtProviders(due)
    if not busy and _is_over(state):
        return End()
    return _wait(state, asked, now)


# ── in PostgreSQL ───────────────────────────────────────────────────────────────


def _local_step(state: OrderState, now: datetime) -> LocalStep | None:
    refund_holds = [hold for refund in state.refunds for hold in refund.holds]
    overdue = overdue_hold([*state.holds, *refund_holds], now)
    # The default decision may be a cancellation, so a waiting one goes first.
    if overdue is not None and not state.cancel_wanted:
        return overdue
    if state.cancel_wanted and not _paying(state):
        return CarryOutCancel()
    for parcel in state.parcels:
        if parcel.cancel_wanted and not parcel.paying:
            return TakeApart(parcel.shipment_id)
        if parcel.watch_until is not None and parcel.watch_until <= now:
            return MissScan(parcel.shipment_id)
    if state.status is OrderStatus.PLACED and is_confirmable(state):
        return Confirm()
    if state.status is not OrderStatus.CONFIRMED:
        return None
    if state.unscreened:
        return Confirm()
    if state.unplanned and not _held(state):
        return PlanShipments()
    return Complete() if is_completable(state) else None


def is_confirmable(state: OrderState) -> bool:
    covered = not (state.uncovered or state.authorizing)
    return state.allocated and covered and not state.holds


def is_completable(state: OrderState) -> bool:
    return not (
        state.unplanned
        or state.uncovered
        or state.authorizing
        or state.surplus_payments
        or state.open_units
        or any(not parcel.status.final for parcel in state.parcels)
        or state.holds
    )


def _paying(state: OrderState) -> bool:
    return any(parcel.paying for parcel in state.parcels)


def _held(state: OrderState) -> set[HoldReason]:
    """The reasons for which the order itself is on hold."""
    return {hold.reason for hold in state.holds if hold.subject == state.order_id}


# ── at a provider ───────────────────────────────────────────────────────────────


def _at_providers(
    state: OrderState, asked: LastAsked, now: datetime
) -> Iterator[ProviderStep]:
    money = _money_step(state)
    if money is not None:
        yield money
    yield from _parcel_steps(state)
    for refund in state.refunds:
        last = asked.get(refund.refund_id)
        due = last is None or last + ASK_AGAIN_AFTER <= now
        if refund.to_settle and not refund.on_hold and due:
            yield AskRefund(refund.refund_id)


def _money_step(state: OrderState) -> Authorize | Release | None:
    if state.status.final:
        if state.authorizing:
            # Look it up, so that it can be released.
            return Authorize()
    elif _has_to_be_covered(state):
        return Authorize()
    if state.surplus_payments and state.status is not OrderStatus.PLACED:
        return Release(state.surplus_payments[0])
    return None


def _has_to_be_covered(state: OrderState) -> bool:
    if state.status is OrderStatus.PLACED and not state.allocated:
        return True
    wanted = bool(state.authorizing or (state.uncovered and not state.cancel_wanted))
    return wanted and not _held(state) & {HoldReason.STOCK, *MONEY_HOLDS}


def _parcel_steps(state: OrderState) -> Iterator[ProviderStep]:
    """One capture at a time: its price depends on what was captured before."""
    may_pay = not _paying(state) and not state.cancel_wanted
    for parcel in state.parcels:
        if parcel.paying or (parcel.payable and may_pay):
            may_pay = False
            yield Capture(parcel.shipment_id)
        elif parcel.to_void:
            yield VoidLabel(parcel.shipment_id)
        elif parcel.labellable:
            yield BuyLabel(parcel.shipment_id)


# ── waiting and ending ──────────────────────────────────────────────────────────


def _is_over(state: OrderState) -> bool:
    unsettled = any(refund.to_settle or refund.on_hold for refund in state.refunds)
    return (
        state.status.final and not state.holds and not state.parcels and not unsettled
    )


def _wait(state: OrderState, asked: LastAsked, now: datetime) -> Wait:
    renewal = state.renew_at and state.renew_at + CLOCKS_APART
    ahead = renewal is not None and renewal > now
    refunds = {refund.refund_id for refund in state.refunds}
    return wait_for_people(
        [*state.holds, *(hold for refund in state.refunds for hold in refund.holds)],
        renewal if ahead else None,
        *(parcel.watch_until for parcel in state.parcels),
        *(at + ASK_AGAIN_AFTER for refund, at in asked.items() if refund in refunds),
    )
