"""A parcel has arrived, and a person says so: with a carrier that tells nothing, or
that tells something else."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ShipmentStatus
from worker.orders.shipment.state import parcel_states

from tests.conftest import Work
from tests.support.sampling import sampled
from tests.support.shop import Refused, Shop, has_no_hold, has_parcel

DELIVERY = HoldReason.DELIVERY


@pytest.fixture
async def by_hand(closed_shop: Shop, work: Work) -> AsyncIterator[Shop]:
    async with work(carrier="manual"):
        yield closed_shop


# ── nobody tracks it ────────────────────────────────────────────────────────────────


async def test_a_parcel_that_nobody_tracks_is_never_missed(by_hand: Shop) -> None:
    order_id = await by_hand.confirmed(TEA=1)
    await by_hand.shipped(order_id)
    (parcel,) = parcel_states(await by_hand.order(order_id), datetime.now(UTC))
    assert (parcel.status, parcel.watch_until) == (ShipmentStatus.SHIPPED, None)


async def test_an_order_by_hand_is_completed_and_may_come_back(by_hand: Shop) -> None:
    order_id = await by_hand.confirmed(TEA=1)
    shipment_id = await by_hand.shipped(order_id)
    await by_hand.deliver(shipment_id)
    order = await by_hand.ended(order_id)
    assert order.status is OrderStatus.COMPLETED
    assert "shipment.delivered" in await by_hand.events(order_id)
    body = {"lines": [{"line": 1, "quantity": 1, "reason": "does-not-fit"}]}
    back = await by_hand.post(f"/v1/orders/{order_id}/returns", body)
    assert back["status"] == "approved"


async def test_it_is_noted_when_it_arrived(by_hand: Shop) -> None:
    order_id = await by_hand.confirmed(TEA=1)
    shipment_id = await by_hand.shipped(order_id)
    shipped_at = (await by_hand.order(order_id)).shipments[0].shipped_at
    assert shipped_at
    for at, code in (
        (shipped_at - timedelta(days=1), "wrong-state"),
        (shipped_at + timedelta(days=1), "validation"),
    ):
        with pytest.raises(Refused) as refused:
            await by_hand.deliver(shipment_id, at=at.isoformat())
        assert refused.value.code == code
    await by_hand.deliver(shipment_id, at=shipped_at.isoformat())
    assert (await by_hand.order(order_id)).shipments[0].delivered_at == shipped_at


async def test_what_has_not_left_cannot_arrive(by_hand: Shop) -> None:
    order_id = await by_hand.confirmed(TEA=1)
    shipment_id = await by_hand.pack(order_id)
    with pytest.raises(Refused) as refused:
        await by_hand.deliver(shipment_id)
    assert refused.value.code == "wrong-state"


# ── the carrier tells something else ────────────────────────────────────────────────


async def asked_about(shop: Shop, scan: str) -> tuple[str, str]:
    order_id = await shop.confirmed(TEA=1)
    shipment_id = await shop.shipped(order_id)
    await shop.scan(order_id, shipment_id, scan)
    await shop.held(order_id, DELIVERY)
    return order_id, shipment_id


@pytest.mark.parametrize(
    "scan", sampled(["failure", "lost", "return_to_sender"], "lost")
)
async def test_a_person_knows_better_than_the_carrier(shop: Shop, scan: str) -> None:
    order_id, _ = await asked_about(shop, scan)
    await shop.decide(order_id, DELIVERY, "delivered")
    order = await shop.ended(order_id)
    assert (order.status, order.holds) == (OrderStatus.COMPLETED, ())
    assert order.shipments[0].status is ShipmentStatus.DELIVERED
    assert order.refunded == 0


async def test_a_delivery_that_somebody_records_answers_the_question(
    shop: Shop,
) -> None:
    order_id, shipment_id = await asked_about(shop, "failure")
    await shop.deliver(shipment_id)
    order = await shop.ended(order_id)
    assert (order.status, order.holds) == (OrderStatus.COMPLETED, ())


async def test_what_was_sent_again_meanwhile_is_asked_about(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id, shipment_id = await asked_about(shop, "lost")
    await shop.decide(order_id, DELIVERY, "reship")
    await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    await shop.deliver(shipment_id)
    hold = await shop.held(order_id, DELIVERY)
    assert hold.detail["cause"] == "found"
    await shop.decide(order_id, DELIVERY, "delivered")
    order = await shop.until(order_id, has_no_hold)
    assert order.shipment(shipment_id).status is ShipmentStatus.DELIVERED
