"""First here, then in the queue: where a parcel is paid for and labelled, and who waits
for what. docs/adr/0009."""

import asyncio
from datetime import timedelta

from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ShipmentStatus
from temporalio.client import Client

from tests.conftest import OpenShop, Work
from tests.support.shop import (
    PATIENCE_SECONDS,
    UNKNOWN_TO_THE_CARRIER,
    Shop,
    has_hold,
    has_parcel,
    has_status,
)

LABEL = "POST /v1/labels$"
CAPTURE = "POST .*/capture$"


async def activities_of(shop: Shop, order_id: str) -> list[str]:
    """What went into a provider's queue."""
    history = await shop.workflow(order_id).fetch_history()
    return [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


async def test_providers_that_answer_at_once_need_no_step_in_a_queue(
    shop: Shop,
) -> None:
    for _ in range(5):  # where the machine is busy, a try may take too long
        order_id = await shop.confirmed(TEA=1)
        await shop.pack(order_id)
        queued = await activities_of(shop, order_id)
        if not queued:
            break
    assert queued == []


async def test_a_parcel_that_is_paid_for_is_not_refused_for_the_rest(
    shop: Shop,
) -> None:
    """The card is declined for what is not there yet, while the label is bought."""
    await shop.stock(TEA=1, backorder=True)
    order_id = await shop.place("pm_card_declineOffSession", TEA=3)
    await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    with shop.carrier.gate(LABEL) as carrier:
        packing = asyncio.create_task(shop.pack(order_id))
        await carrier.reached.wait()
        await shop.until(order_id, has_hold(HoldReason.PAYMENT))
    await packing
    await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))


async def test_a_parcel_without_a_label_is_told_at_once(
    open_shop: OpenShop, temporal: Client, work: Work
) -> None:
    """The carrier does not know the address: there is nothing to wait for. It was
    noticed when the suite waited 20 s for each such parcel."""
    never = timedelta(days=1)
    async with open_shop(temporal, api_command_timeout=never) as shop, work():
        await shop.stock(TEA=1)
        order_id = await shop.place(ship_to=UNKNOWN_TO_THE_CARRIER, TEA=1)
        async with asyncio.timeout(PATIENCE_SECONDS):
            parcel_id = await shop.pack(order_id)
        order = await shop.order(order_id)
    assert [hold.reason for hold in order.holds] == [HoldReason.ADDRESS]
    assert order.shipment(parcel_id).captured_at is not None


async def test_a_slow_carrier_is_waited_for_in_its_queue(
    shop: Shop,
) -> None:
    order_id = await shop.confirmed(TEA=1)
    with shop.carrier.gate(LABEL) as carrier:
        packing = asyncio.create_task(shop.pack(order_id))
        await carrier.reached.wait()
        await shop.until(order_id, lambda order: order.captured)
        # Whoever comes meanwhile waits for the try at most, and not for the carrier.
        await shop.hold_up(order_id)
    await asyncio.gather(packing, return_exceptions=True)
    assert "buy_label" in await activities_of(shop, order_id)


async def test_a_carrier_that_is_down_is_left_to_its_queue(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.carrier.strike("error", "/v1/labels", count=1)
    await shop.pack(order_id)
    await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    assert "buy_label" in await activities_of(shop, order_id)


async def test_where_no_try_is_allowed_all_goes_into_the_queues(
    closed_shop: Shop, work: Work
) -> None:
    """As with a worker whose few places for tries are taken."""
    shop = closed_shop
    async with work(max_concurrent_steps=3):
        order_id = await shop.confirmed(TEA=1)
        await shop.pack(order_id)
        assert await activities_of(shop, order_id) == [
            *("authorize", "capture", "buy_label")
        ]


async def test_a_silent_carrier_holds_up_no_capture(
    closed_shop: Shop, work: Work
) -> None:
    shop = closed_shop
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


async def test_a_cancellation_waits_for_no_capture(shop: Shop) -> None:
    """It is written down, and done as soon as the provider has answered."""
    order_id = await shop.confirmed(TEA=1)
    with shop.payments.gate(CAPTURE) as provider:
        packing = asyncio.create_task(shop.pack(order_id))
        await provider.reached.wait()
        cancelled = await shop.cancel(order_id)
        assert cancelled["cancelled"] == []
    await asyncio.gather(packing, return_exceptions=True)
    order = await shop.until(order_id, has_status(OrderStatus.CANCELLED))
    order = await shop.ended(order_id)
    assert order.captured == order.refunded == order.total


async def test_a_parcel_that_is_being_paid_for_is_taken_apart_afterwards(
    shop: Shop,
) -> None:
    order_id = await shop.confirmed(TEA=1)
    (parcel,) = (await shop.order(order_id)).shipments
    with shop.payments.gate(CAPTURE) as provider:
        packing = asyncio.create_task(shop.pack(order_id))
        await provider.reached.wait()
        # It is answered once the payment is known.
        path = f"/v1/shipments/{parcel.id}/cancel"
        cancelling = asyncio.create_task(shop.post(path, {}))
        await shop.until(order_id, lambda o: o.shipment(parcel.id).cancel_wanted)
    await asyncio.gather(packing, cancelling, return_exceptions=True)
    order = await shop.until(
        order_id,
        lambda order: (
            has_parcel(ShipmentStatus.CANCELLED)(order)
            and has_parcel(ShipmentStatus.READY)(order)
        ),
    )
    assert order.captured == order.total
