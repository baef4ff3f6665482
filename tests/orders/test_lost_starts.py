"""An order whose start was lost is started by a worker within seconds."""

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from worker.orders.nudger import Nudger
from worker.orders.order.lost_starts import LostStarts

from tests.support.shop import Shop


@pytest.mark.parametrize("in_stock", [0, 1])
async def test_an_order_that_was_placed_and_not_started_is_started(
    closed_shop: Shop, temporal: Client, in_stock: int
) -> None:
    """With stock, its authorisation is open; nobody sends it."""
    await closed_shop.stock(TEA=in_stock)
    order_id = await closed_shop.place(TEA=1)
    await (await closed_shop.started(order_id)).terminate()
    runner = LostStarts(closed_shop.engine, Nudger(lambda: temporal))
    assert await runner.start_lost() == 0, "the API is about to start it"
    await closed_shop.fetch(
        "UPDATE orders SET created_at = created_at - interval '3 seconds'"
    )
    assert await runner.start_lost() == 1
    running = await closed_shop.workflow(order_id).describe()
    assert running.status is WorkflowExecutionStatus.RUNNING
    assert await runner.start_lost() == 0, "each is asked about once"
