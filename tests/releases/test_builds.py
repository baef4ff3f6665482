"""Orders stay on the build they began on, however much the next one differs."""

from collections import Counter

import pytest
from shared.contracts.orders.names import order_workflow_id
from shared.contracts.orders.states import OrderStatus
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from tests.releases.commands import Ended, at, worker, worker_process
from tests.releases.conftest import DEPLOYMENT, OTHER, Start
from tests.support.shop import Shop, has_status

# Two workers and a few commands, each a process of its own.
pytestmark = pytest.mark.timeout(300)
CONFIRMED = has_status(OrderStatus.CONFIRMED)


async def release(client: Client, *arguments: str) -> Ended:
    return await worker("release", *arguments, "--deployment", DEPLOYMENT, **at(client))


async def make_current(client: Client, build: str) -> None:
    done = await release(client, "current", "--build", build)
    assert done.status == 0, done.said


async def place_confirmed(shop: Shop) -> str:
    order_id = await shop.place(TEA=1)
    await shop.until(order_id, CONFIRMED)
    return order_id


async def steps_by_build(client: Client, workflow_id: str) -> Counter[str]:
    """Workflow tasks by the build that did them; failed ones as `failed`."""
    done: Counter[str] = Counter()
    async for event in client.get_workflow_handle(workflow_id).fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            task = event.workflow_task_completed_event_attributes
            done[task.deployment_version.build_id] += 1
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            done["failed"] += 1
    return done


async def build_of(client: Client, shop: Shop, order_id: str) -> set[str]:
    """The builds that had a part in an order."""
    return set(await steps_by_build(client, order_workflow_id(order_id)))


async def test_orders_finish_on_the_build_they_began_on(
    closed_shop: Shop, temporal: Client, start: Start
) -> None:
    shop = closed_shop
    await shop.stock(TEA=10)
    async with start("a"), start("b", OTHER):
        await make_current(temporal, "a")
        old = [await place_confirmed(shop) for _ in range(2)]
        await make_current(temporal, "b")
        new = [await place_confirmed(shop) for _ in range(2)]
        for order_id in (*old, *new):
            await shop.delivered(order_id)
            await shop.ended(order_id)
    assert [await build_of(temporal, shop, o) for o in old] == [{"a"}, {"a"}]
    assert [await build_of(temporal, shop, o) for o in new] == [{"b"}, {"b"}]


async def test_without_builds_the_same_change_is_stopped_before_its_release(
    closed_shop: Shop, temporal: Client, start: Start
) -> None:
    shop = closed_shop
    await shop.stock(TEA=1)
    async with start():
        order_id = await place_confirmed(shop)
    same = await worker("replay", "--live", "--open", **at(temporal))
    assert same.status == 0, same.said
    other = await worker_process(
        "replay", "--live", "--open", module=OTHER, **at(temporal)
    )
    assert other.status == 1
    assert f"Order {order_workflow_id(order_id)}" in other.said
    assert "Nondeterminism" in other.said
    assert "workflow.patched" in other.said


@pytest.mark.slow
async def test_a_ramp_is_rolled_back_and_takes_along_what_began_meanwhile(
    closed_shop: Shop, temporal: Client, start: Start
) -> None:
    shop = closed_shop
    await shop.stock(TEA=10)
    async with start("a"):
        await make_current(temporal, "a")
        async with start("b", OTHER):
            assert (await release(temporal, "ramp", "--build", "b", "100")).status == 0
            order_id = await place_confirmed(shop)
            back = await release(temporal, "rollback")
            assert "release restart --build b" in back.said
        again = await release(temporal, "restart", "--build", "b")
        assert again.status == 0, again.said
        # As a sweep would find it a minute later.
        await shop.fetch("UPDATE orders SET created_at = now() - interval '1 hour'")
        await temporal.get_schedule_handle("sweep-orders").trigger()
        await shop.delivered(order_id)
        await shop.ended(order_id)
    assert await build_of(temporal, shop, order_id) == {"a"}
