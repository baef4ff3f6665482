"""The processes as they are deployed, under a little load, seen from outside."""

import asyncio
import fcntl
import json
import os
import sys
import uuid
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.fernet import Fernet
from devstack.observability.spans import Span, Traces
from devstack.observability.traces import receiving
from devstack.ports import free_ports
from devstack.probe import answers
from devstack.subprocess import Command, Process
from pydantic import SecretStr
from shared.contracts.orders.states import OrderStatus
from shared.database.engine import connector, create_engine
from shared.database.kernel.unit_of_work import CHANNEL
from shared.database.listen import Listener
from shared.platform.converter import DATA_CONVERTER
from shared.platform.settings import DatabaseSettings
from temporalio.client import Client

from tests.api.shop import eventually
from tests.support import infrastructure
from tests.support.peers import Host, payments_simulator
from tests.support.shop import Shop, has_status

PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Seen:
    pages: dict[str, str]
    """What Prometheus would read, by the name of its job."""
    trace: list[Span]
    """Of an order that was placed, confirmed and cancelled."""
    order_id: str
    trace_id: str
    logs: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="session")
async def seen(
    services: infrastructure.Services,
    host: Host,
    tmp_path_factory: pytest.TempPathFactory,
) -> Seen:
    """Looked at once for a whole run: the first of xdist's workers leaves it for the
    others."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)
    kept = Path(os.environ[infrastructure.DIRECTORY]) / f"seen-{run}.json"
    with kept.with_suffix(".lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        if not kept.exists():
            home = tmp_path_factory.mktemp("seen")
            kept.write_text(json.dumps(asdict(await _look(services, host, home))))
    read = json.loads(kept.read_text())
    return Seen(**read | {"trace": [Span(**span) for span in read["trace"]]})


async def _look(services: infrastructure.Services, host: Host, home: Path) -> Seen:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(services.database())
        provider = payments_simulator(home / "payments", "", "")
        payments = await stack.enter_async_context(host.simulator(provider, home.name))
        traces = Traces()
        otlp = await stack.enter_async_context(receiving(traces, 0))
        http = await stack.enter_async_context(
            httpx2.AsyncClient(trust_env=False, timeout=10)
        )
        client = await Client.connect(
            services.temporal,
            namespace=await services.namespace(),
            data_converter=DATA_CONVERTER,
        )
        ports = free_ports()
        environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database,
            "TEMPORAL_HOST": services.temporal,
            "TEMPORAL_NAMESPACE": client.namespace,
            "STRIPE_API_KEY": "sk_test_seen",
            "STRIPE_API_BASE": payments.url,
            "API_AUTH": "disabled-loopback-only",
            "SHOP_ORIGINS": "https://shop.example.com",
            "WEBHOOK_NETWORKS": "127.0.0.0/8",
            "API_PORT": str(ports.api),
            "METRICS_HOST": "127.0.0.1",
            "CONSOLE_AUTH": "disabled-loopback-only",
            "CONSOLE_PORT": str(ports.console),
            "CONSOLE_URL": f"http://127.0.0.1:{ports.console}",
            "CONSOLE_API_URL": f"http://127.0.0.1:{ports.api}",
            "CONSOLE_SESSION_KEYS": Fernet.generate_key().decode(),
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{otlp}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        metrics = {
            "worker": ports.worker,
            "api": ports.api_metrics,
            "deliverer": ports.deliverer,
            "console": ports.console_metrics,
        }
        ready = {**metrics, "api": ports.api, "console": ports.console}
        modules = {
            "worker": ["worker"],
            "api": ["api"],
            "deliverer": ["api", "deliver"],
            "console": ["console"],
        }
        for name, module in modules.items():
            process = Process(
                Command(
                    name=name,
                    argv=(sys.executable, "-m", *module),
                    environment=environment | {"METRICS_PORT": str(metrics[name])},
                    log=home / f"{name}.log",
                    ready=lambda port=ready[name]: answers(  # type: ignore[misc]
                        http, f"http://127.0.0.1:{port}/ready"
                    ),
                )
            )
            stack.push_async_callback(process.stop)
            await process.start()

        settings = DatabaseSettings(database_url=SecretStr(database))
        engine = create_engine(settings, application="test")
        stack.push_async_callback(engine.dispose)
        listener = Listener(connector(settings, application="test"), CHANNEL)
        listener.start()
        stack.push_async_callback(listener.stop)
        caller = await stack.enter_async_context(
            httpx2.AsyncClient(
                base_url=f"http://127.0.0.1:{ports.api}", trust_env=False, timeout=10
            )
        )
        shop = Shop(caller, client, engine, listener, payments, payments)
        endpoint = {"url": payments.url, "owner_email": "erp@example.com"}
        await shop.post("/v1/webhook-endpoints", endpoint)
        order_id, trace_id = await _load(shop, traces)
        await _until(traces, trace_id, "RunWorkflow:Order")
        await http.get(f"http://127.0.0.1:{ports.console}/orders/{order_id}")
        await eventually(lambda: _has_told(http, ports.deliverer))
        jobs = {
            "temporal-worker": ports.worker,
            "fastapi-service": ports.api_metrics,
            "webhook-deliverer": ports.deliverer,
            "console": ports.console_metrics,
        }
        return Seen(
            pages={
                job: (await http.get(f"http://127.0.0.1:{port}/metrics")).text
                for job, port in jobs.items()
            },
            trace=traces.of(trace_id),
            order_id=order_id,
            trace_id=trace_id,
            logs={name: _lines(home / f"{name}.log") for name in ("worker", "api")},
        )


async def _load(shop: Shop, traces: Traces) -> tuple[str, str]:
    """One parcel that leaves, and one order that is cancelled: its id and trace."""
    await shop.shipped(await shop.confirmed(MUG=1))
    await shop.stock(TEA=1)
    placed: list[httpx2.Response] = []

    async def keep(answer: httpx2.Response) -> None:
        if answer.request.method == "POST" and answer.request.url.path == "/v1/orders":
            placed.append(answer)

    shop.http.event_hooks = {"response": [keep]}
    order_id = await shop.place(TEA=1)
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    trace_id = str(placed[0].headers["X-Request-Id"])
    # What was done for it has been told, and not just done.
    await _until(traces, trace_id, "RunActivity:authorize")
    await shop.cancel(order_id)
    await shop.ended(order_id)
    missing = await shop.http.get(f"/v1/orders/{uuid.uuid4()}")
    assert missing.status_code == httpx2.codes.NOT_FOUND
    return order_id, trace_id


async def _has_told(http: httpx2.AsyncClient, deliverer: int) -> bool:
    """An endpoint is taken care of within a second: an order may be faster."""
    page = (await http.get(f"http://127.0.0.1:{deliverer}/metrics")).text
    return "webhook_attempts_total{" in page


async def _until(traces: Traces, trace_id: str, name: str) -> None:
    await traces.until(lambda: traces.of(trace_id), name, PATIENCE_SECONDS)
    # Else each run waits for something that no longer happens.
    assert name in {span.name for span in traces.of(trace_id)}


def _lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]
