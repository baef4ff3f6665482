"""Orders whose payloads are encrypted: on a real server, through a change of keys."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest
from shared.contracts.orders.names import order_workflow_id
from shared.contracts.orders.states import OrderStatus
from shared.database.engine import Engine
from shared.platform.encryption import ENCODING, data_converter
from shared.platform.settings import PayloadSettings
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.worker import Replayer
from worker.runtime.sandbox import sandbox

from tests.architecture.contracts import registered
from tests.conftest import MakeWorkerSettings, OpenShop
from tests.support.histories import payloads_of
from tests.support.keys import K1, K2, key_ring
from tests.support.shop import Refused, Shop, has_status
from tests.support.working import working

BEFORE = key_ring(K1, active="k1")
GIVEN = key_ring(K1, K2, active="k1")
AFTER = key_ring(K1, K2, active="k2")
IN_THE_CLEAR = {
    ("marker_recorded_event_attributes", "details", "data", "payloads"),
    (
        "workflow_execution_started_event_attributes",
        *("search_attributes", "indexed_fields", "OrderId"),
    ),
}
"""What the server and the SDK's core have to read: ids, and the names of steps."""


@dataclass
class Temporal:
    """This test's server, as seen by those who have some of the keys."""

    client: Client
    make_settings: MakeWorkerSettings
    engine: Engine

    def seen_with(self, keys: PayloadSettings) -> Client:
        return self.read_by(data_converter(keys))

    def read_by(self, converter: DataConverter) -> Client:
        return Client(**self.client.config() | {"data_converter": converter})

    def worker(self, keys: PayloadSettings) -> AbstractAsyncContextManager[None]:
        return working(self.make_settings(), self.engine, self.seen_with(keys))


@pytest.fixture
def server(
    temporal: Client, worker_settings: MakeWorkerSettings, engine: Engine
) -> Temporal:
    return Temporal(temporal, worker_settings, engine)


@pytest.fixture
async def shop(open_shop: OpenShop, server: Temporal) -> AsyncIterator[Shop]:
    async with open_shop(server.seen_with(GIVEN), **GIVEN.model_dump()) as shop:
        yield shop


async def test_an_order_survives_the_change_of_keys(
    shop: Shop, server: Temporal
) -> None:
    async with server.worker(BEFORE):
        order_id = await shop.confirmed(TEA=1)
        shipment_id = await shop.pack(order_id)
    async with server.worker(AFTER):
        await shop.ship(shipment_id)
        await shop.scan(order_id, shipment_id, "delivered")
        assert (await shop.ended(order_id)).status is OrderStatus.COMPLETED
    history = await shop.workflow(order_id).fetch_history()
    found = [found for event in history.events for found in payloads_of(event)]
    sealed = [p for _, p in found if p.metadata["encoding"] == ENCODING]
    assert {p.metadata["encryption-key-id"] for p in sealed} == {b"k1", b"k2"}
    written_for = {p.metadata["encryption-workflow-id"] for p in sealed}
    assert written_for == {order_workflow_id(order_id).encode()}
    clear = {place for place, p in found if p.metadata["encoding"] != ENCODING}
    assert clear == IN_THE_CLEAR
    # The way later code replays what began before it.
    replayer = Replayer(
        workflows=known_workflows(server.client),
        data_converter=data_converter(AFTER),
        workflow_runner=sandbox(),
        namespace=server.client.namespace,
    )
    await replayer.replay_workflow(history)


async def test_strict_readers_believe_what_was_written_for_the_order_alone(
    open_shop: OpenShop, server: Temporal
) -> None:
    strict = GIVEN.model_copy(update={"temporal_payload_strict": True})
    async with (
        open_shop(server.seen_with(strict), **strict.model_dump()) as shop,
        server.worker(strict),
    ):
        order_id = await shop.confirmed(TEA=1)
        await shop.delivered(order_id)
        assert (await shop.ended(order_id)).status is OrderStatus.COMPLETED


async def test_a_worker_without_the_key_does_not_lose_the_order(
    shop: Shop, server: Temporal
) -> None:
    await shop.stock(TEA=1)
    async with server.worker(key_ring(K2, active="k2")):
        order_id = await shop.place(TEA=1)
        await until_a_task_failed(shop, order_id)
    async with server.worker(AFTER):
        await shop.until(order_id, has_status(OrderStatus.CONFIRMED))


async def test_a_refusal_is_understood_though_it_is_encrypted(
    shop: Shop, server: Temporal
) -> None:
    async with server.worker(GIVEN):
        order_id = await shop.confirmed(TEA=1)
        await shop.shipped(order_id)
        with pytest.raises(Refused, match="already-shipped") as refusal:
            await shop.cancel(order_id)
    assert refusal.value.problem["detail"]
    history = await shop.workflow(order_id).fetch_history()
    outcomes = (
        e.workflow_execution_update_completed_event_attributes.outcome
        for e in history.events
        if e.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED
    )
    (failure,) = (one.failure for one in outcomes if one.HasField("failure"))
    assert failure.message == "Encoded failure"
    assert failure.encoded_attributes.metadata["encoding"] == ENCODING


def known_workflows(client: Client) -> list[type]:
    queues = [queue for process in registered(client) for queue in process.queues]
    return [workflow for queue in queues for workflow in queue.workflows]


async def until_a_task_failed(shop: Shop, order_id: str) -> None:
    failed = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    workflow = await shop.started(order_id)
    async for event in workflow.fetch_history_events(wait_new_event=True):
        if event.event_type == failed:
            return
