"""(e) The API alone: against a bare route, `start_workflow` and commit."""

import asyncio
import json
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import httpx2
import uvicorn
from devstack.ports import HOST, free_ports
from devstack.temporal import NAMESPACE
from fastapi import FastAPI
from temporalio.client import Client

from benchmarks.processes import pids_of, used_by
from benchmarks.shop import Shop, open_shop, sku
from benchmarks.system import running
from benchmarks.throughput import percentiles

Json = dict[str, Any]
Request = Callable[[], Awaitable[object]]
NO_WORKER = ("postgres", "temporal", "api")


async def measure(requests: int, listeners: int) -> Json:
    """One request at a time, so that no queue is measured; there is no worker."""
    async with (
        running(NO_WORKER) as stack,
        open_shop(stack.at) as shop,
        _bare_route() as bare,
    ):
        client = await Client.connect(stack.at.temporal, namespace=NAMESPACE)
        await shop.stock(sku(1))
        order_id = await shop.place()
        pool = shop.database
        await pool.execute("CREATE TABLE bare (id text PRIMARY KEY, body jsonb)")
        asked: dict[str, Request] = {
            "bare route": lambda: bare.get("/"),
            "bare start_workflow": lambda: _start(client),
            "bare commit": lambda: _commit(pool),
            "POST /v1/orders": shop.place,
            "GET /v1/orders/{id}": lambda: shop.api.get(f"/v1/orders/{order_id}"),
            "GET /v1/orders": lambda: shop.api.get("/v1/orders?limit=50"),
        }
        pids = pids_of(stack)
        found: Json = {}
        for name, request in asked.items():
            await _times(request, 30)
            with used_by(pids) as usage:
                seconds = await _times(request, requests)
            found[name] = percentiles(seconds) | {
                "api_cpu_ms": usage.cpu_seconds["api"] * 1000 / requests
            }
        fan_out = await _fan_out(shop, stack.at.api, order_id, listeners)
        with used_by(pids) as usage:
            pass
    floor = found["bare start_workflow"]["p50"] + found["bare commit"]["p50"]
    return {
        "requests": requests,
        "milliseconds": found,
        "post_to_start_and_commit": found["POST /v1/orders"]["p50"] / floor,
        "fan_out": fan_out,
        "api_peak_mib": usage.peak_mib["api"],
        "api_own_mib": usage.own_mib["api"],
    }


async def _times(request: Request, count: int) -> list[float]:
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        await request()
        seconds.append(time.perf_counter() - began)
    return seconds


async def _start(client: Client) -> None:
    await client.start_workflow("Nobody", id=str(uuid.uuid4()), task_queue="nowhere")


async def _commit(pool: "asyncpg.Pool[Any]") -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO bare VALUES ($1, $2)", str(uuid.uuid4()), json.dumps({"a": 1})
        )


@asynccontextmanager
async def _bare_route() -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()

    @app.get("/")
    async def nothing() -> dict[str, str]:
        return {}

    port = free_ports().api
    config = uvicorn.Config(app, host=HOST, port=port, log_level="error")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    async with httpx2.AsyncClient(
        base_url=f"http://{HOST}:{port}", trust_env=False
    ) as http:
        while not server.started:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
        yield http
        server.should_exit = True
        await serving


# ── server-sent events ──────────────────────────────────────────────────────────────


async def _fan_out(shop: Shop, api: str, order_id: str, listeners: int) -> Json:
    """From an event's commit until each of so many listeners has it, in
    milliseconds."""
    heard: list[float] = []
    ready = asyncio.Semaphore(0)
    everybody = asyncio.Event()

    async def listen() -> None:
        host, _, port = api.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"GET /v1/orders/{order_id}/events HTTP/1.1\r\nHost: {host}\r\n"
            "Accept: text/event-stream\r\nLast-Event-ID: 1\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        ready.release()
        while b"benchmark.heard" not in await reader.readline():
            pass
        heard.append(time.perf_counter())
        if len(heard) == listeners:
            everybody.set()
        writer.close()

    listening = [asyncio.create_task(listen()) for _ in range(listeners)]
    for _ in listening:
        await ready.acquire()
    began = time.perf_counter()
    await shop.database.execute(_EVENT, order_id)
    await shop.database.execute("SELECT pg_notify('changes', $1)", order_id)
    with suppress(TimeoutError):
        async with asyncio.timeout(30):
            await everybody.wait()
    for task in listening:
        task.cancel()
    after = [1000 * (moment - began) for moment in heard]
    return {
        "listeners": listeners,
        "heard": len(heard),
        "median_ms": statistics.median(after),
        "last_ms": max(after),
    }


_EVENT = """
WITH event AS (
  INSERT INTO events (subject, seq, type, actor)
  SELECT id, version + 1, 'benchmark.heard', 'benchmark' FROM orders WHERE id = $1
)
UPDATE orders SET version = version + 1 WHERE id = $1
"""
