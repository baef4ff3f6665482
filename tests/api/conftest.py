"""The API in this process, on a database of its own; a worker where a test needs it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any

import httpx2
import pytest
from api.app import create_app
from api.settings import ApiSettings
from fastapi import FastAPI
from pydantic import SecretStr
from temporalio.client import Client

from tests.api.shop import Shop
from tests.conftest import (
    API,
    CARRIER_SECRET,
    EASYPOST_SECRET,
    NOWHERE,
    SHIPPING_TARIFFS,
    SHOP_ORIGINS,
    STRIPE_SECRET,
    Work,
)
from tests.support import infrastructure
from tests.support.peers import Host

MakeSettings = Callable[..., ApiSettings]


@pytest.fixture
async def database(services: infrastructure.Services) -> AsyncIterator[str]:
    """Some tests write what only a worker may: nobody checks the books after them."""
    async with services.lent_database() as url:
        yield url


@pytest.fixture
def make_settings(database: str) -> MakeSettings:
    usual = usual_settings(database)

    def make(**changed: Any) -> ApiSettings:
        known = usual.model_dump(exclude_unset=True)
        return ApiSettings(**(known | changed)) if changed else usual

    return make


@lru_cache(maxsize=4)
def usual_settings(database: str) -> ApiSettings:
    return ApiSettings(
        database_url=SecretStr(database),
        temporal_host=NOWHERE,
        # A busy machine is no reason for an answer that says so.
        api_fail_fast_after=timedelta(seconds=30),
        api_auth="disabled-loopback-only",
        shop_origins=SHOP_ORIGINS,
        shipping_tariffs=SHIPPING_TARIFFS,
        stripe_webhook_secret=SecretStr(STRIPE_SECRET),
        carrier_webhook_secret=SecretStr(CARRIER_SECRET),
        easypost_webhook_secret=SecretStr(EASYPOST_SECRET),
    )


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
async def live_client(
    temporal: Client,
    services: infrastructure.Services,
    make_settings: MakeSettings,
    host: Host,
) -> AsyncIterator[httpx2.AsyncClient]:
    """The API with Temporal, where providers reach it, and without a worker."""
    app = create_app(
        make_settings(
            temporal_host=services.temporal,
            temporal_namespace=temporal.namespace,
            # Nor for this one.
            api_command_timeout=timedelta(seconds=30),
        )
    )
    async with (
        app.router.lifespan_context(app),
        host.peer(app, API) as api,
    ):
        yield api.http


@pytest.fixture
async def live(live_client: httpx2.AsyncClient, work: Work) -> AsyncIterator[Shop]:
    """The API with Temporal and a worker; parcels go by hand."""
    async with work(carrier="manual"):
        yield Shop(live_client)


@pytest.fixture
async def stocked(live: Shop) -> Shop:
    await live.sell()
    await live.receive(10)
    return live
