"""(h) The closest public peer, on the same machine in the same run: Temporal's order
reference application in Go, whose program `oms` is built elsewhere.

Its order is much less than ours: no prices, stock, provider, ledger, mail or token, and
two rows in SQLite. The result is in our favour only if ours is still the faster.
"""

import asyncio
import os
import statistics
import tempfile
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from devstack.ports import HOST, free_ports
from temporalio.client import Client

from benchmarks.growth import with_workers
from benchmarks.processes import pids_of
from benchmarks.shop import timed
from benchmarks.system import running
from benchmarks.throughput import WARM_UP, complete, one_run

Json = dict[str, Any]
PATIENCE_SECONDS = 120.0
STARTED = b"Started Worker"
WORKERS = 3
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""SQLite would flush each write; our own database is told not to."""
MOVED = b'msg="Shipment status updated"'


async def measure(oms: Path, orders: int, concurrency: int, runs: int) -> Json:
    """The peer and ours by turns, each time on a fresh server. `ratio` is ours by the
    peer's, also with a second worker on the same cores."""
    found: dict[str, list[Json]] = defaultdict(list)
    for _ in range(runs):
        found["peer"].append(await _of_peer(oms, orders, concurrency))
        ours = await with_workers((1, 2), orders, concurrency)
        found["ours"].append(ours["workers"][0])
        found["ours, with two workers"].append(ours["workers"][1])
    rates = {
        name: statistics.median(run["orders_per_second"] for run in of_one)
        for name, of_one in found.items()
    }
    return {
        "orders": orders,
        "concurrency": concurrency,
        "orders_per_second": rates,
        "ratio": {name: rate / rates["peer"] for name, rate in rates.items()},
        "runs": found,
    }


async def _of_peer(oms: Path, orders: int, concurrency: int) -> Json:
    async with _running(oms) as (peer, pids):
        await complete(peer, WARM_UP, concurrency)
        return await one_run(peer, pids, orders, concurrency)


@dataclass
class Peer:
    """Its customers and its carrier. What they wait for the worker's log tells, which
    costs the measured nothing."""

    orders: str
    shipments: str
    http: httpx2.AsyncClient
    temporal: Client
    log: "_Log"
    seconds: dict[str, list[float]]

    async def completed(self, *_: str) -> None:
        """One order of one item, from POST to the end of its workflow."""
        with timed(self.seconds["order"]):
            order = str(uuid.uuid4())
            item = {"sku": "SKU-1", "quantity": 1}
            body = {"id": order, "customerId": "customer-1", "items": [item]}
            with timed(self.seconds["place"]):
                await self._post(f"{self.orders}/orders", body)
            shipment = f"{order}:1"
            for reached, following in (
                ("booked", "dispatched"),
                ("dispatched", "delivered"),
            ):
                await self.log.told(shipment, reached)
                url = f"{self.shipments}/shipments/{shipment}/status"
                await self._post(url, {"status": following})
            await self.temporal.get_workflow_handle(f"Order:{order}").result()

    async def _post(self, url: str, body: Json) -> None:
        (await self.http.post(url, json=body)).raise_for_status()


class _Log:
    """What the peer's worker writes, line by line."""

    def __init__(self) -> None:
        self._events: dict[bytes, asyncio.Event] = defaultdict(asyncio.Event)
        self._workers = 0
        self.started = asyncio.Event()

    async def follow(self, stream: asyncio.StreamReader) -> None:
        async for line in stream:
            if STARTED in line:
                self._workers += 1
                if self._workers == WORKERS:
                    self.started.set()
            elif MOVED in line:
                words = dict(w.split(b"=", 1) for w in line.split() if b"=" in w)
                shipment = words[b"shipmentID"].strip(b'"')
                self._events[shipment + b" " + words[b"status"]].set()

    async def told(self, shipment: str, status: str) -> None:
        key = f"{shipment} {status}".encode()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._events[key].wait()
        del self._events[key]


@asynccontextmanager
async def _running(oms: Path) -> AsyncIterator[tuple[Peer, dict[str, int]]]:
    async with AsyncExitStack() as stack:
        data = stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY))
        server = await stack.enter_async_context(running(("temporal",)))
        urls, environment = _places(server.at.temporal, data)
        log = _Log()
        worker = await stack.enter_async_context(
            _started(oms, "worker", environment, log)
        )
        api = await stack.enter_async_context(_started(oms, "api", environment, _Log()))
        http = await stack.enter_async_context(httpx2.AsyncClient(timeout=60))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await log.started.wait()
            await _answers(http, f"{urls['order']}/orders")
        peer = Peer(
            urls["order"],
            urls["shipment"],
            http,
            await Client.connect(server.at.temporal),
            log,
            defaultdict(list),
        )
        yield peer, {**pids_of(server), "worker": worker, "api": api}


def _places(temporal: str, data: str) -> tuple[dict[str, str], dict[str, str]]:
    """Where its four APIs listen, and how it is told so."""
    free = free_ports()
    ports = {
        "order": free.api,
        "shipment": free.carrier,
        "billing": free.payments,
        "fraud": free.mail,
    }
    urls = {name: f"http://{HOST}:{port}" for name, port in ports.items()}
    return urls, {
        **{k: v for k, v in os.environ.items() if not k.startswith("TEMPORAL_")},
        "TEMPORAL_ADDRESS": temporal,
        "DATA_DIR": data,
        **{f"{name.upper()}_API_PORT": str(port) for name, port in ports.items()},
        **{f"{name.upper()}_API_URL": url for name, url in urls.items()},
    }


@asynccontextmanager
async def _started(
    oms: Path, part: str, environment: dict[str, str], log: _Log
) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        *(oms, part),
        env=environment,
        # Some of its versions keep their store where they are started.
        cwd=environment["DATA_DIR"],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    following = asyncio.create_task(log.follow(process.stdout))
    try:
        yield process.pid
    finally:
        process.terminate()
        await process.wait()
        await following


async def _answers(http: httpx2.AsyncClient, url: str) -> None:
    while True:
        try:
            if (await http.get(url)).is_success:
                return
        except httpx2.TransportError:
            pass
        # It tells nobody when it is ready.
        await asyncio.sleep(0.1)
