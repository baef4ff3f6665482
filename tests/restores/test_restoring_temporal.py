"""Temporal's database is put back to an earlier moment; ours remembers more."""

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from shared.contracts.orders.names import order_workflow_id
from shared.contracts.orders.states import OrderStatus
from shared.contracts.search_attributes import SEARCH_ATTRIBUTES
from shared.database.engine import Engine
from shared.platform.converter import DATA_CONVERTER
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from tests.conftest import MakeWorkerSettings, OpenShop
from tests.restores.healing import end_all_workflows, reconcile, sweep
from tests.support.shop import Shop
from tests.support.working import working


@asynccontextmanager
async def a_server(file: Path) -> AsyncIterator[Client]:
    """A Temporal server of its own, with what is in `file`."""
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(Path(sys.executable).parent / "temporal"),
        dev_server_database_filename=str(file),
        search_attributes=SEARCH_ATTRIBUTES,
        data_converter=DATA_CONVERTER,
    ) as environment:
        yield environment.client


async def running(shop: Shop) -> set[str]:
    return {
        found.id
        async for found in shop.client.list_workflows(
            "ExecutionStatus = 'Running' AND WorkflowType = 'Order'"
        )
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "nothing_is_left", [False, pytest.param(True, marks=pytest.mark.slow)]
)
async def test_the_facts_say_what_is_left_to_do(
    open_shop: OpenShop,
    worker_settings: MakeWorkerSettings,
    engine: Engine,
    tmp_path: Path,
    nothing_is_left: bool,
) -> None:
    """`nothing_is_left`: Temporal begins with an empty database."""
    file, backup = tmp_path / "temporal.sqlite", tmp_path / "backup.sqlite"

    @asynccontextmanager
    async def business() -> AsyncIterator[Shop]:
        async with (
            a_server(file) as client,
            open_shop(client) as shop,
            working(worker_settings(), engine, client),
        ):
            yield shop

    async with business() as shop:
        delivered = await shop.confirmed(TEA=1)
        packed = await shop.confirmed(TEA=1)
    shutil.copy(file, backup)
    async with business() as shop:
        await shop.delivered(delivered)
        await shop.ended(delivered)
        parcel = await shop.pack(packed)
        later = await shop.confirmed(MUG=1)
    file.unlink()
    if not nothing_is_left:
        shutil.copy(backup, file)

    async with business() as shop:
        await end_all_workflows(shop)
        await sweep(shop)
        assert await reconcile(shop) == {}
        await shop.ship(parcel)
        await shop.scan(packed, parcel, "delivered")
        await shop.delivered(later)
        for order_id in (packed, later):
            await shop.ended(order_id)
        assert order_workflow_id(delivered) not in await running(shop)
        orders = [await shop.order(o) for o in (delivered, packed, later)]
        books = await shop.payments.books()
    assert {order.status for order in orders} == {OrderStatus.COMPLETED}
    assert [len(book["captures"]) for book in books] == [1, 1, 1]
