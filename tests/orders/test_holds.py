"""What waits for a person, and what each decision does."""

from collections.abc import Mapping

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ShipmentStatus

from tests.conftest import Work
from tests.support.shop import (
    ADDRESS,
    SHIPPING,
    UNKNOWN_TO_THE_CARRIER,
    Refused,
    Shop,
    has_hold,
    has_no_hold,
    has_parcel,
    has_status,
)

CONFIRMED, CANCELLED = OrderStatus.CONFIRMED, OrderStatus.CANCELLED
APPROVAL, STOCK, PAYMENT = HoldReason.APPROVAL, HoldReason.STOCK, HoldReason.PAYMENT
ADDRESS_HOLD, MANUAL = HoldReason.ADDRESS, HoldReason.MANUAL


# ── approval ────────────────────────────────────────────────────────────────────────


async def test_an_expensive_order_waits_for_approval(shop: Shop) -> None:
    await shop.stock(GONG=2)
    order_id = await shop.place(GONG=2)
    hold = await shop.held(order_id, APPROVAL)
    assert hold.detail["findings"] == ["total-over-limit", "new-customer-high-value"]
    await shop.decide(order_id, APPROVAL, "approve")
    order = await shop.until(order_id, has_status(CONFIRMED))
    assert has_no_hold(order)


async def test_a_rejected_order_gives_everything_back(shop: Shop) -> None:
    await shop.stock(GONG=2)
    order_id = await shop.place(GONG=2)
    await shop.decide(order_id, APPROVAL, "reject")
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert (order.status, order.reason) == (CANCELLED, "approval-hold")
    assert book["status"] == "canceled"
    assert await shop.stock_of("GONG") == (2, 0)


async def test_goods_that_go_to_another_country_wait_for_approval(shop: Shop) -> None:
    await shop.stock(TEA=1)
    abroad = ADDRESS | {"country": "AT", "postal_code": "1010"}
    order_id = await shop.place(bill_to=abroad, TEA=1)
    hold = await shop.held(order_id, APPROVAL)
    assert hold.detail["findings"] == ["ships-abroad-of-billing"]


async def test_many_orders_in_a_short_time_wait_for_approval(
    closed_shop: Shop, work: Work
) -> None:
    shop = closed_shop
    await shop.stock(TEA=3)
    orders = [await shop.place(customer="hasty", TEA=1) for _ in range(3)]
    async with work(approval_burst_orders=2):
        for order_id in orders:
            hold = await shop.held(order_id, APPROVAL)
            assert hold.detail["findings"] == ["many-orders"]


async def test_whoever_ordered_does_not_approve(shop: Shop) -> None:
    await shop.stock(GONG=2)
    order_id = await shop.place(customer="greedy", GONG=2)
    with pytest.raises(Refused) as refused:
        await shop.decide(order_id, APPROVAL, "approve", by="greedy")
    assert refused.value.code == "four-eyes"


# ── stock ───────────────────────────────────────────────────────────────────────────


async def test_an_order_that_is_short_waits_for_a_decision(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(TEA=3)
    order = await shop.until(order_id, has_hold(STOCK))
    assert order.lines[0].reserved == 1
    assert await shop.payments.books() == []


async def test_waiting_for_stock_keeps_what_is_reserved(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(TEA=2)
    first = await shop.held(order_id, STOCK)
    await shop.decide(order_id, STOCK, "wait")
    order = await shop.until(order_id, lambda o: o.holds and o.holds[0].id != first.id)
    assert order.lines[0].reserved == 1
    assert order.holds[0].detail == {"waiting": True}


async def test_what_is_there_ships_and_the_rest_follows(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_visa_multicapture", TEA=2)
    await shop.decide(order_id, STOCK, "ship_partial")
    await shop.delivered(order_id)
    await shop.stock(TEA=1)
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED
    assert order.captured == 2 * 1290 + SHIPPING


async def test_lines_that_are_short_are_cancelled(shop: Shop) -> None:
    await shop.stock(TEA=2)
    order_id = await shop.place(TEA=3, MUG=1)
    await shop.decide(order_id, STOCK, "cancel_lines")
    order = await shop.until(order_id, has_status(CONFIRMED))
    (book,) = await shop.payments.books()
    assert [line.cancelled for line in order.lines] == [1, 1]
    assert book["authorized"] == 2 * 1290 + SHIPPING


async def test_of_the_short_lines_only_those_named_are_cancelled(
    shop: Shop,
) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(TEA=3, MUG=1)
    hold = await shop.held(order_id, STOCK)
    body = {
        "decision": "cancel_lines",
        "note": "Two are enough.",
        "params": {"lines": [{"line": 1, "quantity": 1}]},
    }
    await shop.post(f"/v1/holds/{hold.id}/release", body)
    order = await shop.order(order_id)
    assert [line.cancelled for line in order.lines] == [1, 0]
    assert [line.short for line in order.lines] == [1, 1]
    assert (await shop.held(order_id, STOCK)).id != hold.id


async def test_an_order_with_nothing_in_stock_is_cancelled(shop: Shop) -> None:
    order_id = await shop.place(TEA=1)
    await shop.decide(order_id, STOCK, "cancel_lines")
    order = await shop.ended(order_id)
    assert order.status is CANCELLED
    assert await shop.payments.books() == []


async def test_a_short_pick_corrects_the_stock_and_asks(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=3)
    await shop.pack(order_id, {1: 2})
    await shop.until(order_id, has_hold(STOCK))
    assert await shop.stock_of("TEA") == (2, 2)
    await shop.decide(order_id, STOCK, "cancel_lines")
    order = await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    assert order.captured == 2 * 1290 + SHIPPING


async def test_more_than_belongs_in_a_parcel_is_not_packed(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    with pytest.raises(Refused) as refused:
        await shop.pack(order_id, {1: 2})
    assert refused.value.code == "quantity-exceeded"


# ── payment ─────────────────────────────────────────────────────────────────────────


async def test_a_declined_card_is_replaced(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_chargeDeclinedInsufficientFunds", TEA=1)
    hold = await shop.held(order_id, PAYMENT)
    await shop.pay(order_id, "pm_card_visa")
    order = await shop.until(order_id, has_status(CONFIRMED))
    assert hold.detail["cause"] == "insufficient_funds"
    assert [payment.authorized for payment in order.payments] == [0, order.total]


async def test_a_declined_card_is_tried_again(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_chargeDeclined", TEA=1)
    await shop.decide(order_id, PAYMENT, "retry")
    await shop.until(order_id, lambda o: len(o.payments) == 2 and o.holds)
    assert len(await shop.payments.books()) == 2


async def test_an_order_that_is_not_paid_is_cancelled(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_chargeDeclined", TEA=1)
    await shop.decide(order_id, PAYMENT, "cancel")
    order = await shop.ended(order_id)
    assert (order.status, order.reason) == (CANCELLED, "payment-hold")
    assert await shop.stock_of("TEA") == (1, 0)


async def test_a_method_that_the_provider_refuses_is_replaced(shop: Shop) -> None:
    await shop.stock(TEA=2)
    # What is refused leaves no payment at the provider: twice, none has a name.
    orders = [await shop.place("pm_card_nobody_has", TEA=1) for _ in range(2)]
    for order_id in orders:
        hold = await shop.held(order_id, PAYMENT)
        assert hold.detail["cause"] == "resource_missing"
        await shop.pay(order_id, "pm_card_visa")
        await shop.until(order_id, has_status(CONFIRMED))


async def test_a_new_method_is_given_before_it_is_decided_on(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_chargeDeclined", TEA=1)
    with pytest.raises(Refused) as refused:
        await shop.decide(order_id, PAYMENT, "new_method")
    assert refused.value.code == "decision-not-allowed"


async def test_the_customer_authenticates(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_authenticationRequired", TEA=1)
    order = await shop.until(order_id, has_hold(PAYMENT))
    (payment,) = order.payments
    assert payment.next_action is not None
    await shop.payments.authenticate(succeed=True)
    order = await shop.until(order_id, has_status(CONFIRMED))
    assert order.payments[0].authorized == order.total
    assert has_no_hold(order)


async def test_the_customer_fails_to_authenticate(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_authenticationRequired", TEA=1)
    await shop.until(order_id, has_hold(PAYMENT))
    await shop.payments.authenticate(succeed=False)
    await shop.until(order_id, lambda o: o.payments[0].next_action is None)
    await shop.pay(order_id, "pm_card_visa")
    order = await shop.until(order_id, has_status(CONFIRMED))
    assert [payment.authorized for payment in order.payments] == [0, order.total]


async def test_an_unanswered_authentication_is_given_up_on_cancellation(
    shop: Shop,
) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_authenticationRequired", TEA=1)
    await shop.until(order_id, has_hold(PAYMENT))
    await shop.cancel(order_id)
    await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert book["status"] == "canceled"


async def test_a_failed_capture_asks_for_a_new_method(shop: Shop) -> None:
    order_id = await shop.confirmed("pm_card_captureFails", TEA=1)
    with pytest.raises(Refused) as refused:
        await shop.pack(order_id)
    assert refused.value.code == "payment-failed"
    await shop.held(order_id, PAYMENT)
    await shop.pay(order_id, "pm_card_visa")
    # The parcel is picked and measured: it goes on by itself.
    order = await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    assert order.captured == order.total


# ── address ─────────────────────────────────────────────────────────────────────────


async def refused_by_the_carrier(shop: Shop) -> str:
    await shop.stock(TEA=1)
    order_id = await shop.place(ship_to=UNKNOWN_TO_THE_CARRIER, TEA=1)
    await shop.until(order_id, has_status(CONFIRMED))
    await shop.pack(order_id)
    return order_id


async def test_a_corrected_address_gets_its_label(shop: Shop) -> None:
    order_id = await refused_by_the_carrier(shop)
    await shop.correct_address(order_id)
    order = await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    (book,) = await shop.payments.books()
    assert order.captured == order.total
    assert len(book["captures"]) == 1


async def test_a_wrong_address_cancels_the_order(shop: Shop) -> None:
    order_id = await refused_by_the_carrier(shop)
    await shop.decide(order_id, ADDRESS_HOLD, "cancel")
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert order.status is CANCELLED
    assert book["refunded"] == book["captured"] == order.total


# ── manual ──────────────────────────────────────────────────────────────────────────


async def test_nothing_is_packed_while_an_operator_holds_the_order(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.hold_up(order_id, by="ann")
    with pytest.raises(Refused) as refused:
        await shop.pack(order_id)
    assert refused.value.code == "on-hold"
    await shop.decide(order_id, MANUAL, "release", by="bob")
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED


async def test_a_held_order_is_cancelled(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.hold_up(order_id, by="ann")
    await shop.decide(order_id, MANUAL, "cancel", by="bob")
    order = await shop.ended(order_id)
    assert (order.status, order.reason) == (CANCELLED, "manual-hold")


# ── deciding ────────────────────────────────────────────────────────────────────────


async def test_nobody_releases_the_hold_that_they_placed(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.hold_up(order_id, by="ann")
    with pytest.raises(Refused) as refused:
        await shop.decide(order_id, MANUAL, "release", by="ann")
    assert refused.value.code == "four-eyes"


async def test_a_decision_fits_the_reason(shop: Shop) -> None:
    order_id = await shop.place(TEA=1)
    with pytest.raises(Refused) as refused:
        await shop.decide(order_id, STOCK, "approve")
    assert refused.value.code == "decision-not-allowed"


async def test_a_hold_is_decided_once(shop: Shop) -> None:
    await shop.stock(GONG=2)
    order_id = await shop.place(GONG=2)
    hold = await shop.held(order_id, APPROVAL)
    await shop.decide(order_id, APPROVAL, "approve")
    with pytest.raises(Refused) as refused:
        await release(shop, hold.id, {"decision": "reject", "note": "too late"})
    assert refused.value.code == "already-released"


async def release(shop: Shop, hold_id: str, decided: Mapping[str, str]) -> None:
    await shop.post(f"/v1/holds/{hold_id}/release", dict(decided))
