"""Disputes: heard of, held until the evidence is due, and their end in the books."""

from typing import Any

import pytest
from shared.contracts.orders.states import HoldReason, OrderStatus, ShipmentStatus

from tests.support.shop import Refused, Shop, has_hold, has_parcel

DISPUTED = "pm_card_createDispute"


def no_hold(order: Any) -> bool:
    return order.hold(HoldReason.DISPUTE) is None


async def test_a_parcel_that_is_disputed_before_it_left_stays(shop: Shop) -> None:
    order_id = await shop.confirmed(DISPUTED, TEA=1)
    parcel = await shop.pack(order_id)
    hold = await shop.held(order_id, HoldReason.DISPUTE)
    assert hold.due_at is not None
    assert (hold.detail["cause"], hold.detail["status"]) == (
        "fraudulent",
        "needs_response",
    )
    with pytest.raises(Refused) as refused:
        await shop.ship(parcel)
    assert refused.value.code == "on-hold"
    order = await shop.order(order_id)
    assert (order.payments[0].disputed, order.refundable) == (order.total, 0)
    await shop.decide(order_id, HoldReason.DISPUTE, "release", by="finance")
    await shop.ship(parcel)


async def test_a_dispute_that_is_won_leaves_no_trace_in_the_books(shop: Shop) -> None:
    order_id = await shop.confirmed(DISPUTED, TEA=1)
    await shop.pack(order_id)
    hold = await shop.held(order_id, HoldReason.DISPUTE)
    await shop.payments.decide_dispute(hold.detail["dispute"], won=True)
    order = await shop.until(order_id, no_hold)
    assert (order.payments[0].disputed, order.refundable) == (0, order.total)
    assert "dispute.won" in await shop.events(order_id)
    await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))


async def test_a_dispute_that_is_lost_is_money_that_is_gone(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    await shop.payments.dispute(order.payments[0].provider_ref)
    hold = await shop.held(order_id, HoldReason.DISPUTE)
    (listed,) = (await shop.get("/v1/disputes", open=True, order=order_id))["data"]
    assert (
        listed["withdrawn"]
        == listed["amount"]
        == {
            "amount": order.total,
            "currency": "EUR",
        }
    )
    await shop.payments.decide_dispute(hold.detail["dispute"], won=False)
    after = await shop.until(order_id, no_hold)
    assert (after.refunded, after.refundable) == (after.total, 0)
    assert (await shop.ended(order_id)).status is OrderStatus.COMPLETED
    assert (await shop.get("/v1/disputes", open=True))["data"] == []
    (lost,) = (await shop.get("/v1/disputes", open=False))["data"]
    assert (lost["id"], lost["status"]) == (hold.detail["dispute"], "lost")


async def test_an_inquiry_takes_no_money(shop: Shop) -> None:
    order_id = await shop.confirmed("pm_card_createDisputeInquiry", TEA=1)
    await shop.pack(order_id)
    order = await shop.until(order_id, has_hold(HoldReason.DISPUTE))
    assert order.payments[0].disputed == 0


async def test_an_order_that_is_disputed_can_be_cancelled_and_lost(shop: Shop) -> None:
    order_id = await shop.confirmed(DISPUTED, TEA=1)
    await shop.pack(order_id)
    hold = await shop.held(order_id, HoldReason.DISPUTE)
    await shop.payments.decide_dispute(hold.detail["dispute"], won=False)
    await shop.until(order_id, lambda order: order.refunded)
    await shop.decide(order_id, HoldReason.DISPUTE, "cancel", by="finance")
    order = await shop.ended(order_id)
    assert (order.status, order.refunds) == (OrderStatus.CANCELLED, ())
