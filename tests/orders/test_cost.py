"""What an order asks of Temporal, by the histories that it leaves, and of PostgreSQL,
by the statements of each step. docs/adr/0035."""

from shared.contracts.base import LineQuantity
from shared.contracts.orders.names import order_workflow_id
from shared.contracts.orders.payloads import OrderRef, Pack, Parcel, Ship, ShipmentRef
from shared.contracts.orders.states import OrderStatus
from shared.database.metrics import DURATION
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment
from worker.orders.registration import orders_process
from worker.runtime.inbox import InboxRunner

from benchmarks.counting import Histories, histories_of
from tests.architecture.contracts import defined
from tests.conftest import MakeWorkerSettings
from tests.orders.stories import delivered
from tests.support.shop import PARCEL, Shop

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


async def test_a_second_parcel_costs_two_commands(shop: Shop) -> None:
    await shop.stock(TEA=1)
    await shop.stock(at="leipzig", MUG=1)
    order_id = await shop.place("pm_card_visa_multicapture", TEA=1, MUG=1)
    for place in ("berlin", "leipzig"):
        await shop.delivered(order_id, at=place)
    await shop.ended(order_id)
    cost = await histories_of(shop.client, order_workflow_id(order_id), Histories())
    again = cost.nudges - 1
    assert cost.workflow_tasks - again - cost.activities <= 6
    assert cost.events - again * NUDGE_EVENTS - cost.activities * QUEUE_EVENTS <= 40


STATEMENTS = {
    "place": 2,
    "authorize": 5,
    "pick": 3,
    "capture": 4,
    "buy_label": 4,
    "ship": 4,
    "scan": 4,
}
"""At most, of one line in one parcel, without those that only open and close a
transaction."""


SCANNED = """
    INSERT INTO inbox (source, event_id, type, payload)
    SELECT 'carrier', 'evt_scanned', 'tracker.updated',
      jsonb_build_object('tracking', tracking) FROM shipments WHERE id = :shipment
"""


async def test_a_step_is_a_few_statements(
    closed_shop: Shop, worker_settings: MakeWorkerSettings, temporal: Client
) -> None:
    shop = closed_shop
    process = orders_process(worker_settings(), shop.engine, lambda: temporal)
    steps = {
        defined(step, "activity"): step
        for queue in process.queues
        for step in queue.activities
    }
    counted: dict[str, float] = {}

    async def take(name: str, command: object) -> None:
        before = statements()
        await ActivityEnvironment().run(steps[name], command)
        counted[name] = statements() - before

    await shop.payments.strike("webhook_off")
    await shop.carrier.strike("webhook_off")
    await shop.stock(TEA=2)
    await shop.place(TEA=1)  # what follows a receipt is over by then
    before = statements()
    order_id = await shop.place(TEA=1)
    counted["place"] = statements() - before
    await take("authorize", OrderRef(order_id=order_id))
    (parcel,) = (await shop.order(order_id)).shipments
    ref = ShipmentRef(order_id=order_id, shipment_id=parcel.id)
    picked = Pack(
        order_id=order_id,
        key="pick",
        actor="dock",
        shipment_id=parcel.id,
        lines=(LineQuantity(line=1, quantity=1),),
        parcel=Parcel(**PARCEL),
    )
    await take("pick", picked)
    await take("capture", ref)
    await take("buy_label", ref)
    left = Ship(order_id=order_id, key="off", actor="dock", shipment_id=parcel.id)
    await take("ship", left)
    await shop.scan(order_id, parcel.id, "delivered")
    await shop.fetch(SCANNED, shipment=parcel.id)
    inbox = InboxRunner(
        *(shop.engine, shop.listener), *(process.inbox, process.inbox_contexts)
    )
    before = statements()
    await inbox.work_off_batch()
    counted["scan"] = statements() - before
    assert (await shop.order(order_id)).status is OrderStatus.COMPLETED
    assert {name: n for name, n in counted.items() if n > STATEMENTS[name]} == {}
    assert process.close is not None
    await process.close()


def statements() -> float:
    return sum(
        sample.value
        for metric in DURATION.collect()
        for sample in metric.samples
        if sample.name.endswith("_count")
    )
