"""Orders' lives that are recorded: tests/histories holds what each left behind."""

from collections.abc import Awaitable, Callable

from shared.contracts.orders.states import HoldReason

from tests.support.shop import Shop


async def delivered(shop: Shop) -> str:
    order_id = await shop.confirmed(TEA=2, MUG=1)
    await shop.delivered(order_id)
    return order_id


async def cancelled(shop: Shop) -> str:
    order_id = await shop.confirmed(TEA=2)
    await shop.pack(order_id)
    await shop.cancel(order_id)
    return order_id


async def declined(shop: Shop) -> str:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_chargeDeclined", TEA=1)
    await shop.held(order_id, HoldReason.PAYMENT)
    await shop.pay(order_id, "pm_card_visa")
    await shop.delivered(order_id)
    return order_id


async def split(shop: Shop) -> str:
    await shop.stock(at="berlin", TEA=2)
    await shop.stock(at="munich", TEA=1)
    order_id = await shop.place(TEA=3)
    await shop.delivered(order_id, at="berlin")
    await shop.delivered(order_id, at="munich")
    return order_id


async def approved(shop: Shop) -> str:
    await shop.stock(GONG=2)
    order_id = await shop.place(GONG=2)
    await shop.decide(order_id, HoldReason.APPROVAL, "approve")
    await shop.delivered(order_id)
    return order_id


STORIES: dict[str, Callable[[Shop], Awaitable[str]]] = {
    story.__name__: story for story in (delivered, cancelled, declined, split, approved)
}
