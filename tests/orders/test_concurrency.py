"""Many at once, over the same row."""

import asyncio

from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ShipmentStatus

from tests.support.shop import Refused, Shop, has_hold, has_parcel, has_status

BUYERS = 20
AT_ONCE = 20


async def test_twenty_buyers_of_one_unit_leave_one_happy(shop: Shop) -> None:
    await shop.stock(TEA=1)
    orders = await asyncio.gather(*(shop.place(TEA=1) for _ in range(BUYERS)))
    decided = await asyncio.gather(*(shop.until(o, is_decided) for o in orders))
    assert sum(order.status is OrderStatus.CONFIRMED for order in decided) == 1
    assert await shop.stock_of("TEA") == (1, 1)
    assert len(await shop.payments.books()) == 1


def is_decided(order):  # type: ignore[no-untyped-def]
    return order.status is OrderStatus.CONFIRMED or has_hold(HoldReason.STOCK)(order)


async def test_orders_of_the_same_goods_do_not_wait_in_a_circle(shop: Shop) -> None:
    await shop.stock(TEA=AT_ONCE, MUG=AT_ONCE)
    orders = await asyncio.gather(
        *(shop.place(TEA=1, MUG=1) for _ in range(AT_ONCE // 2)),
        *(shop.place(MUG=1, TEA=1) for _ in range(AT_ONCE // 2)),
    )
    confirmed = has_status(OrderStatus.CONFIRMED)
    await asyncio.gather(*(shop.until(order, confirmed) for order in orders))
    assert await shop.stock_of("MUG") == (AT_ONCE, AT_ONCE)


async def test_a_parcel_that_twenty_hands_pack_is_paid_for_once(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    order = await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    (parcel,) = order.shipments
    answers = await asyncio.gather(
        *(shop.pack_parcel(parcel.id, {1: 1}) for _ in range(AT_ONCE)),
        return_exceptions=True,
    )
    (book,) = await shop.payments.books()
    refused = [answer.code for answer in answers if isinstance(answer, Refused)]
    assert len(book["captures"]) == 1
    assert set(refused) == {"wrong-state"}


async def test_twenty_parcels_of_an_order_are_paid_for_in_turn(shop: Shop) -> None:
    places = [f"place-{n}" for n in range(5)]
    for place in places:
        await shop.stock(at=place, TEA=1)
    order_id = await shop.place("pm_card_visa_multicapture", TEA=len(places))
    await asyncio.gather(*(shop.pack(order_id, at=place) for place in places))
    order = await shop.order(order_id)
    (book,) = await shop.payments.books()
    assert len(book["captures"]) == len(places)
    assert book["captured"] == order.captured == order.total


async def test_twenty_cancellations_refund_each_unit_once(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=AT_ONCE)
    await shop.pack(order_id)
    await asyncio.gather(*(shop.cancel(order_id, {1: 1}) for _ in range(AT_ONCE)))
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert order.status is OrderStatus.CANCELLED
    assert book["refunded"] == book["captured"] == order.total
    assert await shop.stock_of("TEA") == (AT_ONCE, 0)


async def test_a_wish_that_comes_twenty_times_is_granted_once(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=AT_ONCE)
    same = {"Idempotency-Key": "one-wish"}
    await asyncio.gather(
        *(shop.cancel(order_id, {1: 1}, **same) for _ in range(AT_ONCE))
    )
    order = await shop.order(order_id)
    assert order.lines[0].cancelled == 1
