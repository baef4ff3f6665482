"""(w) Webhooks: what a delivery costs, and how late it is; and what it would cost if a
workflow for each endpoint made it."""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
import httpx2
import uvicorn
from devstack.ports import HOST, free_ports
from devstack.stack import Stack
from devstack.temporal import NAMESPACE
from temporalio.client import Client
from temporalio.worker import Worker

from benchmarks.counting import settled_requests
from benchmarks.endpoint_workflow import Endpoint, deliver
from benchmarks.processes import pids_of, used_by
from benchmarks.system import running
from benchmarks.throughput import percentiles

Json = dict[str, Any]
PARTS = ("postgres", "temporal", "deliverer")
SUBJECTS = 1_000
PATIENCE_SECONDS = 600
NOTICED_SECONDS = 3.0
"""By then the deliverer has leased new endpoints."""
OUR_PARTS = ("deliverer", "postgres")


async def measure(events: int, endpoints: int, paced: int, rate: int) -> Json:
    """A burst of events, and then some at a fixed rate, to so many endpoints."""
    async with running(PARTS) as stack, _receiving(endpoints) as heard:
        database = await asyncpg.connect(stack.at.database)
        await _subscribe(database, heard.port, endpoints)
        await asyncio.sleep(NOTICED_SECONDS)
        burst = await _burst(stack, database, heard, events, endpoints)
        steady = await _steady(database, heard, paced, rate, endpoints)
        await database.close()
        temporal = await _by_workflow(stack, paced)
    return {
        "events": events,
        "endpoints": endpoints,
        "burst": burst,
        "steady": steady,
        "workflow_for_each_endpoint": temporal,
    }


async def _burst(
    stack: Stack,
    database: "asyncpg.Connection",
    heard: "_Heard",
    events: int,
    endpoints: int,
) -> Json:
    deliveries = events * endpoints
    began = time.perf_counter()
    with used_by(pids_of(stack)) as usage:
        await database.execute(_HAPPENED, events, SUBJECTS)
        await database.execute("NOTIFY changes")
        await heard.until(deliveries)
    seconds = time.perf_counter() - began
    cpu_ms = {p: usage.cpu_seconds[p] * 1000 / deliveries for p in OUR_PARTS}
    return {
        "deliveries_per_second": deliveries / seconds,
        "cpu_ms_per_delivery": {**cpu_ms, "both": sum(cpu_ms.values())},
        "repeated": heard.count - deliveries,
        "out_of_order": heard.out_of_order,
        "deliverer_peak_mib": usage.peak_mib["deliverer"],
    }


async def _steady(
    database: "asyncpg.Connection",
    heard: "_Heard",
    events: int,
    rate: int,
    endpoints: int,
) -> Json:
    heard.forget()
    for number in range(events):
        await database.execute(_HAPPENED, 1, 1)
        await database.execute("NOTIFY changes")
        if number + 1 < events:
            await asyncio.sleep(1 / rate)
    await heard.until(events * endpoints)
    return {"events_per_second": rate, "lag_ms": percentiles(heard.lags)}


async def _by_workflow(stack: Stack, events: int) -> Json:
    """Events that come one by one, as they do in a shop."""
    client = await Client.connect(stack.at.temporal, namespace=NAMESPACE)
    metrics = f"http://{HOST}:{stack.at.ports.temporal_metrics}/metrics"
    async with (
        httpx2.AsyncClient(trust_env=False) as http,
        Worker(client, task_queue="w", workflows=[Endpoint], activities=[deliver]),
    ):
        handle = await client.start_workflow(Endpoint.run, id="e", task_queue="w")
        before = await settled_requests(http, metrics)
        with used_by(pids_of(stack)) as usage:
            for number in range(events):
                await handle.signal(Endpoint.happened, f"742-{number}")
                await asyncio.sleep(0.05)
        after = (await settled_requests(http, metrics)).since(before)
        await handle.terminate()
    return {
        "frontend_requests_per_delivery": after.frontend.total() / events,
        "persistence_requests_per_delivery": after.persistence.total() / events,
        "temporal_cpu_ms_per_delivery": usage.cpu_seconds["temporal"] * 1000 / events,
    }


class _Heard:
    """What all receivers heard: the first of each, in which order and how late."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.out_of_order = 0
        self.forget()
        self._seqs: dict[tuple[str, str], int] = {}

    def forget(self) -> None:
        self.count = 0
        self.lags: list[float] = []
        self._enough, self._wanted = asyncio.Event(), math.inf

    def note(self, endpoint: str, body: bytes) -> None:
        now = time.time()
        event = json.loads(body)
        place = endpoint, event["subject"]
        self.out_of_order += event["seq"] != self._seqs.get(place, 0) + 1
        self._seqs[place] = event["seq"]
        self.lags.append(now - datetime.fromisoformat(event["at"]).timestamp())
        self.count += 1
        if self.count >= self._wanted:
            self._enough.set()

    async def until(self, count: int) -> None:
        self._wanted = count
        if self.count < count:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._enough.wait()


@asynccontextmanager
async def _receiving(endpoints: int) -> AsyncIterator[_Heard]:
    heard = _Heard(free_ports().api)

    async def receiver(scope: Any, receive: Any, send: Any) -> None:
        heard.note(scope["path"], (await receive())["body"])
        start = {"type": "http.response.start", "status": 204, "headers": []}
        await send(start)
        await send({"type": "http.response.body"})

    config = uvicorn.Config(
        receiver, host=HOST, port=heard.port, log_level="error", lifespan="off"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    yield heard
    server.should_exit = True
    await serving


async def _subscribe(database: "asyncpg.Connection", port: int, endpoints: int) -> None:
    for number in range(endpoints):
        await database.execute(
            _SUBSCRIBED, f"whe_{number:026}", f"http://{HOST}:{port}/{number}"
        )


_SUBSCRIBED = """
INSERT INTO webhook_endpoints
  (id, url, owner_email, types, secret, transaction_id, event_id)
SELECT $1, $2, 'a@example.com', '["*"]', 'whsec_' || repeat('A', 40), 0, 0
"""
_HAPPENED = """
INSERT INTO events (subject, seq, type, actor, data)
SELECT 'ord_' || n % $2, row_number() OVER (PARTITION BY n % $2)
    + coalesce((SELECT max(seq) FROM events WHERE subject = 'ord_' || n % $2), 0),
  'order.placed', 'system', '{"amount": 1290}'
FROM generate_series(1, $1::int) AS n
"""
