"""The API in this process, on a database of its own; a worker where a test needs it."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import pytest
from api.app import create_app
from api.settings import ApiSettings
from fastapi import FastAPI
from pydantic import SecretStr
from shared.database.engine import create_engine
from shared.platform.converter import DATA_CONVERTER
from shared.platform.settings import DatabaseSettings
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.worker import Worker
from worker.orders.process import orders_process
from worker.runtime.sandbox import sandbox
from worker.settings import WorkerSettings

from tests.api.shop import CARRIER_SECRET, EASYPOST_SECRET, STRIPE_SECRET, Shop
from tests.support import infrastructure

NOWHERE = "127.0.0.1:1"
"""Nothing listens there: what Temporal looks like when it is down."""

MakeSettings = Callable[..., ApiSettings]


@pytest.fixture(scope="session")
def services(request: pytest.FixtureRequest) -> Iterator[infrastructure.Services]:
    ours = infrastructure.DIRECTORY not in os.environ
    infrastructure.start(request.config)
    yield infrastructure.services()
    if ours:
        infrastructure.stop(request.config)


@pytest.fixture
async def database(services: infrastructure.Services) -> AsyncIterator[str]:
    async with services.database() as url:
        yield url


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    """For looking behind the API, and for what only a worker may write."""
    settings = DatabaseSettings(database_url=SecretStr(database))
    engine = create_engine(settings, application="test")
    yield engine
    await engine.dispose()


@pytest.fixture
def make_settings(database: str) -> MakeSettings:
    def make(**changed: Any) -> ApiSettings:
        values = {
            "database_url": SecretStr(database),
            "temporal_host": NOWHERE,
            "api_auth": "disabled-loopback-only",
            "stripe_webhook_secret": SecretStr(STRIPE_SECRET),
            "carrier_webhook_secret": SecretStr(CARRIER_SECRET),
            "easypost_webhook_secret": SecretStr(EASYPOST_SECRET),
        }
        return ApiSettings(**(values | changed))

    return make


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """The application between its start and its stop, without a socket."""
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://api") as client,
    ):
        yield client


@pytest.fixture
def app(make_settings: MakeSettings) -> FastAPI:
    return create_app(make_settings())


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(app) as client:
        yield client


@pytest.fixture
async def shop(client: httpx2.AsyncClient) -> Shop:
    """With Temporal down: whatever works here needs nothing but PostgreSQL."""
    return Shop(client)


@pytest.fixture
async def temporal(services: infrastructure.Services) -> Client:
    namespace = await services.namespace()
    return await Client.connect(
        services.temporal, namespace=namespace, data_converter=DATA_CONVERTER
    )


@pytest.fixture
async def live_client(
    temporal: Client, services: infrastructure.Services, make_settings: MakeSettings
) -> AsyncIterator[httpx2.AsyncClient]:
    """The API with Temporal, and nobody who works."""
    settings = make_settings(
        temporal_host=services.temporal, temporal_namespace=temporal.namespace
    )
    async with running(create_app(settings)) as client:
        yield client


@pytest.fixture
async def live(
    live_client: httpx2.AsyncClient,
    temporal: Client,
    services: infrastructure.Services,
    database: str,
    engine: AsyncEngine,
) -> AsyncIterator[Shop]:
    """The API with Temporal and a worker; parcels go by hand."""
    settings = WorkerSettings(
        database_url=SecretStr(database),
        stripe_api_key=SecretStr("sk_test_api"),
        stripe_api_base=services.payments,
    )
    process = orders_process(settings, engine, temporal)
    async with AsyncExitStack() as stack:
        if process.close is not None:
            stack.push_async_callback(process.close)
        for queue in process.queues:
            worker = Worker(
                temporal,
                task_queue=queue.name,
                workflows=queue.workflows,
                activities=queue.activities,
                workflow_runner=sandbox(),
            )
            await stack.enter_async_context(worker)
        yield Shop(live_client)
