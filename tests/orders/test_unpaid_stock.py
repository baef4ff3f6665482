"""Nobody takes stock without money: what no authorisation covers goes back, and is not
given again before others have theirs."""

from datetime import timedelta

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus
from worker.orders.stock.unpaid import UnpaidStock
from worker.orders.store import OrderStore

from tests.support.shop import ADDRESS, Refused, Shop, has_status

HELD = timedelta(minutes=30)
DECLINED = "pm_card_chargeDeclined"


async def run_the_clock(shop: Shop, minutes: int = 31) -> None:
    """As if so much time had passed; no Temporal is asked."""
    for table, column in (("orders", "created_at"), ("events", "at")):
        await shop.fetch(
            f"UPDATE {table} SET {column} = {column} - make_interval(mins => :n)",
            n=minutes,
        )
    await UnpaidStock(OrderStore(shop.engine), HELD).give_back_batch()


async def declined(shop: Shop, TEA: int) -> str:
    order_id = await shop.place(DECLINED, TEA=TEA)
    await shop.held(order_id, HoldReason.PAYMENT)
    return order_id


async def paid_for(shop: Shop, TEA: int = 0, GIFT: int = 0) -> str:
    """A confirmed order of what there is."""
    order_id = await (shop.place(TEA=TEA) if TEA else shop.place(GIFT=GIFT))
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    return order_id


async def test_stock_of_an_order_that_nobody_pays_goes_back(shop: Shop) -> None:
    await shop.stock(TEA=5)
    unpaid = await declined(shop, TEA=4)
    await run_the_clock(shop, minutes=29)
    assert await shop.stock_of("TEA") == (5, 4)
    await run_the_clock(shop)
    assert await shop.stock_of("TEA") == (5, 0)
    await paid_for(shop, TEA=5)
    # It keeps its place, and gets nothing before the others.
    assert (await shop.order(unpaid)).status is OrderStatus.PLACED


async def test_the_time_to_pay_begins_with_the_reservation(shop: Shop) -> None:
    """Not with the order, which may have waited for its stock for days."""
    await shop.stock(TEA=0)
    order_id = await shop.place(DECLINED, TEA=2)
    await shop.held(order_id, HoldReason.STOCK)
    await run_the_clock(shop)
    await shop.stock(TEA=2)
    await shop.held(order_id, HoldReason.PAYMENT)
    await run_the_clock(shop, minutes=29)
    assert await shop.stock_of("TEA") == (2, 2)
    await run_the_clock(shop, minutes=2)
    assert await shop.stock_of("TEA") == (2, 0)


async def test_paid_after_all_it_gets_its_stock_again_or_waits(shop: Shop) -> None:
    await shop.stock(TEA=5)
    first, second = await declined(shop, TEA=3), await declined(shop, TEA=2)
    await run_the_clock(shop)
    await paid_for(shop, TEA=2)
    await shop.pay(first, "pm_card_visa")
    await shop.until(first, has_status(OrderStatus.CONFIRMED))
    await shop.pay(second, "pm_card_visa")
    await shop.held(second, HoldReason.STOCK)
    assert await shop.stock_of("TEA") == (5, 5)


async def test_what_is_paid_keeps_its_stock(shop: Shop) -> None:
    await shop.stock(TEA=5, GONG=1)
    await paid_for(shop, TEA=5)
    waits = await shop.place(GONG=1)
    await shop.held(waits, HoldReason.APPROVAL)
    await run_the_clock(shop, minutes=300)
    assert await shop.stock_of("TEA") == (5, 5)
    assert await shop.stock_of("GONG") == (1, 1)


async def test_what_costs_nothing_keeps_its_stock(shop: Shop) -> None:
    await shop.stock(GIFT=2)
    abroad = ADDRESS | {"country": "FR", "postal_code": "75001", "city": "Paris"}
    waits = await shop.place(GIFT=2, shipping=0, bill_to=abroad)
    await shop.held(waits, HoldReason.APPROVAL)
    await run_the_clock(shop, minutes=300)
    assert await shop.stock_of("GIFT") == (2, 2)


async def test_a_receipt_is_not_taken_by_an_order_that_could_not_be_paid(
    shop: Shop,
) -> None:
    await shop.stock(GIFT=10)
    greedy = await shop.place(GIFT=900)
    await shop.held(greedy, HoldReason.STOCK)
    await run_the_clock(shop)
    await shop.stock(GIFT=100)
    await paid_for(shop, GIFT=110)
    assert (await shop.order(greedy)).lines[0].reserved == 0


async def test_what_arrives_goes_first_to_those_who_have_paid(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where more wait than are looked at together."""
    monkeypatch.setattr("worker.orders.stock.activities.BATCH", 1)
    await shop.stock(TEA=1)
    unpaid = await shop.place(TEA=3)
    await shop.held(unpaid, HoldReason.STOCK)
    await shop.fetch("UPDATE products SET backorder = true")
    paid = await paid_for(shop, TEA=2)
    await shop.stock(TEA=2)
    await shop.until(paid, lambda order: not order.short)
    assert (await shop.order(unpaid)).short == 2


async def test_nobody_orders_more_than_they_may(shop: Shop) -> None:
    await shop.stock(GIFT=1)
    with pytest.raises(Refused, match="A line may have 1000 units") as refused:
        await shop.place(TEA=1_001)
    assert refused.value.code == "quantity-limit"
    for _ in range(2):
        await shop.place(DECLINED, customer="ada", TEA=1_000)
    with pytest.raises(Refused, match="2000 units of yours are not paid") as refused:
        await shop.place(customer="ada", TEA=1)
    assert refused.value.code == "quantity-limit"
    await shop.place(customer="bob", TEA=1)
