"""Orders that go as they should."""

from shared.contracts.orders.states import OrderStatus

from tests.support.shop import SHIPPING, Shop


async def test_an_order_goes_from_placement_to_delivery(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=2)
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED
    assert order.captured == order.total == 2 * 1290 + SHIPPING
    assert await shop.events(order_id) == [
        "order.placed",
        "stock.reserved",
        "payment.authorized",
        "order.confirmed",
        "shipment.ready",
        "shipment.picked",
        "payment.captured",
        "shipment.packed",
        "shipment.shipped",
        "shipment.delivered",
        "order.completed",
    ]
