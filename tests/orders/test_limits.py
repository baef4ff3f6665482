"""What is large stays far from where the server warns, and ends what does not heed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from shared.contracts.orders.states import (
    HoldReason,
    OrderStatus,
    ReturnStatus,
    ShipmentStatus,
)
from shared.contracts.orders.workflows import Order, Shipment
from shared.contracts.search_attributes import ORDER_ID
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import (
    WorkflowExecutionDescription,
    WorkflowHistoryEventFilterType,
)

from tests.support.shop import Json, Shop, When, has_parcel, has_status

MOST_EVENTS = 10_240
MOST_BYTES = 10 * 2**20
"""Where the server warns of a history."""
MOST_BYTES_OF_AN_EVENT = 512 * 2**10
"""Where it warns of a payload."""
LINES = 500
"""The most that an order may have."""

CLOSE = WorkflowHistoryEventFilterType.CLOSE_EVENT
NUDGES = 4_200
"""The server asks for a new run after 4,096 events, and each nudge is one."""
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
    order = await shop.until(order_id, has_parcel(ShipmentStatus.READY))
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
    assert_short(await lives(shop, f"shipment/{order.shipments[0].id}"))


@pytest.mark.slow
async def test_a_parcel_that_is_nudged_without_end_has_short_histories(
    shop: Shop,
) -> None:
    order_id = await shop.confirmed(TEA=1)
    parcel = await shop.pack(order_id)
    nudged = shop.parcel(parcel)
    await often(NUDGES, lambda: nudged.signal(Shipment.nudge))
    await shop.ship(parcel)
    await shop.scan(order_id, parcel, "delivered")
    await shop.ended(order_id)
    runs = await lives(shop, nudged.id)
    assert len(runs) > 1
    assert_short(runs)
    assert len(await lives(shop, shop.workflow(order_id).id)) == 1


def half_of_the_lines(first: int, **rest: object) -> list[Json]:
    lines = range(first, first + LINES // 2)
    return [{"line": line, "quantity": 1, **rest} for line in lines]


async def events_of(shop: Shop, order_id: str) -> AsyncIterator[HistoryEvent]:
    """Of every workflow that has served an order."""
    query = f"{ORDER_ID.name} = '{order_id}'"
    async for found in shop.client.list_workflows(query):
        history = shop.client.get_workflow_handle(found.id, run_id=found.run_id)
        async for event in history.fetch_history_events():
            yield event


async def test_an_order_of_five_hundred_lines_makes_no_large_payload(
    shop: Shop,
) -> None:
    """Half of it is cancelled; the other half is delivered, and comes back."""
    await shop.stock(GIFT=LINES)
    order_id = await shop.place(GIFT=1, copies=LINES)
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    await shop.cancel(order_id, dict.fromkeys(range(1, LINES // 2 + 1), 1))
    await shop.delivered(order_id)
    await shop.until(order_id, has_status(OrderStatus.COMPLETED))
    back = half_of_the_lines(LINES // 2 + 1, reason="does-not-fit")
    asked = await shop.post(f"/v1/orders/{order_id}/returns", {"lines": back})
    await shop.until(order_id, has_return(ReturnStatus.APPROVED))
    taken = [
        {"line": line["line"], "accepted": 1, "disposition": "restock"} for line in back
    ]
    await shop.post(f"/v1/returns/{asked['id']}/receive", {"lines": taken})
    await shop.until(order_id, has_return(ReturnStatus.CLOSED))
    sizes = [event.ByteSize() async for event in events_of(shop, order_id)]
    assert len(sizes) < MOST_EVENTS
    assert sum(sizes) < MOST_BYTES
    assert max(sizes) < MOST_BYTES_OF_AN_EVENT
    print(len(sizes), sum(sizes), max(sizes))


def has_return(status: ReturnStatus) -> When:
    return lambda order: any(found.status is status for found in order.returns)
