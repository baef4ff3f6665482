"""The worker's page of metrics: the process's own, and the figures of the business."""

import asyncio
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, generate_latest
from shared.platform.metrics import ProcessMetrics
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.runtime.figures import Figure, Figures


class Metrics:
    """`runtime` is for the Temporal client, whose metrics are then on the page."""

    def __init__(self, engine: AsyncEngine, figures: Sequence[Figure]) -> None:
        self._process = ProcessMetrics()
        self.runtime = self._process.runtime
        self._figures = Figures(engine, figures)
        self._registry = CollectorRegistry()
        self._registry.register(self._figures)

    def close(self) -> None:
        self._process.close()

    async def render(self) -> bytes:
        await self._figures.refresh()
        page = await asyncio.to_thread(self._process.page)
        return generate_latest(self._registry) + page
