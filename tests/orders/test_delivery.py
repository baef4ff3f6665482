"""When a parcel does not just arrive: what a person is asked, and what they decide."""

from datetime import UTC, datetime, timedelta

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import MoneyStatus, OrderStatus, ShipmentStatus
from shared.contracts.orders.workflows import Order
from shared.database.orders.snapshot import OrderSnapshot
from worker.orders.nudger import Nudger
from worker.orders.shipment.policy import PARCEL_LOST_AFTER, SCAN_DUE, is_news

from tests.support.returns import receive, send_back
from tests.support.shop import (
    PRICES,
    Refused,
    Shop,
    When,
    has_no_hold,
    has_parcel,
    has_status,
)

DELIVERY = HoldReason.DELIVERY
MORNING = datetime(2026, 3, 2, 8, tzinfo=UTC)
NOON = MORNING + timedelta(hours=4)


# ── what is news ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "at", "seen", "seen_at", "news"),
    [
        ("in_transit", MORNING, None, None, True),
        ("in_transit", NOON, "in_transit", MORNING, True),
        ("in_transit", MORNING, "in_transit", MORNING, False),
        ("in_transit", MORNING, "out_for_delivery", NOON, False),
        ("out_for_delivery", MORNING, "in_transit", MORNING, True),
        ("in_transit", MORNING, "out_for_delivery", MORNING, False),
        ("in_transit", NOON, "failure", MORNING, True),
        ("delivered", MORNING, "out_for_delivery", NOON, True),
        ("return_to_sender", NOON, "delivered", MORNING, True),
        ("return_to_sender", MORNING, "delivered", NOON, False),
        ("in_transit", NOON, "delivered", MORNING, False),
        ("delivered", MORNING, "return_to_sender", NOON, False),
        ("delivered", NOON, "return_to_sender", MORNING, True),
        ("delivered", NOON, "delivered", MORNING, False),
    ],
)
def test_a_scan_is_news_when_it_is_later_or_further(
    status: str, at: datetime, seen: str | None, seen_at: datetime | None, news: bool
) -> None:
    assert is_news(status, at, seen, seen_at) is news


async def test_a_late_scan_moves_nothing_back(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    shipment_id = await shop.shipped(order_id)
    await shop.scan(order_id, shipment_id, "out_for_delivery")
    await shop.until(order_id, has_been("out_for_delivery"))
    await report(shop, order_id, shipment_id, "in_transit", datetime.now(UTC))
    await report(shop, order_id, shipment_id, "failure", MORNING)
    order = await shop.until(order_id, has_been("in_transit"))
    assert not order.holds


async def test_a_parcel_that_is_scanned_has_left(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    shipment_id = await shop.pack(order_id)
    await shop.scan(order_id, shipment_id, "in_transit")
    order = await shop.until(order_id, has_parcel(ShipmentStatus.SHIPPED))
    assert order.lines[0].shipped == 1
    assert await shop.stock_of("TEA") == (0, 0)


# ── not seen for too long ───────────────────────────────────────────────────────────


async def test_a_number_that_another_parcel_has_is_refused(shop: Shop) -> None:
    first, second = [await shop.pack(await shop.confirmed(TEA=1)) for _ in range(2)]
    by_hand = {"carrier": "post", "tracking": "RX1"}
    await shop.post(f"/v1/shipments/{first}/ship", by_hand)
    with pytest.raises(Refused) as refused:
        await shop.post(f"/v1/shipments/{second}/ship", by_hand)
    assert refused.value.code == "duplicate-reference"
    await shop.ship(second)


async def test_two_days_without_a_scan_are_somebodys_business(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    shipment_id = await shop.shipped(order_id)
    await unseen_for(shop, shipment_id, SCAN_DUE)
    hold = await shop.held(order_id, DELIVERY)
    assert (hold.subject, hold.detail["cause"]) == (shipment_id, "no-scan")


async def test_a_scan_answers_the_question_where_the_parcel_is(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    shipment_id = await shop.shipped(order_id)
    await unseen_for(shop, shipment_id, SCAN_DUE)
    await shop.held(order_id, DELIVERY)
    await shop.scan(order_id, shipment_id, "in_transit")
    await shop.until(order_id, has_no_hold)


async def test_two_weeks_without_a_scan_mean_lost(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    shipment_id = await shop.shipped(order_id)
    await unseen_for(shop, shipment_id, SCAN_DUE)
    await shop.held(order_id, DELIVERY)
    await unseen_for(shop, shipment_id, PARCEL_LOST_AFTER)
    order = await shop.until(order_id, is_asked_about("lost"))
    assert order.shipment(shipment_id).status is ShipmentStatus.LOST
    assert order.status is OrderStatus.CONFIRMED


async def test_waiting_asks_again_later(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    shipment_id = await shop.shipped(order_id)
    await unseen_for(shop, shipment_id, SCAN_DUE)
    first = await shop.held(order_id, DELIVERY)
    await shop.decide(order_id, DELIVERY, "wait")
    again = await shop.held(order_id, DELIVERY)
    assert again.id != first.id
    assert again.due_at
    assert first.due_at
    assert again.due_at > first.due_at
    await shop.scan(order_id, shipment_id, "delivered")
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED


# ── not delivered ───────────────────────────────────────────────────────────────────


async def test_a_failed_attempt_is_asked_about_until_it_arrives(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    shipment_id = await shop.shipped(order_id)
    await shop.scan(order_id, shipment_id, "failure")
    hold = await shop.held(order_id, DELIVERY)
    assert hold.detail["cause"] == "attempt-failed"
    await shop.scan(order_id, shipment_id, "delivered")
    order = await shop.ended(order_id)
    assert (order.status, order.holds) == (OrderStatus.COMPLETED, ())


async def test_a_new_cause_takes_the_place_of_the_old_one(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    shipment_id = await shop.shipped(order_id)
    await shop.scan(order_id, shipment_id, "failure")
    await shop.until(order_id, is_asked_about("attempt-failed"))
    await shop.scan(order_id, shipment_id, "return_to_sender")
    order = await shop.until(order_id, is_asked_about("back-to-sender"))
    assert len(order.holds) == 1


async def test_a_lost_order_is_paid_back_with_its_shipping(shop: Shop) -> None:
    order_id = await lost(shop, TEA=2)
    await shop.decide(order_id, DELIVERY, "refund")
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED
    order = await shop.until(order_id, lambda o: o.refunded == o.total)
    (refund,) = order.refunds
    assert (refund.reason, refund.status) == ("lost", MoneyStatus.SUCCEEDED)
    assert await shop.stock_of("TEA") == (0, 0)


async def test_of_a_lost_parcel_only_its_own_goods_are_paid_back(shop: Shop) -> None:
    await shop.stock(at="berlin", TEA=1)
    await shop.stock(at="paris", MUG=1)
    order_id = await shop.place(TEA=1, MUG=1)
    await shop.delivered(order_id, at="paris")
    gone = await shop.shipped(order_id, at="berlin")
    await shop.scan(order_id, gone, "lost")
    await shop.decide(order_id, DELIVERY, "refund")
    order = await shop.until(order_id, lambda o: o.refunded)
    assert order.refunded == PRICES["TEA"]


async def test_lost_goods_are_sent_again_and_paid_once(shop: Shop) -> None:
    await shop.stock(TEA=2)
    order_id = await lost(shop, TEA=2)
    await shop.decide(order_id, DELIVERY, "reship")
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED
    assert order.captured == order.total
    assert [s.amount for s in order.shipments] == [order.total, 0]
    assert order.lines[0].shipped == 2
    assert await shop.stock_of("TEA") == (0, 0)


async def test_sending_again_what_is_not_there_waits_for_stock(shop: Shop) -> None:
    order_id = await lost(shop, TEA=1)
    await shop.decide(order_id, DELIVERY, "reship")
    await shop.held(order_id, HoldReason.STOCK)
    assert (await shop.events(order_id)).count("stock.reserved") == 1
    await shop.stock(TEA=1)
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    assert (order.status, order.captured) == (OrderStatus.COMPLETED, order.total)


async def test_goods_that_came_back_are_stock_again(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=2)
    shipment_id = await shop.shipped(order_id)
    await shop.scan(order_id, shipment_id, "return_to_sender")
    await shop.decide(order_id, DELIVERY, "refund")
    order = await shop.until(order_id, lambda o: o.refunded == o.total)
    assert order.shipment(shipment_id).status is ShipmentStatus.RETURNED
    assert order.lines[0].returned == 2
    assert await shop.stock_of("TEA") == (2, 0)


async def test_goods_that_came_back_are_sent_again(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=2)
    shipment_id = await shop.shipped(order_id)
    await shop.scan(order_id, shipment_id, "return_to_sender")
    await shop.decide(order_id, DELIVERY, "reship")
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED
    assert order.captured == order.total
    assert await shop.stock_of("TEA") == (0, 0)


# ── found ───────────────────────────────────────────────────────────────────────────


async def test_a_lost_parcel_that_is_found_has_arrived(shop: Shop) -> None:
    order_id = await lost(shop, TEA=1)
    await scan_the_parcel(shop, order_id, "delivered")
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED
    assert order.shipments[0].status is ShipmentStatus.DELIVERED


async def test_what_is_found_after_it_was_paid_back_is_not_paid_back_again(
    shop: Shop,
) -> None:
    order_id = await lost(shop, TEA=1)
    await shop.decide(order_id, DELIVERY, "refund")
    await shop.ended(order_id)
    await shop.until(order_id, lambda o: o.refunded == o.total)
    await scan_the_parcel(shop, order_id, "delivered")
    await shop.until(order_id, is_asked_about("found"))
    await shop.decide(order_id, DELIVERY, "refund")
    order = await shop.until(order_id, has_no_hold)
    assert (order.refunded, len(order.refunds)) == (order.total, 1)
    assert order.shipments[0].status is ShipmentStatus.DELIVERED


async def test_a_decision_whose_answer_was_lost_may_be_repeated(shop: Shop) -> None:
    order_id = await lost(shop, TEA=1)
    hold = await shop.held(order_id, DELIVERY)
    again = {"Idempotency-Key": "the-same"}
    path, body = f"/v1/holds/{hold.id}/release", {"decision": "refund", "note": "Lost"}
    await shop.post(path, body, **again)
    await shop.ended(order_id)
    await shop.until(order_id, lambda o: o.refunded == o.total)
    # As if the API had stopped before it noted its answer; the workflow is a new one.
    await shop.fetch("UPDATE idempotency_keys SET status = NULL WHERE key = 'the-same'")
    await start_anew(shop, order_id)
    await shop.post(path, body, **again)
    assert len((await shop.order(order_id)).refunds) == 1


async def test_what_has_arrived_is_not_sent_again(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await lost(shop, TEA=1)
    await shop.decide(order_id, DELIVERY, "reship")
    await scan_the_parcel(shop, order_id, "delivered")
    await shop.until(order_id, is_asked_about("found"))
    with pytest.raises(Refused) as refused:
        await shop.decide(order_id, DELIVERY, "reship")
    assert refused.value.code == "decision-not-allowed"


# ── what a carrier claims ───────────────────────────────────────────────────────────


async def test_what_was_said_to_be_delivered_may_come_back(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=2)
    shipment_id = await shop.shipped(order_id)
    await shop.scan(order_id, shipment_id, "delivered")
    await shop.ended(order_id)
    await shop.scan(order_id, shipment_id, "return_to_sender")
    await shop.until(order_id, is_asked_about("back-to-sender"))
    await shop.decide(order_id, DELIVERY, "refund")
    order = await shop.until(order_id, lambda o: o.refunded == o.total)
    assert order.status is OrderStatus.COMPLETED
    assert order.shipment(shipment_id).status is ShipmentStatus.RETURNED
    assert order.lines[0].returned == 2
    assert await shop.stock_of("TEA") == (2, 0)


async def test_of_what_comes_back_a_return_has_its_own_part(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=2)
    shipment_id = await shop.shipped(order_id)
    await shop.scan(order_id, shipment_id, "delivered")
    await shop.ended(order_id)
    asked = await send_back(shop, order_id, {1: 1})
    await shop.scan(order_id, shipment_id, "return_to_sender")
    await shop.decide(order_id, DELIVERY, "refund")
    await receive(shop, asked["id"], {1: 1})
    order = await shop.until(order_id, lambda o: o.refunded == o.total)
    assert order.lines[0].returned == 2
    assert await shop.stock_of("TEA") == (2, 0)


# ── cancelled, and left all the same ────────────────────────────────────────────────


async def test_a_cancelled_parcel_that_left_is_shipped(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=2)
    shipment_id = await shop.pack(order_id)
    await shop.cancel(order_id)
    order = await shop.ended(order_id)
    assert order.refunded == order.total
    await scan_the_parcel(shop, order_id, "in_transit")
    order = await shop.until(order_id, is_asked_about("scan-after-cancel"))
    assert order.status is OrderStatus.CANCELLED
    assert order.shipment(shipment_id).status is ShipmentStatus.SHIPPED
    assert (order.lines[0].cancelled, order.lines[0].shipped) == (0, 2)
    assert await shop.stock_of("TEA") == (0, 0)


async def test_its_arrival_does_not_settle_what_was_paid_back(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.pack(order_id)
    await shop.cancel(order_id)
    await shop.ended(order_id)
    await scan_the_parcel(shop, order_id, "delivered")
    await shop.until(order_id, has_parcel(ShipmentStatus.DELIVERED))
    await shop.decide(order_id, DELIVERY, "refund")
    order = await shop.until(order_id, has_no_hold)
    assert (order.refunded, len(order.refunds)) == (order.total, 1)


async def test_goods_planned_anew_are_not_sent_twice(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=2)
    first = await shop.pack(order_id)
    await shop.post(f"/v1/shipments/{first}/cancel", {})
    await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    await scan_the_parcel(shop, order_id, "in_transit")
    await shop.until(order_id, is_asked_about("scan-after-cancel"))
    await scan_the_parcel(shop, order_id, "delivered")
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED
    assert (order.captured, order.refunded) == (order.total, 0)
    assert {s.status for s in order.shipments} == {
        ShipmentStatus.DELIVERED,
        ShipmentStatus.CANCELLED,
    }
    assert await shop.stock_of("TEA") == (0, 0)


async def test_goods_that_are_packed_anew_keep_their_money(shop: Shop) -> None:
    """A parcel is cancelled, its goods are packed again, prepaid, and then it turns out
    to have left: what is promised beside them was not paid for by it."""
    await shop.stock(TEA=2, backorder=True)
    order_id = await shop.place(TEA=4)
    first = await shop.pack(order_id)
    await shop.post(f"/v1/shipments/{first}/cancel", {})
    again = await shop.pack(order_id)
    await shop.stock(TEA=2)
    await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    number = (await shop.order(order_id)).shipment(first).tracking
    await shop.carrier.scan(number, "in_transit")
    await shop.until(order_id, is_asked_about("scan-after-cancel"))
    await shop.decide(order_id, DELIVERY, "wait")
    await shop.ship(again)
    order = await shop.order(order_id)
    assert order.lines[0].shipped == 2
    await shop.shipped(order_id)
    order = await shop.order(order_id)
    assert (order.lines[0].shipped, order.captured) == (4, order.total)


async def test_stock_that_was_promised_to_others_is_a_discrepancy(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.pack(order_id)
    await shop.cancel(order_id)
    await shop.ended(order_id)
    other = await shop.place(TEA=1)
    await shop.until(other, has_status(OrderStatus.CONFIRMED))
    await scan_the_parcel(shop, order_id, "in_transit")
    await shop.until(order_id, is_asked_about("scan-after-cancel"))
    assert await shop.stock_of("TEA") == (1, 1)
    (found,) = await shop.fetch("SELECT kind, subject FROM discrepancies")
    assert (found.kind, found.subject) == ("stock-promised-twice", "TEA@berlin")


# ── telling ─────────────────────────────────────────────────────────────────────────


async def lost(shop: Shop, *, TEA: int) -> str:
    order_id = await shop.confirmed(TEA=TEA)
    shipment_id = await shop.shipped(order_id)
    await shop.scan(order_id, shipment_id, "lost")
    await shop.until(order_id, has_parcel(ShipmentStatus.LOST))
    return order_id


async def start_anew(shop: Shop, order_id: str) -> None:
    """As the sweep does with an order that has something left."""
    await Nudger(lambda: shop.client).start_order(order_id)
    await shop.ended(order_id)


async def scan_the_parcel(shop: Shop, order_id: str, status: str) -> None:
    """The one that has a number, whatever became of it."""
    order = await shop.order(order_id)
    (number,) = (s.tracking for s in order.shipments if s.tracking)
    await shop.carrier.scan(number, status)


async def report(
    shop: Shop, order_id: str, shipment_id: str, status: str, at: datetime
) -> None:
    """The carrier tells of a scan that was made `at` another time."""
    number = (await shop.order(order_id)).shipment(shipment_id).tracking
    scan = {"status": status, "occurred_at": at.isoformat()}
    answer = await shop.carrier.http.post(f"/v1/trackers/{number}/scan", json=scan)
    answer.raise_for_status()


async def unseen_for(shop: Shop, shipment_id: str, time: timedelta) -> None:
    """The parcel left so long ago, and was not seen since."""
    await shop.fetch(
        "UPDATE shipments SET shipped_at = now() - cast(:time AS interval),"
        " tracking_at = NULL WHERE id = :id",
        id=shipment_id,
        time=time + timedelta(hours=1),
    )
    (parcel,) = await shop.fetch(
        "SELECT order_id FROM shipments WHERE id = :id", id=shipment_id
    )
    await shop.workflow(parcel.order_id).signal(Order.nudge)


def is_asked_about(cause: str) -> When:
    def asked(order: OrderSnapshot) -> bool:
        return any(hold.detail.get("cause") == cause for hold in order.holds)

    return asked


def has_been(status: str) -> When:
    def seen(order: OrderSnapshot) -> bool:
        return any(s.tracking_status == status for s in order.shipments)

    return seen
