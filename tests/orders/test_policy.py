"""The rules of an order: its state on the left, what follows on the right."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from shared.contracts.money import parse_limit
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.payloads import (
    OpenHold,
    OrderState,
    ParcelState,
    RefundState,
)
from shared.contracts.orders.states import MoneyStatus, OrderStatus, ShipmentStatus
from shared.database.ids import new_id
from worker.orders.hold.policy import ExpireHold, Remind, approval_due
from worker.orders.hold.screening import Limits, Screening, screen
from worker.orders.options import CLOCKS_APART
from worker.orders.order.policy import (
    AskRefund,
    AtProviders,
    Authorize,
    BuyLabel,
    Capture,
    CarryOutCancel,
    Complete,
    Confirm,
    MissScan,
    OrderStep,
    PlanShipments,
    ProviderStep,
    Release,
    TakeApart,
    VoidLabel,
    next_step,
)
from worker.runtime.level_triggered import End, Wait

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ORDER, PARCEL, PAYMENT = new_id("ord"), new_id("shp"), new_id("pay")
OTHER = new_id("shp")
HOLD, REFUND = new_id("hld"), new_id("ref")


def facts(status: OrderStatus = OrderStatus.PLACED, **changed: Any) -> OrderState:
    """An order with nothing left to do on its way to what comes after `status`."""
    settled: dict[str, Any] = {
        "order_id": ORDER,
        "status": status,
        "allocated": True,
        "short": 0,
        "unplanned": 0,
        "open_units": 0 if status.final else 1,
        "uncovered": 0,
    }
    return OrderState(**(settled | changed))


def hold(reason: HoldReason, subject: str = ORDER, **changed: Any) -> OpenHold:
    return OpenHold(hold_id=HOLD, reason=reason, subject=subject, **changed)


def parcel(
    status: ShipmentStatus = ShipmentStatus.READY,
    shipment: str = PARCEL,
    **changed: Any,
) -> ParcelState:
    return ParcelState(shipment_id=shipment, status=status, **changed)


def refund(**changed: Any) -> RefundState:
    settled: dict[str, Any] = {"to_settle": True, "on_hold": False}
    return RefundState(
        refund_id=REFUND, status=MoneyStatus.PENDING, **(settled | changed)
    )


def at(*steps: ProviderStep) -> AtProviders:
    return AtProviders(steps)


def step_of(known: OrderState, *busy: str) -> OrderStep | Wait | End:
    return next_step(known, busy, {}, NOW)


CONFIRMED, COMPLETED = OrderStatus.CONFIRMED, OrderStatus.COMPLETED
CANCELLED = OrderStatus.CANCELLED


@pytest.mark.parametrize(
    ("known", "step"),
    [
        (facts(allocated=False, uncovered=100), at(Authorize())),
        (facts(uncovered=100), at(Authorize())),
        (facts(authorizing=PAYMENT), at(Authorize())),
        (facts(), Confirm()),
        (facts(uncovered=100, holds=(hold(HoldReason.STOCK),)), Wait()),
        (facts(uncovered=100, holds=(hold(HoldReason.PAYMENT),)), Wait()),
        (facts(uncovered=100, holds=(hold(HoldReason.MANUAL),)), at(Authorize())),
        (facts(holds=(hold(HoldReason.APPROVAL),)), Wait()),
    ],
)
def test_a_placed_order_is_reserved_then_paid_then_confirmed(
    known: OrderState, step: OrderStep | Wait | End
) -> None:
    assert step_of(known) == step


@pytest.mark.parametrize(
    ("known", "step"),
    [
        (facts(CONFIRMED, unplanned=1), PlanShipments()),
        (facts(CONFIRMED, unplanned=1, holds=(hold(HoldReason.STOCK),)), Wait()),
        (facts(CONFIRMED, uncovered=1), at(Authorize())),
        (facts(CONFIRMED, uncovered=1, holds=(hold(HoldReason.STOCK),)), Wait()),
        (facts(CONFIRMED, surplus_payments=(PAYMENT,)), at(Release(PAYMENT))),
        (facts(CONFIRMED, parcels=(parcel(),)), Wait()),
        (facts(CONFIRMED, parcels=(parcel(payable=True),)), at(Capture(PARCEL))),
        (facts(CONFIRMED, parcels=(parcel(labellable=True),)), at(BuyLabel(PARCEL))),
        (
            facts(
                CONFIRMED,
                open_units=0,
                parcels=(parcel(ShipmentStatus.SHIPPED, watch_until=NOW + HOUR),),
            ),
            Wait(NOW + HOUR),
        ),
        (
            facts(
                CONFIRMED,
                open_units=0,
                parcels=(parcel(ShipmentStatus.SHIPPED, watch_until=NOW),),
            ),
            MissScan(PARCEL),
        ),
        (
            facts(
                CONFIRMED,
                unplanned=1,
                holds=(hold(HoldReason.DELIVERY, subject=PARCEL),),
            ),
            PlanShipments(),
        ),
        (facts(CONFIRMED), Wait()),
        (
            facts(CONFIRMED, open_units=0, holds=(hold(HoldReason.DELIVERY, PARCEL),)),
            Wait(),
        ),
        (facts(CONFIRMED, open_units=0), Complete()),
    ],
)
def test_a_confirmed_order_is_shipped_then_completed(
    known: OrderState, step: OrderStep | Wait | End
) -> None:
    assert step_of(known) == step


@pytest.mark.parametrize(
    ("known", "step"),
    [
        (facts(COMPLETED), End()),
        (facts(COMPLETED, surplus_payments=(PAYMENT,)), at(Release(PAYMENT))),
        (facts(COMPLETED, holds=(hold(HoldReason.REFUND, REFUND),)), Wait()),
        (facts(CANCELLED), End()),
        (facts(CANCELLED, surplus_payments=(PAYMENT,)), at(Release(PAYMENT))),
        (facts(CANCELLED, refunds=(refund(),)), at(AskRefund(REFUND))),
        (facts(CANCELLED, refunds=(refund(on_hold=True),)), Wait()),
        (
            facts(
                CANCELLED,
                parcels=(parcel(ShipmentStatus.CANCELLED, to_void=True),),
            ),
            at(VoidLabel(PARCEL)),
        ),
        # What became of it must be known before it can be given back.
        (
            facts(CANCELLED, authorizing=PAYMENT, surplus_payments=(PAYMENT,)),
            at(Authorize()),
        ),
    ],
)
def test_an_order_that_is_over_ends_once_all_is_given_back(
    known: OrderState, step: OrderStep | Wait | End
) -> None:
    assert step_of(known) == step


def test_what_is_at_a_provider_is_not_sent_again() -> None:
    paying = facts(CONFIRMED, parcels=(parcel(paying=True),))
    refunding = facts(CANCELLED, refunds=(refund(),))
    assert step_of(paying, PARCEL) == Wait()
    assert step_of(refunding, REFUND) == Wait()
    assert step_of(facts(CANCELLED), "order") == Wait()


def test_parcels_go_side_by_side_but_are_paid_one_after_the_other() -> None:
    two = (parcel(paying=True), parcel(shipment=OTHER, payable=True))
    labels = (parcel(labellable=True), parcel(shipment=OTHER, payable=True))
    assert step_of(facts(CONFIRMED, parcels=two)) == at(Capture(PARCEL))
    both = (parcel(payable=True), parcel(shipment=OTHER, payable=True))
    assert step_of(facts(CONFIRMED, parcels=both)) == at(Capture(PARCEL))
    assert step_of(facts(CONFIRMED, parcels=two), PARCEL) == Wait()
    assert step_of(facts(CONFIRMED, parcels=labels)) == at(
        BuyLabel(PARCEL), Capture(OTHER)
    )


def test_a_cancellation_waits_for_what_is_being_paid_and_for_nothing_else() -> None:
    paying = (parcel(paying=True), parcel(shipment=OTHER, payable=True))
    paid = (parcel(labellable=True), parcel(shipment=OTHER, payable=True))
    waits = facts(CONFIRMED, cancel_wanted=True, parcels=paying)
    assert step_of(waits) == at(Capture(PARCEL))
    assert step_of(waits, PARCEL) == Wait()
    assert step_of(waits.model_copy(update={"parcels": paid})) == CarryOutCancel()


def test_a_parcel_is_taken_apart_once_its_payment_is_known() -> None:
    paying = facts(CONFIRMED, parcels=(parcel(paying=True, cancel_wanted=True),))
    paid = facts(CONFIRMED, parcels=(parcel(cancel_wanted=True),))
    assert step_of(paying) == at(Capture(PARCEL))
    assert step_of(paid) == TakeApart(PARCEL)


def test_a_slow_refund_is_asked_for_again_in_an_hour() -> None:
    slow = facts(CANCELLED, refunds=(refund(),))
    assert next_step(slow, (), {REFUND: NOW}, NOW) == Wait(NOW + HOUR)
    assert next_step(slow, (), {REFUND: NOW - HOUR}, NOW) == at(AskRefund(REFUND))


@pytest.mark.parametrize(
    ("times", "step"),
    [
        ({"remind_at": NOW, "due_at": NOW + HOUR}, Remind(HOLD)),
        ({"remind_at": NOW - HOUR, "due_at": NOW}, ExpireHold(HOLD)),
        (
            {"remind_at": NOW + HOUR, "due_at": NOW + 2 * HOUR},
            Wait(NOW + HOUR),
        ),
        (
            {"remind_at": NOW - HOUR, "reminded": True, "due_at": NOW + HOUR},
            Wait(NOW + HOUR),
        ),
        ({"due_at": NOW, "escalated": True}, Wait()),
    ],
)
def test_a_hold_reminds_and_then_ends(
    times: dict[str, Any], step: OrderStep | Wait
) -> None:
    waiting = facts(holds=(hold(HoldReason.APPROVAL, **times),))
    assert step_of(waiting) == step


def test_a_hold_does_not_end_while_a_cancellation_waits() -> None:
    """What silence means may be another one."""
    waiting = facts(
        CONFIRMED,
        cancel_wanted=True,
        parcels=(parcel(paying=True),),
        holds=(hold(HoldReason.PAYMENT, due_at=NOW),),
    )
    assert step_of(waiting, PARCEL) == Wait(NOW)


def test_an_order_wakes_to_renew_its_authorisation() -> None:
    wakes = Wait(NOW + HOUR + CLOCKS_APART)
    assert step_of(facts(CONFIRMED, renew_at=NOW + HOUR)) == wakes
    assert step_of(facts(CONFIRMED, renew_at=NOW - HOUR)) == Wait()


def test_a_renewal_is_not_missed_where_the_workers_clock_is_behind() -> None:
    """By Temporal's clock it is due, but by the worker's it still covers the order."""
    due = facts(CONFIRMED, renew_at=NOW)
    assert step_of(due) == Wait(NOW + CLOCKS_APART)


@pytest.mark.parametrize(
    ("order", "findings"),
    [
        (Screening(1000, "EUR", 3, 1, ships_abroad_of_billing=False), ()),
        (Screening(100_000, "EUR", 3, 10, ships_abroad_of_billing=False), ()),
        (Screening(50_000, "EUR", 0, 1, ships_abroad_of_billing=False), ()),
        (
            Screening(100_001, "EUR", 3, 1, ships_abroad_of_billing=False),
            ("total-over-limit",),
        ),
        (
            Screening(50_001, "EUR", 0, 1, ships_abroad_of_billing=False),
            ("new-customer-high-value",),
        ),
        (
            Screening(1000, "EUR", 3, 1, ships_abroad_of_billing=True),
            ("ships-abroad-of-billing",),
        ),
        (
            Screening(1000, "EUR", 3, 11, ships_abroad_of_billing=False),
            ("many-orders",),
        ),
        (
            Screening(100_001, "EUR", 0, 11, ships_abroad_of_billing=True),
            (
                *("total-over-limit", "new-customer-high-value"),
                *("ships-abroad-of-billing", "many-orders"),
            ),
        ),
    ],
)
def test_an_order_is_screened(order: Screening, findings: tuple[str, ...]) -> None:
    assert screen(order, Limits()) == findings


@pytest.mark.parametrize(
    ("total", "currency", "looked_at"),
    [
        (40_000_000, "HUF", False),
        (40_000_001, "HUF", True),
        (100_000, "EUR", False),
        # Not listed: the first number counts, in its own minor units.
        (100_001, "JPY", True),
        (100_001, "KWD", True),
    ],
)
def test_a_limit_is_one_of_its_currency(
    total: int, currency: str, looked_at: bool
) -> None:
    limits = Limits(total=parse_limit("100000 HUF=40000000"))
    order = Screening(total, currency, 3, 1, ships_abroad_of_billing=False)
    assert (screen(order, limits) == ("total-over-limit",)) is looked_at


@pytest.mark.parametrize(
    "limit", ["", "EUR=1", "1 EUR", "1 EUR=1 EUR=2", "1 eur=1", "-1", "1.5", "1 EUR=-1"]
)
def test_what_is_no_limit_is_refused(limit: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_limit(limit)


@pytest.mark.parametrize(
    ("capture_before", "due_in_hours"),
    [(None, 72), (NOW + 200 * HOUR, 72), (NOW + 80 * HOUR, 56)],
)
def test_an_approval_comes_a_day_before_the_authorisation_ends(
    capture_before: datetime | None, due_in_hours: int
) -> None:
    assert approval_due(NOW, capture_before) == NOW + due_in_hours * HOUR
