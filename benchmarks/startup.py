"""(f) How long the services take to be ready, and what they use while nobody orders."""

import asyncio
import statistics
import time
from typing import Any

from benchmarks.processes import pids_of, used_by
from benchmarks.shop import open_shop, sku
from benchmarks.system import running
from benchmarks.throughput import complete

Json = dict[str, Any]


async def measure(starts: int, idle_seconds: float) -> Json:
    """Starts on a system that runs; then idle, after it has worked."""
    async with running() as stack, open_shop(stack.at) as shop:
        ready: Json = {}
        for part in ("worker", "api"):
            seconds = []
            for _ in range(starts):
                await stack[part].stop()
                began = time.perf_counter()
                await stack[part].start()
                seconds.append(time.perf_counter() - began)
            ready[part] = statistics.median(seconds)
        await shop.stock(sku(1))
        await complete(shop, 20, 8)
        with used_by(pids_of(stack)) as usage:
            await asyncio.sleep(idle_seconds)
    return {
        "seconds_until_ready": ready,
        "idle_cpu_percent": {
            part: 100 * seconds / idle_seconds
            for part, seconds in usage.cpu_seconds.items()
        },
        "peak_mib": usage.peak_mib,
        "own_mib": usage.own_mib,
    }
