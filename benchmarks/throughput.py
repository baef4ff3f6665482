"""(b) How many orders are completed in a second, and what each of them costs."""

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from benchmarks.processes import pids_of, used_by
from benchmarks.shop import open_shop, sku
from benchmarks.system import running

Json = dict[str, Any]
WARM_UP = 20
"""Orders that are not counted: statements are prepared, caches filled."""


class Customers(Protocol):
    """Who order, and wait until they have what they ordered."""

    seconds: dict[str, list[float]]

    async def completed(self, *skus: str) -> object: ...


async def measure(orders: int, concurrency: int, runs: int) -> Json:
    """Runs on one system, one after the other, and their medians."""
    async with running() as stack, open_shop(stack.at) as shop:
        await shop.stock(*map(sku, range(1, 6)))
        await complete(shop, WARM_UP, concurrency)
        found = [
            await one_run(shop, pids_of(stack), orders, concurrency)
            for _ in range(runs)
        ]
    return {
        "orders": orders,
        "concurrency": concurrency,
        "orders_per_second": statistics.median(r["orders_per_second"] for r in found),
        "cpu_ms_per_order": statistics.median(
            r["cpu_ms_per_order"]["services"] for r in found
        ),
        "runs": found,
    }


async def one_run(
    shop: Customers, pids: Mapping[str, int], orders: int, concurrency: int
) -> Json:
    shop.seconds.clear()
    with used_by(pids) as usage:
        began = time.perf_counter()
        await complete(shop, orders, concurrency)
        seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "orders_per_second": orders / seconds,
        "cpu_ms_per_order": usage.per_order_ms(orders),
        "peak_mib": usage.peak_mib,
        "own_mib": usage.own_mib,
        "milliseconds": latencies(shop.seconds),
    }


async def complete(shop: Customers, orders: int, concurrency: int, *skus: str) -> None:
    """Take so many orders from POST to completed, `concurrency` at a time."""
    places = asyncio.Semaphore(concurrency)

    async def one() -> None:
        async with places:
            await shop.completed(*skus)

    async with asyncio.TaskGroup() as group:
        for _ in range(orders):
            group.create_task(one())


def latencies(seconds: Mapping[str, Sequence[float]]) -> Json:
    return {name: percentiles(values) for name, values in seconds.items() if values}


def percentiles(seconds: Sequence[float]) -> Json:
    """In milliseconds; the nearest that was measured."""
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3, 2)

    return {"n": len(ordered), "p50": at(0.5), "p95": at(0.95), "p99": at(0.99)}
