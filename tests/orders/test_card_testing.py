"""Stolen cards are not tried out here: after some attempts the shop has a look."""

from typing import Any

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus
from shared.database.orders.snapshot import OrderSnapshot

from tests.conftest import Work
from tests.support.shop import Refused, Shop, has_status

DECLINED = "pm_card_chargeDeclined"


def is_stopped(order: OrderSnapshot) -> bool:
    return order.payment_stopped


def attempts(order: OrderSnapshot) -> int:
    return sum(len(payment.ledger) for payment in order.payments)


async def test_cards_are_not_tried_out_on_one_order(
    closed_shop: Shop, work: Work
) -> None:
    shop = closed_shop
    await shop.stock(TEA=1)
    async with work(payment_attempts_per_order=3):
        order_id = await shop.place(DECLINED, TEA=1)
        await shop.held(order_id, HoldReason.PAYMENT)
        for _ in range(2):
            await shop.pay(order_id, DECLINED)
        await shop.pay(order_id, "pm_card_visa")
        order = await shop.until(order_id, is_stopped)
        assert attempts(order) == 3
        with pytest.raises(Refused) as refused:
            await shop.pay(order_id, "pm_card_visa")
        assert refused.value.code == "too-many-attempts"
        # A person of the shop has looked at it: the last card is tried.
        await shop.decide(order_id, HoldReason.PAYMENT, "new_method")
        await shop.until(order_id, has_status(OrderStatus.CONFIRMED))


async def test_cards_are_not_tried_out_on_one_order_after_another(
    closed_shop: Shop, work: Work
) -> None:
    shop = closed_shop
    await shop.stock(TEA=4)
    async with work(payment_attempts_per_customer=2):
        for _ in range(2):
            tried = await shop.place(DECLINED, customer="eve", TEA=1)
            await shop.held(tried, HoldReason.PAYMENT)
        order_id = await shop.place("pm_card_visa", customer="eve", TEA=1)
        order = await shop.until(order_id, is_stopped)
        other = await shop.place("pm_card_visa", customer="ada", TEA=1)
        await shop.until(other, has_status(OrderStatus.CONFIRMED))
    assert attempts(order) == 0
    told: list[Any] = await shop.fetch(
        "SELECT data ->> 'cause' AS cause FROM events"
        " WHERE subject = :id AND type = 'hold.placed'",
        id=order_id,
    )
    assert [row.cause for row in told] == ["too-many-attempts"]
