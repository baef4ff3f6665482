"""Workers of several builds, each a process."""

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from devstack.ports import free_ports
from devstack.probe import answers
from devstack.subprocess import Command, Process
from shared.platform.converter import DATA_CONVERTER
from temporalio.client import Client
from worker.releasing.builds import Builds

from tests.releases.commands import at
from tests.releases.waiting import known
from tests.support.infrastructure import Services
from tests.support.peers import Peer

DEPLOYMENT = "order-worker"
OTHER = "tests.releases.other_build"
"""The module of the build with other steps."""

Start = Callable[..., AbstractAsyncContextManager[Process]]


@pytest.fixture
async def temporal(services: Services) -> Client:
    """In a namespace that is used once, because it goes on knowing the builds it
    had."""
    return await Client.connect(
        services.temporal,
        namespace=await services.namespace(),
        data_converter=DATA_CONVERTER,
    )


@pytest.fixture
def start(
    database: str, temporal: Client, payments: Peer, carrier: Peer, tmp_path: Path
) -> Start:
    """Start a worker: `start()` is not versioned, `start("a")` is build `a`."""
    environment = {
        "DATABASE_URL": database,
        "STRIPE_API_KEY": "sk_test_core",
        "STRIPE_API_BASE": payments.url,
        "CARRIER": "simulator",
        "CARRIER_API_BASE": carrier.url,
        "METRICS_HOST": "127.0.0.1",
        "GRACEFUL_SHUTDOWN_SECONDS": "2",
        "LOG_FORMAT": "console",
    } | at(temporal)

    @asynccontextmanager
    async def start(
        build: str | None = None, module: str = "worker"
    ) -> AsyncIterator[Process]:
        port = free_ports().worker
        version = {
            "TEMPORAL_DEPLOYMENT_NAME": DEPLOYMENT,
            "TEMPORAL_WORKER_BUILD_ID": build or "",
        }
        async with httpx2.AsyncClient(trust_env=False) as http:
            process = Process(
                Command(
                    name=build or "unversioned",
                    argv=(sys.executable, "-m", module),
                    environment=os.environ
                    | environment
                    | (version if build else {})
                    | {"METRICS_PORT": str(port)},
                    log=tmp_path / f"{build}.log",
                    ready=lambda: answers(http, f"http://127.0.0.1:{port}/ready"),
                )
            )
            await process.start()
            try:
                if build is not None:
                    # It is ready a moment before the server knows that it polls.
                    await known(Builds(temporal, DEPLOYMENT), build)
                yield process
            finally:
                await process.stop()

    return start
