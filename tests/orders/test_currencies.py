"""What is left to be paid must be an amount that the provider takes: known before."""

from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ShipmentStatus

from tests.support.shop import SHIPPING, Shop

SMALLEST = 50
"""Euro cents: docs.stripe.com/currencies."""


async def a_pin_elsewhere(shop: Shop, card: str = "pm_card_visa") -> str:
    """Tea in one warehouse, and in another a pin for less than a card can be charged
    with."""
    await shop.stock(TEA=1, at="berlin")
    await shop.stock(PIN=1, at="munich")
    order_id = await shop.place(card, TEA=1, PIN=1)
    await shop.pack(order_id, at="berlin")
    return order_id


async def taken(shop: Shop) -> list[int]:
    books = await shop.payments.books()
    return sorted(capture["amount"] for book in books for capture in book["captures"])


async def test_a_rest_that_no_card_can_be_charged_with_is_taken_before(
    shop: Shop,
) -> None:
    order_id = await a_pin_elsewhere(shop)
    pin = await shop.pack(order_id, at="munich")
    order = await shop.order(order_id)
    assert order.shipment(pin).status is ShipmentStatus.PACKED
    assert (order.holds, order.captured) == ((), order.total)
    assert await taken(shop) == [order.total]


async def test_a_rest_that_was_taken_before_goes_back_if_it_is_cancelled(
    shop: Shop,
) -> None:
    order_id = await a_pin_elsewhere(shop)
    await shop.cancel(order_id, {2: 1})
    order = await shop.until(order_id, lambda order: order.refunded)
    price = order.line(2).total
    assert price < SMALLEST
    assert (order.refunded, order.captured) == (price, order.total)


async def test_a_rest_stays_with_a_payment_that_can_be_captured_again(
    shop: Shop,
) -> None:
    order_id = await a_pin_elsewhere(shop, "pm_card_visa_multicapture")
    order = await shop.order(order_id)
    assert order.captured == order.line(1).total + SHIPPING
    await shop.pack(order_id, at="munich")
    assert len(await taken(shop)) == 2


async def test_a_rest_that_is_large_enough_is_taken_with_its_own_goods(
    shop: Shop,
) -> None:
    await shop.stock(TEA=1, at="munich")
    await shop.stock(PIN=1, at="berlin")
    order_id = await shop.place(TEA=1, PIN=1)
    await shop.pack(order_id, at="berlin")
    order = await shop.order(order_id)
    assert order.captured == order.line(2).total + SHIPPING


async def test_what_is_left_below_the_smallest_charge_waits_for_a_person(
    shop: Shop,
) -> None:
    """Its authorisation has ended, and another one could not be had: the provider is
    not even asked."""
    await shop.stock(TEA=1, PIN=1)
    order_id = await shop.place(TEA=1, PIN=1, shipping=0)
    await shop.until(order_id, lambda order: order.shipments)
    await shop.cancel(order_id, {1: 1})
    await shop.fetch("UPDATE payments SET capture_before = now()")
    await shop.workflow(order_id).signal("nudge")
    hold = await shop.held(order_id, HoldReason.PAYMENT)
    assert hold.detail["cause"] == "amount-not-chargeable"
    await shop.decide(order_id, HoldReason.PAYMENT, "cancel")
    assert (await shop.ended(order_id)).status is OrderStatus.CANCELLED
    assert len(await shop.payments.books()) == 1
