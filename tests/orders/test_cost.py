"""What an order asks of Temporal, by the histories that it leaves. docs/adr/0035."""

from shared.contracts.orders.names import order_workflow_id

from benchmarks.counting import Histories, histories_of
from tests.orders.stories import delivered
from tests.support.shop import Shop

NUDGE_EVENTS = 5
"""A signal, a workflow task and a look: what a repeated webhook costs."""


QUEUE_EVENTS = 6
"""More than a try that was answered: a step in a queue, where the machine is busy."""


async def test_an_everyday_order_is_cheap(shop: Shop) -> None:
    order_id = await delivered(shop)
    await shop.ended(order_id)
    cost = await histories_of(shop.client, order_workflow_id(order_id), Histories())
    again = cost.nudges - 1
    assert cost.workflows == 1
    assert cost.workflow_tasks - again - cost.activities <= 4
    assert cost.events - again * NUDGE_EVENTS - cost.activities * QUEUE_EVENTS <= 26
