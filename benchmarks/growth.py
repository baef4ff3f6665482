"""(d) What grows with the shop: finished and open orders, workers, lines."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from devstack.ports import free_ports
from devstack.stack import Stack
from devstack.subprocess import Process
from devstack.temporal import NAMESPACE
from prometheus_client.parser import text_string_to_metric_families
from shared.contracts.orders.names import ORDERS, order_workflow_id
from shared.contracts.orders.payloads import OrderRef
from shared.contracts.orders.workflows import Order
from shared.platform.converter import DATA_CONVERTER
from temporalio.client import Client
from worker.orders.upkeep.unfinished import GRACE, OPEN_ORDERS

from benchmarks.counting import temporal_requests
from benchmarks.filling import copy_order
from benchmarks.processes import pids_of, used_by
from benchmarks.shop import Shop, open_shop, sku
from benchmarks.system import running
from benchmarks.throughput import WARM_UP, complete, one_run, percentiles

Json = dict[str, Any]


# ── finished orders ─────────────────────────────────────────────────────────────────


async def with_finished(counts: Sequence[int], orders: int, concurrency: int) -> Json:
    found, there = [], 0
    async with running() as stack, open_shop(stack.at) as shop:
        await shop.stock(sku(1))
        template = await shop.completed()
        await complete(shop, WARM_UP, concurrency)
        for count in counts:
            size = await shop.database.fetchval(_SIZE)
            await copy_order(stack.at.database, template, there + 1, count)
            grown = await shop.database.fetchval(_SIZE) - size
            kept = grown / (count - there)
            there = count
            run = await one_run(shop, pids_of(stack), orders, concurrency)
            found.append(
                {
                    "finished_orders": count,
                    "bytes_per_order": kept,
                    "sweep_ms": await _sweep_ms(shop),
                    "reads": await _reads(shop, stack.at.api_metrics, template),
                    **run,
                }
            )
        audits = await shop.database.fetchval(_AUDITS)
    assert audits == 0, "the copies do not add up"
    return {"finished": found}


_AUDITS = """
SELECT (SELECT count(*) FROM audit_money) + (SELECT count(*) FROM audit_ledger)
  + (SELECT count(*) FROM audit_stock)
"""
_SIZE = "SELECT pg_database_size(current_database())"


async def _sweep_ms(shop: Shop) -> float:
    """The sweep's look for orders without a workflow, every five minutes."""
    began = time.perf_counter()
    await shop.database.fetch(str(OPEN_ORDERS).replace(":grace", "$1"), GRACE)
    return 1000 * (time.perf_counter() - began)


_PAGES = {
    "list": "/v1/orders?limit=50",
    "open orders": "/v1/orders?status=confirmed&limit=50",
    "a customer's": "/v1/orders?customer=customer-7&limit=50",
    "parcels": "/v1/shipments?status=ready&limit=50",
}


async def _reads(shop: Shop, metrics: str, order_id: str) -> Json:
    """Milliseconds of a whole request, one at a time, and how many of them the API
    itself counts, on the average: the rest is the caller's and the loopback's."""
    found = {}
    async with httpx2.AsyncClient(base_url=metrics, trust_env=False) as page:
        for name, path in {"detail": f"/v1/orders/{order_id}", **_PAGES}.items():
            seconds = []
            before = await _time_in_server(page)
            for _ in range(_READS):
                began = time.perf_counter()
                (await shop.api.get(path)).raise_for_status()
                seconds.append(time.perf_counter() - began)
            in_server = await _time_in_server(page) - before
            found[name] = percentiles(seconds) | {
                "server_ms": round(1000 * in_server / _READS, 2)
            }
    return found


_READS = 30


async def _time_in_server(page: httpx2.AsyncClient) -> float:
    """Seconds that all requests took in the API so far."""
    told = (await page.get("/metrics")).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
        if sample.name == "http_server_request_duration_seconds_sum"
    )


# ── open orders ─────────────────────────────────────────────────────────────────────


async def with_open(counts: Sequence[int], orders: int, concurrency: int) -> Json:
    return {"open": [await _with_open(n, orders, concurrency) for n in counts]}


async def _with_open(count: int, orders: int, concurrency: int) -> Json:
    """Memory of worker and server with so many orders that wait to be packed, and what
    others then cost."""
    async with running() as stack, open_shop(stack.at) as shop:
        await shop.stock(sku(1))
        template = await shop.confirmed()
        await copy_order(stack.at.database, template, 1, count)
        client = await Client.connect(
            stack.at.temporal, namespace=NAMESPACE, data_converter=DATA_CONVERTER
        )
        metrics = f"http://127.0.0.1:{stack.at.ports.temporal_metrics}/metrics"
        before = await _tasks_done(metrics)
        began = time.perf_counter()
        with used_by(pids_of(stack)) as usage:
            await _start_all(client, count)
            await _until_waiting(metrics, before + count)
        seconds = time.perf_counter() - began
        await complete(shop, WARM_UP, concurrency)
        run = await one_run(shop, pids_of(stack), orders, concurrency)
    return {
        "open_orders": count,
        "peak_mib": usage.peak_mib,
        "own_mib": usage.own_mib,
        "starts_per_second": count / seconds,
        "others": run,
    }


async def _start_all(client: Client, count: int) -> None:
    places = asyncio.Semaphore(50)

    async def start(n: int) -> None:
        order_id = f"ord_{n:026d}"
        async with places:
            await client.start_workflow(
                Order.run,
                OrderRef(order_id=order_id),
                id=order_workflow_id(order_id),
                task_queue=ORDERS,
            )

    async with asyncio.TaskGroup() as group:
        for n in range(1, count + 1):
            group.create_task(start(n))


async def _until_waiting(metrics: str, tasks: int) -> None:
    """Until each has ended its first workflow task, and waits to be packed."""
    async with asyncio.timeout(1800):
        while await _tasks_done(metrics) < tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.5)


async def _tasks_done(metrics: str) -> int:
    async with httpx2.AsyncClient(trust_env=False) as http:
        requests = await temporal_requests(http, metrics)
    return requests.frontend["RespondWorkflowTaskCompleted"]


# ── workers ─────────────────────────────────────────────────────────────────────────


async def with_workers(counts: Sequence[int], orders: int, concurrency: int) -> Json:
    found = []
    for count in counts:
        async with (
            running() as stack,
            _more_workers(stack, count - 1) as more,
            open_shop(stack.at) as shop,
        ):
            await shop.stock(sku(1))
            await complete(shop, WARM_UP, concurrency)
            pids = pids_of(stack) | more
            run = await one_run(shop, pids, orders, concurrency)
            found.append({"workers": count, **run})
    return {"workers": found}


@asynccontextmanager
async def _more_workers(stack: Stack, count: int) -> AsyncIterator[dict[str, int]]:
    first = stack["worker"].command
    async with AsyncExitStack() as resources:
        pids = {}
        for n in range(2, count + 2):
            port = str(free_ports().worker)
            command = dataclasses.replace(
                first,
                name=f"worker-{n}",
                environment={**first.environment, "METRICS_PORT": port},
                log=Path(first.log).with_name(f"worker-{n}.log"),
            )
            process = Process(command)
            resources.push_async_callback(process.stop)
            await process.start()
            assert process.pid is not None
            pids[command.name] = process.pid
        yield pids


# ── lines ───────────────────────────────────────────────────────────────────────────


async def with_lines(counts: Sequence[int]) -> Json:
    found = []
    async with running() as stack, open_shop(stack.at) as shop:
        await shop.stock(*map(sku, range(1, max(counts) + 1)))
        await shop.completed()
        for count in counts:
            shop.seconds.clear()
            with used_by(pids_of(stack)) as usage:
                await shop.completed(*map(sku, range(1, count + 1)))
            found.append(
                {
                    "lines": count,
                    "seconds": shop.seconds["order"][0],
                    "cpu_ms": usage.per_order_ms(1)["services"],
                }
            )
    return {"lines": found}
