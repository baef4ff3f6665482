"""Money and label in one go, and apart where the carrier is slow."""

import asyncio
from datetime import timedelta

import pytest
from shared.contracts.orders.states import ShipmentStatus
from worker.orders.shipment import packing

from tests.conftest import Work
from tests.support.shop import Shop, has_parcel

LABEL = "POST /v1/labels$"


async def activities_of(shop: Shop, shipment_id: str) -> list[str]:
    history = await shop.parcel(shipment_id).fetch_history()
    return [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


async def test_a_carrier_that_answers_at_once_needs_no_step_of_its_own(
    shop: Shop,
) -> None:
    order_id = await shop.confirmed(TEA=1)
    parcel = await shop.pack(order_id)
    assert await activities_of(shop, parcel) == ["pay_and_label"]


async def test_a_slow_carrier_is_waited_for_by_a_step_of_its_own(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "AT_ONCE", timedelta())
    order_id = await shop.confirmed(TEA=1)
    parcel = await shop.pack(order_id)
    assert await activities_of(shop, parcel) == ["pay_and_label", "buy_label"]


async def test_a_carrier_that_is_down_is_left_to_a_step_of_its_own(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.carrier.strike("error", "/v1/labels", count=1)
    parcel = await shop.pack(order_id)
    assert await activities_of(shop, parcel) == ["pay_and_label", "buy_label"]


async def test_a_silent_carrier_holds_up_no_capture(
    closed_shop: Shop, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = closed_shop
    monkeypatch.setattr(packing, "AT_ONCE", timedelta(hours=1))
    async with work(max_concurrent_steps=1):
        orders = [await shop.confirmed(TEA=1) for _ in range(2)]
        with shop.carrier.gate(LABEL) as carrier:
            packed = [asyncio.create_task(shop.pack(order)) for order in orders]
            await carrier.reached.wait()
            for order_id in orders:
                await shop.until(order_id, lambda order: order.captured)
        await asyncio.gather(*packed)
        for order_id in orders:
            await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
