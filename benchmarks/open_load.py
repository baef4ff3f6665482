"""(c) Open load: orders come at a fixed rate, whether the last are done or not."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.shop import Shop, open_shop, sku
from benchmarks.system import running
from benchmarks.throughput import WARM_UP, complete, percentiles

Json = dict[str, Any]
MOST_SECONDS_BEHIND = 5.0
"""It breaks where more orders are under way than come in this time."""


async def measure(rates: Sequence[float], seconds: float) -> Json:
    """From the lowest rate up, until it breaks."""
    found = []
    async with running() as stack, open_shop(stack.at) as shop:
        await shop.stock(sku(1))
        await complete(shop, WARM_UP, WARM_UP)
        for rate in rates:
            found.append(await _at_rate(shop, rate, seconds))
            if not found[-1]["kept_up"]:
                break
    broke = [run["per_second"] for run in found if not run["kept_up"]]
    return {"breaks_at": broke[0] if broke else None, "rates": found}


async def _at_rate(shop: Shop, rate: float, seconds: float) -> Json:
    shop.seconds.clear()
    clock = asyncio.get_running_loop().time
    began, coming = clock(), int(rate * seconds)
    async with asyncio.TaskGroup() as group:
        for n in range(coming):
            await asyncio.sleep(max(0.0, began + n / rate - clock()))
            group.create_task(shop.completed())
        done = len(shop.seconds["order"])
        last = time.perf_counter()
    return {
        "per_second": rate,
        "orders": coming,
        "done_when_the_last_came": done,
        "seconds_to_finish": time.perf_counter() - last,
        "kept_up": (coming - done) / rate <= MOST_SECONDS_BEHIND,
        "milliseconds": {
            name: percentiles(values) for name, values in shop.seconds.items() if values
        },
    }
