"""A provider that does what it is asked and says so too late, and a worker that is gone
by then: one capture all the same. docs/adr/0009."""

import asyncio
from types import SimpleNamespace

import pytest
from shared.contracts.orders.states import OrderStatus, ShipmentStatus

from tests.conftest import Work
from tests.support.shop import Shop, has_parcel, has_status

CAPTURE = "POST .*/capture$"
LATE_MS = 1_600
"""Longer than a try may take; the key is in use until then."""
AT_ONCE = 20


async def confirmed(shop: Shop, orders: int) -> list[str]:
    """Some at a time: how much a worker can carry is asked elsewhere."""
    await shop.stock(TEA=orders)
    placed: list[str] = []
    while len(placed) < orders:
        some = range(min(AT_ONCE, orders - len(placed)))
        new = await asyncio.gather(*(shop.place(TEA=1) for _ in some))
        for order_id in new:
            await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
        placed += new
    return placed


async def packed_until_killed(
    shop: Shop, work: Work, orders: int
) -> tuple[list[str], list["asyncio.Task[str]"]]:
    """Until the first capture is made, and its answer on its way."""
    async with work(graceful_shutdown_seconds=0):
        placed = await confirmed(shop, orders)
        await shop.payments.strike("slow", CAPTURE, delay_ms=LATE_MS)
        with shop.payments.gate(CAPTURE, after_effect=True) as provider:
            packing = [asyncio.create_task(shop.pack(order)) for order in placed]
            await provider.reached.wait()
    return placed, packing


@pytest.mark.parametrize(
    "orders",
    [3, pytest.param(100, marks=(pytest.mark.slow, pytest.mark.timeout(600)))],
)
async def test_what_was_captured_and_not_answered_is_captured_once(
    closed_shop: Shop, work: Work, orders: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = closed_shop
    # The SDK warns of a try that ends while its worker is cut off, and an error in its
    # place would end the worker otherwise than a kill does.
    mute = SimpleNamespace(warn=lambda *_: None)
    monkeypatch.setattr("temporalio.worker._activity.warnings", mute)
    placed, packing = await packed_until_killed(shop, work, orders)
    async with work():
        for order_id in placed:
            order = await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
            assert (order.captured, order.holds) == (order.total, ())
    # Those who packed may have been told to ask again.
    await asyncio.gather(*packing, return_exceptions=True)
    books = await shop.payments.books()
    assert [len(book["captures"]) for book in books] == [1] * orders
