"""The rules of an order, case by case: facts on the left, what follows on the right."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from shared.contracts.orders.models import LiveShipment, OpenHold, OrderState
from shared.contracts.orders.states import HoldReason, OrderStatus, ShipmentStatus
from shared.database.ids import new_id
from worker.orders.hold.policy import ExpireHold, Remind, approval_due
from worker.orders.hold.screening import Limits, Screening, screen
from worker.orders.options import CLOCKS_APART
from worker.orders.order.policy import (
    Authorize,
    Complete,
    Confirm,
    OrderStep,
    PlanShipments,
    Release,
    Reserve,
    StartShipments,
    next_step,
)
from worker.orders.refund.policy import StartRefunds
from worker.runtime.level_triggered import End, Wait

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ORDER, PARCEL, PAYMENT = new_id("ord"), new_id("shp"), new_id("pay")
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


def parcel(status: ShipmentStatus) -> tuple[LiveShipment, ...]:
    return (LiveShipment(shipment_id=PARCEL, status=status),)


CONFIRMED, COMPLETED = OrderStatus.CONFIRMED, OrderStatus.COMPLETED
CANCELLED = OrderStatus.CANCELLED


@pytest.mark.parametrize(
    ("known", "step"),
    [
        (facts(allocated=False, uncovered=100), Reserve()),
        (facts(uncovered=100), Authorize()),
        (facts(authorizing=PAYMENT), Authorize()),
        (facts(), Confirm()),
        (facts(uncovered=100, holds=(hold(HoldReason.STOCK),)), Wait()),
        (facts(uncovered=100, holds=(hold(HoldReason.PAYMENT),)), Wait()),
        (facts(uncovered=100, holds=(hold(HoldReason.MANUAL),)), Authorize()),
        (facts(holds=(hold(HoldReason.APPROVAL),)), Wait()),
    ],
)
def test_a_placed_order_is_reserved_then_paid_then_confirmed(
    known: OrderState, step: OrderStep
) -> None:
    assert next_step(known, (), NOW) == step


@pytest.mark.parametrize(
    ("known", "step"),
    [
        (facts(CONFIRMED, unplanned=1), PlanShipments()),
        (facts(CONFIRMED, unplanned=1, holds=(hold(HoldReason.STOCK),)), Wait()),
        (facts(CONFIRMED, uncovered=1), Authorize()),
        (facts(CONFIRMED, uncovered=1, holds=(hold(HoldReason.STOCK),)), Wait()),
        (facts(CONFIRMED, surplus_payments=(PAYMENT,)), Release(PAYMENT)),
        (
            facts(CONFIRMED, shipments=parcel(ShipmentStatus.READY)),
            StartShipments((PARCEL,)),
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
    known: OrderState, step: OrderStep
) -> None:
    assert next_step(known, (), NOW) == step


@pytest.mark.parametrize(
    ("known", "step"),
    [
        (facts(COMPLETED), End()),
        (facts(COMPLETED, surplus_payments=(PAYMENT,)), Release(PAYMENT)),
        (facts(COMPLETED, holds=(hold(HoldReason.REFUND, REFUND),)), Wait()),
        (facts(CANCELLED), End()),
        (facts(CANCELLED, surplus_payments=(PAYMENT,)), Release(PAYMENT)),
        (facts(CANCELLED, pending_refunds=(REFUND,)), StartRefunds((REFUND,))),
        # What became of it must be known before it can be given back.
        (
            facts(CANCELLED, authorizing=PAYMENT, surplus_payments=(PAYMENT,)),
            Authorize(),
        ),
    ],
)
def test_an_order_that_is_over_ends_once_all_is_given_back(
    known: OrderState, step: OrderStep
) -> None:
    assert next_step(known, (), NOW) == step


def test_what_is_under_way_is_not_started_again() -> None:
    shipping = facts(CONFIRMED, shipments=parcel(ShipmentStatus.SHIPPED), open_units=0)
    refunding = facts(CANCELLED, pending_refunds=(REFUND,))
    assert next_step(shipping, {PARCEL}, NOW) == Wait()
    assert next_step(refunding, {REFUND}, NOW) == Wait()


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
def test_a_hold_reminds_and_then_ends(times: dict[str, Any], step: OrderStep) -> None:
    waiting = facts(holds=(hold(HoldReason.APPROVAL, **times),))
    assert next_step(waiting, (), NOW) == step


def test_a_hold_ends_after_a_payment_that_was_left_half_made() -> None:
    parcel = LiveShipment(shipment_id=PARCEL, status=ShipmentStatus.READY, paying=True)
    waiting = facts(
        CONFIRMED, shipments=(parcel,), holds=(hold(HoldReason.PAYMENT, due_at=NOW),)
    )
    assert next_step(waiting, (), NOW) == StartShipments((PARCEL,))
    assert next_step(waiting, {PARCEL}, NOW) == ExpireHold(HOLD)


def test_an_order_wakes_to_renew_its_authorisation() -> None:
    wakes = Wait(NOW + HOUR + CLOCKS_APART)
    assert next_step(facts(CONFIRMED, renew_at=NOW + HOUR), (), NOW) == wakes
    assert next_step(facts(CONFIRMED, renew_at=NOW - HOUR), (), NOW) == Wait()


def test_a_renewal_is_not_missed_where_the_workers_clock_is_behind() -> None:
    """By Temporal's clock it is due, but by the worker's it still covers the order."""
    due = facts(CONFIRMED, renew_at=NOW)
    assert next_step(due, (), NOW) == Wait(NOW + CLOCKS_APART)


@pytest.mark.parametrize(
    ("order", "findings"),
    [
        (Screening(1000, 3, 1, ships_abroad_of_billing=False), ()),
        (Screening(100_000, 3, 10, ships_abroad_of_billing=False), ()),
        (Screening(50_000, 0, 1, ships_abroad_of_billing=False), ()),
        (
            Screening(100_001, 3, 1, ships_abroad_of_billing=False),
            ("total-over-limit",),
        ),
        (
            Screening(50_001, 0, 1, ships_abroad_of_billing=False),
            ("new-customer-high-value",),
        ),
        (
            Screening(1000, 3, 1, ships_abroad_of_billing=True),
            ("ships-abroad-of-billing",),
        ),
        (Screening(1000, 3, 11, ships_abroad_of_billing=False), ("many-orders",)),
        (
            Screening(100_001, 0, 11, ships_abroad_of_billing=True),
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
    ("capture_before", "due_in_hours"),
    [(None, 72), (NOW + 200 * HOUR, 72), (NOW + 80 * HOUR, 56)],
)
def test_an_approval_comes_a_day_before_the_authorisation_ends(
    capture_before: datetime | None, due_in_hours: int
) -> None:
    assert approval_due(NOW, capture_before) == NOW + due_in_hours * HOUR
