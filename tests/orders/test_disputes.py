"""Disputes: heard of, held until the evidence is due, and their end in the books."""

from functools import partial
from typing import Any

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import DisputeStatus, OrderStatus, ShipmentStatus
from shared.database.kernel.unit_of_work import Done
from worker.orders.payment import disputes
from worker.orders.ports import ProviderDispute
from worker.orders.store import OrderStore

from tests.support.returns import FINANCE, arrived, give_back
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


async def test_a_bank_that_takes_what_was_given_back_takes_it_twice(
    shop: Shop,
) -> None:
    """Our books stay true to what the customer paid; the rest is finance's."""
    order_id = await arrived(shop, TEA=1)
    await give_back(shop, order_id, amount=500, by=FINANCE)
    order = await shop.until(order_id, lambda order: order.refunded)
    (payment,) = order.payments
    await shop.payments.dispute(payment.provider_ref, amount=order.total)
    hold = await shop.held(order_id, HoldReason.DISPUTE)
    await shop.payments.decide_dispute(hold.detail["dispute"], won=False)
    after = await shop.until(order_id, no_hold)
    assert (after.refunded, after.refundable) == (after.total, 0)
    (found,) = (await shop.get("/v1/discrepancies"))["data"]
    assert found["kind"] == "dispute-exceeds-payment"
    sums = (found["detail"]["amount"], found["detail"]["booked"])
    assert sums == (order.total, order.total - 500)


async def test_a_dispute_in_another_currency_is_one_of_all_that_was_paid(
    shop: Shop,
) -> None:
    order_id = await arrived(shop, TEA=1)
    order = await shop.order(order_id)
    said = ProviderDispute(
        *("du_1", order.payments[0].provider_ref or "", 99_999, "USD"),
        status=DisputeStatus.LOST,
        reason="general",
        due_at=None,
    )
    record = partial(disputes.record, payment_id=order.payments[0].id, said=said)
    for _ in range(2):
        await OrderStore(shop.engine).change(order_id, record, Done)
    after = await shop.order(order_id)
    assert (after.refunded, after.refundable) == (after.total, 0)
