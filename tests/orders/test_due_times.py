"""What happens when nobody decides: by a server whose time can be skipped."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ShipmentStatus
from shared.database.engine import Engine
from temporalio.testing import WorkflowEnvironment

from tests.conftest import MakeWorkerSettings, OpenShop
from tests.support.shop import Shop, has_hold, has_parcel
from tests.support.skipping import skipping_time
from tests.support.working import working

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
async def time() -> AsyncIterator[WorkflowEnvironment]:
    async with skipping_time() as environment:
        yield environment


@pytest.fixture
async def shop(
    time: WorkflowEnvironment,
    open_shop: OpenShop,
    worker_settings: MakeWorkerSettings,
    engine: Engine,
) -> AsyncIterator[Shop]:
    """Open on the server that skips time."""
    async with (
        open_shop(time.client) as shop,
        working(worker_settings(), engine, time.client),
    ):
        yield shop


async def waits_for_approval(shop: Shop) -> str:
    await shop.stock(GONG=2)
    return await shop.place(GONG=2)


async def waits_for_stock(shop: Shop) -> str:
    await shop.stock(TEA=1)
    return await shop.place(TEA=2)


async def waits_for_payment(shop: Shop) -> str:
    await shop.stock(TEA=1)
    return await shop.place("pm_card_chargeDeclined", TEA=1)


async def test_half_of_the_time_brings_a_reminder(
    shop: Shop, time: WorkflowEnvironment
) -> None:
    order_id = await waits_for_approval(shop)
    await shop.until(order_id, has_hold(HoldReason.APPROVAL))
    await time.sleep(37 * HOUR)
    order = await shop.until(order_id, lambda o: o.holds[0].reminded_at)
    assert order.status is OrderStatus.PLACED


async def test_nobody_approves_and_the_order_is_rejected(
    shop: Shop, time: WorkflowEnvironment
) -> None:
    order_id = await waits_for_approval(shop)
    await shop.until(order_id, has_hold(HoldReason.APPROVAL))
    await time.sleep(73 * HOUR)
    order = await shop.ended(order_id)
    (book,) = await shop.payments.books()
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, "approval-hold")
    assert book["status"] == "canceled"


async def test_nobody_pays_and_the_order_is_cancelled(
    shop: Shop, time: WorkflowEnvironment
) -> None:
    order_id = await waits_for_payment(shop)
    await shop.until(order_id, has_hold(HoldReason.PAYMENT))
    await time.sleep(73 * HOUR)
    order = await shop.ended(order_id)
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, "payment-hold")
    assert await shop.stock_of("TEA") == (1, 0)


async def test_what_does_not_come_in_a_week_is_cancelled(
    shop: Shop, time: WorkflowEnvironment
) -> None:
    order_id = await waits_for_stock(shop)
    await shop.until(order_id, has_hold(HoldReason.STOCK))
    await time.sleep(7 * DAY + HOUR)
    order = await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    assert order.lines[0].cancelled == 1
    assert "hold.reminded" in await shop.events(order_id)


async def test_two_days_without_a_scan_are_noticed(
    shop: Shop, time: WorkflowEnvironment
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.shipped(order_id)
    # Behind the back of the workflow, whose timer this is about.
    await shop.fetch("UPDATE shipments SET shipped_at = shipped_at - interval '49 h'")
    await time.sleep(49 * HOUR)
    order = await shop.until(order_id, has_hold(HoldReason.DELIVERY))
    assert order.shipments[0].status is ShipmentStatus.SHIPPED


async def test_a_hold_that_has_no_default_is_escalated(
    shop: Shop, time: WorkflowEnvironment
) -> None:
    order_id = await shop.confirmed(TEA=1)
    due_at = datetime.now(UTC) + 2 * DAY
    body = {"note": "look at it", "due_at": due_at.isoformat()}
    await shop.post(f"/v1/orders/{order_id}/holds", body)
    await time.sleep(49 * HOUR)
    order = await shop.until(order_id, lambda o: o.holds and o.holds[0].escalated_at)
    assert order.holds[0].reason is HoldReason.MANUAL
    assert order.status is OrderStatus.CONFIRMED
