"""The worker's life: probes first, then work, and an end in good order."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from shared.contracts.orders.states import MoneyKind, OrderStatus
from temporalio.client import Client
from worker.orders.registration import REGISTRATION, orders_process
from worker.runtime import service
from worker.runtime.registry import Process, Registration
from worker.runtime.service import WorkerService
from worker.settings import WorkerSettings

from tests.conftest import NOWHERE, MakeWorkerSettings
from tests.support.infrastructure import Services
from tests.support.shop import Shop, has_status

AUTHORIZE = "POST /v1/payment_intents$"
PATIENCE_SECONDS = 30


@dataclass
class Running:
    """A worker in this process, with its probes on a port of its own."""

    http: httpx2.AsyncClient
    stop: asyncio.Event
    ended: "asyncio.Task[int]"

    async def ready(self) -> dict[str, Any]:
        """What it says once its port answers; empty when it is ready."""
        while True:
            try:
                answer = await self.http.get("/ready")
            except httpx2.TransportError:
                await asyncio.sleep(0.02)
                continue
            problems: dict[str, Any] = answer.json()["problems"]
            assert (answer.status_code == 200) == (not problems)
            return problems

    async def until(self, problems: dict[str, str]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            # Probes poll; nothing tells them.
            while await self.ready() != problems:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def shows(self, metric: str) -> None:
        """Temporal's metrics come to the page once a second."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while metric not in (await self.http.get("/metrics")).text:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def end(self) -> int:
        self.stop.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.ended


@asynccontextmanager
async def running(
    settings: WorkerSettings, process: Registration = REGISTRATION
) -> AsyncIterator[Running]:
    stop = asyncio.Event()
    ended = asyncio.create_task(WorkerService(settings, [process]).run(stop))
    base_url = f"http://127.0.0.1:{settings.metrics_port}"
    async with httpx2.AsyncClient(base_url=base_url, trust_env=False) as http:
        try:
            yield Running(http, stop, ended)
        finally:
            stop.set()
            await ended


@pytest.fixture
def settings(
    worker_settings: MakeWorkerSettings, services: Services, temporal: Client
) -> WorkerSettings:
    return worker_settings(
        temporal_host=services.temporal,
        temporal_namespace=temporal.namespace,
        metrics_host="127.0.0.1",
        metrics_port=free_port(),
        graceful_shutdown_seconds=20,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


async def test_it_answers_probes_before_temporal_is_there(
    settings: WorkerSettings,
) -> None:
    lost = settings.model_copy(update={"temporal_host": NOWHERE})
    async with running(lost) as worker:
        assert await worker.ready() == {"temporal": "not connected yet"}
        health = await worker.http.get("/health")
        assert health.headers["content-type"] == "application/json"
        # Which version it is, no stranger has to know.
        assert health.json() == {"status": "ok"}
        assert (await worker.http.get("/elsewhere")).status_code == 404
        assert await worker.end() == 0


async def test_it_works_until_it_is_told_to_stop(
    settings: WorkerSettings, closed_shop: Shop, temporal: Client
) -> None:
    async with running(settings) as worker:
        await worker.until({})
        await closed_shop.confirmed(TEA=1)
        await worker.shows("temporal_workflow_task_execution_latency_seconds")
        schedules = [s.id async for s in await temporal.list_schedules()]
        assert await worker.end() == 0
    assert "sweep-orders" in schedules


async def test_no_more_workflows_stay_in_memory_than_it_is_told(
    settings: WorkerSettings, closed_shop: Shop
) -> None:
    await closed_shop.stock(TEA=2)
    async with running(settings.model_copy(update={"max_cached_workflows": 1})) as it:
        for order_id in [await closed_shop.place(TEA=1) for _ in range(2)]:
            await closed_shop.until(order_id, has_status(OrderStatus.CONFIRMED))
        page = (await it.http.get("/metrics")).text
    kept = [
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "temporal_sticky_cache_size"
    ]
    assert kept
    assert max(kept) <= 1


async def test_what_runs_is_finished_before_the_end(
    settings: WorkerSettings, closed_shop: Shop
) -> None:
    shop = closed_shop
    await shop.stock(TEA=1)
    async with running(settings) as worker:
        with shop.payments.gate(AUTHORIZE) as provider:
            order_id = await shop.place(TEA=1)
            await provider.reached.wait()
            worker.stop.set()
            await worker.until({"worker": "draining"})
            assert not worker.ended.done()
        assert await worker.end() == 0
    order = await shop.order(order_id)
    assert order.payments[0].authorized == order.total


async def test_a_provider_that_does_not_let_go_does_not_keep_it(
    settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    def build(*known: Any) -> Process:
        return replace(orders_process(*known), close=never)

    monkeypatch.setattr(service, "LAST_WORDS", timedelta(milliseconds=100))
    lost = settings.model_copy(
        update={"temporal_host": NOWHERE, "graceful_shutdown_seconds": 0}
    )
    held = Registration(build, workflows=(), search_attributes=(), gauges=())
    async with running(lost, held) as worker:
        await worker.ready()
        assert await worker.end() == 0


async def test_a_step_that_fails_for_ever_does_not_keep_it(
    settings: WorkerSettings, closed_shop: Shop
) -> None:
    shop = closed_shop
    await shop.stock(TEA=1)
    await shop.payments.strike("down", AUTHORIZE)
    async with running(settings) as worker:
        order_id = await shop.place(TEA=1)
        await shop.until(
            order_id, lambda o: o.payments[0].rows(MoneyKind.AUTHORIZE) != []
        )
        assert await worker.end() == 0
    await shop.payments.recover()
    async with running(settings):
        await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
