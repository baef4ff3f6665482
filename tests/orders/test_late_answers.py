"""A provider that does what it is asked and says so too late, and a worker that is gone
by then: one capture all the same. docs/adr/0009."""

import asyncio

import pytest
from shared.contracts.orders.states import OrderStatus, ShipmentStatus

from tests.conftest import Work
from tests.support.shop import Shop, has_parcel, has_status

CAPTURE = "POST .*/capture$"
LATE_MS = 1_600
"""Longer than a try may take; the key is in use until then."""
AT_ONCE = 20


async def confirmed(shop: Shop, orders: int) -> list[str]:
    await shop.stock(TEA=orders)
    placed: list[str] = []
    while len(placed) < orders:
        some = range(min(AT_ONCE, orders - len(placed)))
        placed += await asyncio.gather(*(shop.place(TEA=1) for _ in some))
    for order_id in placed:
        await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    return placed


# The SDK's word for a try that ended while its worker was cut off.
@pytest.mark.filterwarnings("ignore:Cannot find activity to cancel")
@pytest.mark.parametrize(
    "orders",
    [3, pytest.param(500, marks=(pytest.mark.slow, pytest.mark.timeout(1_800)))],
)
async def test_what_was_captured_and_not_answered_is_captured_once(
    closed_shop: Shop, work: Work, orders: int
) -> None:
    shop = closed_shop
    async with work(graceful_shutdown_seconds=0):
        placed = await confirmed(shop, orders)
        await shop.payments.strike("slow", CAPTURE, delay_ms=LATE_MS)
        with shop.payments.gate(CAPTURE, after_effect=True) as provider:
            packing = [asyncio.create_task(shop.pack(order)) for order in placed]
            await provider.reached.wait()
    async with work():
        for order_id in placed:
            order = await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
            assert (order.captured, order.holds) == (order.total, ())
    # Those who packed may have been told to ask again.
    await asyncio.gather(*packing, return_exceptions=True)
    books = await shop.payments.books()
    assert [len(book["captures"]) for book in books] == [1] * orders
