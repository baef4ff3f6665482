"""The worker's page of metrics: the process's own, and the gauges of the business."""

import asyncio
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, generate_latest
from shared.database.engine import Engine
from shared.platform.metrics import ProcessMetrics

from worker.runtime.gauges import Gauge, Gauges


class Metrics:
    """`runtime` is for the Temporal client, whose metrics are then on the page."""

    def __init__(self, engine: Engine, gauges: Sequence[Gauge]) -> None:
        self._process = ProcessMetrics()
        self.runtime = self._process.runtime
        self._gauges = Gauges(engine, gauges)
        self._registry = CollectorRegistry()
        self._registry.register(self._gauges)

    def close(self) -> None:
        self._process.close()

    async def render(self) -> bytes:
        await self._gauges.refresh()
        page = await asyncio.to_thread(self._process.page)
        return generate_latest(self._registry) + page
