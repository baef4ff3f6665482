"""An order that the build before began knows no command of its parcels, which have
workflows of their own: the API sends them there. docs/adr/0009."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from api.orders.commands import Commands
from api.orders.update_failures import NeedsNewerBuild, NoAnswer
from shared.contracts.base import LineQuantity
from shared.contracts.errors import Refusal
from shared.contracts.orders.names import (
    ORDERS,
    order_workflow_id,
    shipment_workflow_id,
)
from shared.contracts.orders.payloads import Deliver, OrderRef, Pack, Parcel
from shared.contracts.orders.workflows import Order
from shared.database.engine import Engine
from shared.database.ids import new_id
from shared.database.orders.snapshot import OrderSnapshot
from temporalio import workflow
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.worker import Worker

from tests.support.shop import PARCEL


@workflow.defn(name="Order", sandboxed=False)
class OrderOfBefore:
    """Ends once it was nudged."""

    def __init__(self) -> None:
        self._nudged = False

    @workflow.run
    async def run(self, ref: OrderRef) -> None:
        await workflow.wait_condition(lambda: self._nudged)

    @workflow.signal
    def nudge(self) -> None:
        self._nudged = True


@workflow.defn(name="Shipment", sandboxed=False)
class ShipmentOfBefore:
    """Ends once it is packed, and says by whom."""

    def __init__(self) -> None:
        self._packed_by = ""

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: bool(self._packed_by))
        return self._packed_by

    @workflow.update
    async def pack(self, command: Pack) -> None:
        self._packed_by = command.actor


def ended(_: OrderSnapshot) -> Refusal:
    return Refusal("wrong-state", "It is over.")


@pytest.fixture
def pack() -> Pack:
    return Pack(
        order_id=new_id("ord"),
        key="pack",
        actor="dock",
        shipment_id=new_id("shp"),
        lines=(LineQuantity(line=1, quantity=1),),
        parcel=Parcel(**PARCEL),
    )


@pytest.fixture
async def commands(
    temporal: Client, engine: Engine, pack: Pack
) -> AsyncIterator[Commands]:
    async with Worker(
        temporal, task_queue=ORDERS, workflows=[OrderOfBefore, ShipmentOfBefore]
    ):
        await temporal.start_workflow(
            OrderOfBefore.run,
            OrderRef(order_id=pack.order_id),
            id=order_workflow_id(pack.order_id),
            task_queue=ORDERS,
        )
        seconds = timedelta(seconds=20)
        yield Commands(
            lambda: temporal,
            engine,
            timeout=seconds,
            start_timeout=seconds,
            fail_fast_after=seconds,
        )


async def test_a_parcel_s_own_workflow_is_commanded(
    temporal: Client, commands: Commands, pack: Pack
) -> None:
    parcel = await temporal.start_workflow(
        ShipmentOfBefore.run,
        id=shipment_workflow_id(pack.shipment_id),
        task_queue=ORDERS,
    )
    await commands.parcel(pack.shipment_id, Order.pack, pack)
    assert await parcel.result() == "dock"


async def test_where_it_is_gone_its_order_is_told_to_start_it(
    temporal: Client, commands: Commands, pack: Pack
) -> None:
    with pytest.raises(NoAnswer):
        await commands.parcel(pack.shipment_id, Order.pack, pack)
    async with asyncio.timeout(20):
        await temporal.get_workflow_handle(order_workflow_id(pack.order_id)).result()


@pytest.mark.parametrize("more", ["later", "further"])
async def test_what_it_would_misunderstand_it_is_not_told(
    temporal: Client, commands: Commands, pack: Pack, more: str
) -> None:
    """It would take units that are packed later for units that are not there."""
    parcel = await temporal.start_workflow(
        ShipmentOfBefore.run,
        id=shipment_workflow_id(pack.shipment_id),
        task_queue=ORDERS,
    )
    added = {"later": pack.lines, "further": (pack.parcel,)}[more]
    wanted = pack.model_copy(update={more: added})
    with pytest.raises(NeedsNewerBuild):
        await commands.parcel(pack.shipment_id, Order.pack, wanted)
    assert (await parcel.describe()).status is WorkflowExecutionStatus.RUNNING


async def test_what_it_does_not_know_waits_for_a_newer_build(
    commands: Commands, pack: Pack
) -> None:
    deliver = Deliver(
        order_id=pack.order_id,
        key="deliver",
        actor="dock",
        shipment_id=pack.shipment_id,
    )
    with pytest.raises(NeedsNewerBuild):
        await commands.parcel(pack.shipment_id, Order.deliver, deliver)
