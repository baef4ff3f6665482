"""What is large stays far from where the server warns, and ends what does not heed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus, ReturnStatus, ShipmentStatus
from shared.contracts.orders.workflows import Order
from shared.contracts.search_attributes import ORDER_ID
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import (
    WorkflowExecutionDescription,
    WorkflowHistoryEventFilterType,
)

from tests.support.sampling import sampled
from tests.support.shop import PARCEL, Json, Shop, When, has_parcel, has_status

MOST_EVENTS = 10_240
MOST_BYTES = 10 * 2**20
"""Where the server warns of a history."""
MOST_BYTES_OF_AN_EVENT = 512 * 2**10
"""Where it warns of a payload."""
MOST_LINES = 500
"""That an order may have."""

CLOSE = WorkflowHistoryEventFilterType.CLOSE_EVENT
NUDGES = 600
"""The tests' server asks for a new run after 500 events, and each nudge is one."""
AT_ONCE = 50


async def often(times: int, deed: Callable[[], Awaitable[object]]) -> None:
    left = iter(range(times))

    async def one_after_the_other() -> None:
        for _ in left:
            await deed()

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one_after_the_other())


async def lives(shop: Shop, workflow_id: str) -> list[WorkflowExecutionDescription]:
    """Every run of a workflow that has ended, and how long its history is."""
    last = await shop.client.get_workflow_handle(workflow_id).describe()
    run_id, runs = last.raw_info.first_run_id, []
    while run_id:
        run = shop.client.get_workflow_handle(workflow_id, run_id=run_id)
        runs.append(await run.describe())
        (end,) = [e async for e in run.fetch_history_events(event_filter_type=CLOSE)]
        continued = end.workflow_execution_continued_as_new_event_attributes
        run_id = continued.new_execution_run_id
    return runs


def assert_short(runs: list[WorkflowExecutionDescription]) -> None:
    for run in runs:
        assert run.history_length < MOST_EVENTS
        assert run.raw_info.history_size_bytes < MOST_BYTES


async def test_an_order_that_is_nudged_without_end_has_short_histories(
    shop: Shop,
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    nudged = shop.workflow(order_id)
    await often(NUDGES, lambda: nudged.signal(Order.nudge))
    # Or it might end before it comes to waiting again.
    await shop.hold_up(order_id)
    await shop.decide(order_id, HoldReason.MANUAL, "release", by="colleague")
    await shop.delivered(order_id)
    await shop.until(order_id, has_status(OrderStatus.COMPLETED))
    await shop.ended(order_id)
    runs = await lives(shop, nudged.id)
    assert len(runs) > 1
    assert all(run.typed_search_attributes[ORDER_ID] == order_id for run in runs)
    assert_short(runs)


PARCELS = 200
"""As many as there may be places that a line's units come from."""


@pytest.mark.slow
async def test_many_parcels_beside_a_dead_provider_keep_nobody_waiting(
    shop: Shop,
) -> None:
    """Twelve of two hundred are packed while the provider is silent: others are packed
    no further, but whatever needs no provider goes on."""
    order_id = await spread(shop)
    await shop.decide(order_id, HoldReason.APPROVAL, "approve")
    order = await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    first, *others = [parcel.id for parcel in order.shipments]
    assert len(others) == PARCELS - 1
    await pack(shop, first)
    await shop.until(order_id, has_parcel(ShipmentStatus.PACKED))
    with shop.payments.gate("POST .*/capture$") as provider:
        packing = [asyncio.create_task(pack(shop, id)) for id in others[:12]]
        await provider.reached.wait()
        nudged = shop.workflow(order_id)
        await often(NUDGES, lambda: nudged.signal(Order.nudge))
        await shop.ship(first)
        await shop.cancel(order_id)
        assert (await shop.order(order_id)).cancel_wanted is not None
    await asyncio.gather(*packing, return_exceptions=True)
    await shop.until(order_id, lambda order: order.cancel_wanted is None)
    await shop.scan(order_id, first, "delivered")
    await shop.ended(order_id)
    runs = await lives(shop, nudged.id)
    assert len(runs) > 1
    assert_short(runs)


async def spread(shop: Shop) -> str:
    """An order of one unit from each of many places."""
    for n in range(PARCELS):
        await shop.stock(at=f"place-{n:03}", TEA=1)
    return await shop.place(TEA=PARCELS)


async def pack(shop: Shop, parcel: str) -> Json:
    body = {"lines": [{"line": 1, "quantity": 1}], "parcel": PARCEL}
    return await shop.post(f"/v1/shipments/{parcel}/pack", body)


async def events_of(shop: Shop, order_id: str) -> AsyncIterator[HistoryEvent]:
    """Of every workflow that has served an order."""
    query = f"{ORDER_ID.name} = '{order_id}'"
    async for found in shop.client.list_workflows(query):
        history = shop.client.get_workflow_handle(found.id, run_id=found.run_id)
        async for event in history.fetch_history_events():
            yield event


@pytest.mark.parametrize("lines", sampled([100, MOST_LINES], 100))
async def test_an_order_of_many_lines_makes_no_large_payload(
    shop: Shop, lines: int
) -> None:
    """Half of it is cancelled; the other half is delivered, and comes back."""
    await shop.stock(GIFT=lines)
    order_id = await shop.place(GIFT=1, copies=lines)
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    first, second = range(1, lines // 2 + 1), range(lines // 2 + 1, lines + 1)
    await shop.cancel(order_id, dict.fromkeys(first, 1))
    await shop.delivered(order_id)
    await shop.until(order_id, has_status(OrderStatus.COMPLETED))
    back: list[Json] = [
        {"line": line, "quantity": 1, "reason": "does-not-fit"} for line in second
    ]
    asked = await shop.post(f"/v1/orders/{order_id}/returns", {"lines": back})
    await shop.until(order_id, has_return(ReturnStatus.APPROVED))
    taken = [
        {"line": line["line"], "accepted": 1, "disposition": "restock"} for line in back
    ]
    await shop.post(f"/v1/returns/{asked['id']}/receive", {"lines": taken})
    await shop.until(order_id, has_return(ReturnStatus.CLOSED))
    sizes = [event.ByteSize() async for event in events_of(shop, order_id)]
    assert len(sizes) < MOST_EVENTS
    assert sum(sizes) < MOST_BYTES * lines / MOST_LINES
    assert max(sizes) < MOST_BYTES_OF_AN_EVENT * lines / MOST_LINES
    print(len(sizes), sum(sizes), max(sizes))


def has_return(status: ReturnStatus) -> When:
    return lambda order: any(found.status is status for found in order.returns)
