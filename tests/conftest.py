"""What every test may ask for: a database, a namespace, a shop, each of its own.

What is the same for all of them, and takes long to make, is made once for a process and
emptied in between: databases, pools, namespaces and the simulators.
"""

import base64
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any

import pytest
from api.app import create_app
from api.settings import ApiSettings
from devstack.environment import without_foreign_settings
from pydantic import SecretStr
from shared.database.engine import Engine, connector, create_engine
from shared.database.kernel.unit_of_work import CHANNEL
from shared.database.listen import Listener
from shared.platform.converter import DATA_CONVERTER
from shared.platform.main import freeze_heap
from shared.platform.settings import DatabaseSettings
from simulators.server import Simulator
from temporalio.client import Client
from worker.settings import WorkerSettings

from tests.support import infrastructure, once
from tests.support.audits import assert_books_balance, assert_no_personal_data
from tests.support.databases import KEPT
from tests.support.peers import (
    Host,
    Peer,
    hosting,
    parcels_simulator,
    payments_simulator,
)
from tests.support.shop import Shop
from tests.support.working import working

NOWHERE = "127.0.0.1:1"
"""Nothing listens there: what Temporal looks like when it is down."""

API = "api"
"""A test's API has this name at its `host`, where the providers send webhooks."""

STRIPE_SECRET = "whsec_test"
CARRIER_SECRET = "whsec_" + base64.b64encode(b"carrier").decode()
EASYPOST_SECRET = "easypost"

SHIPPING_TARIFFS = {("standard", "DE", "EUR"): 490, ("standard", "*", "EUR"): 990}
SHOP_ORIGINS = ("https://shop.example.com",)

WHOLE_SYSTEMS = ("faults", "e2e", "privacy")
"""Folders whose tests each take long."""

MakeWorkerSettings = Callable[..., WorkerSettings]
Work = Callable[..., AbstractAsyncContextManager[None]]
OpenShop = Callable[..., AbstractAsyncContextManager[Shop]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record-histories",
        action="store_true",
        help="write the histories in tests/histories anew, by the code as it is",
    )
    parser.addoption(
        "--pictures",
        action="store_true",
        help="write the pictures in docs/pictures anew, of the console as it is",
    )


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # In the background of a shell; otherwise all that we start would be deaf to
        # Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Settings are what a test gives, not what the shell that started it has.
    ours = without_foreign_settings(os.environ)
    os.environ.clear()
    os.environ.update(ours)
    # Some images set it. Dozens of processes would compile all they import.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    once.remember()
    if not config.option.collectonly:
        infrastructure.start(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Each of xdist's workers begins with its share and ends with what others have left.
    # Whole systems at the beginning of one share are started once for the tests that
    # share one, and nobody waits for a test of a minute when all others are done.
    items.sort(key=lambda item: item.path.parent.name not in WHOLE_SYSTEMS)


def pytest_collection_finish() -> None:
    # The garbage collector went again and again through what every test needs and what
    # pytest knows about them: a tenth of the time of a process that runs tests.
    freeze_heap()


def pytest_unconfigure(config: pytest.Config) -> None:
    infrastructure.stop(config)


# ── once for a test process ─────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def services() -> infrastructure.Services:
    return infrastructure.services()


@pytest.fixture(scope="session")
async def host() -> AsyncIterator[Host]:
    async with hosting() as host:
        yield host


@pytest.fixture(scope="session")
def payments_simulated(
    host: Host, tmp_path_factory: pytest.TempPathFactory
) -> Simulator:
    data = tmp_path_factory.mktemp("payments") / "simulator.sqlite"
    webhooks = f"{host.url}/{API}/v1/webhooks/stripe"
    return payments_simulator(data, webhooks, STRIPE_SECRET)


@pytest.fixture(scope="session")
def carrier_simulated(
    host: Host, tmp_path_factory: pytest.TempPathFactory
) -> Simulator:
    data = tmp_path_factory.mktemp("carrier") / "simulator.sqlite"
    webhooks = f"{host.url}/{API}/v1/webhooks/carrier"
    return parcels_simulator(data, webhooks, CARRIER_SECRET)


# ── once for a test ─────────────────────────────────────────────────────────────────


@pytest.fixture
async def database(services: infrastructure.Services) -> AsyncIterator[str]:
    """Empty, migrated, and its books balance when the test is over."""
    async with services.lent_database() as url:
        yield url
        await assert_books_balance(url)


@pytest.fixture(scope="session")
async def engines() -> AsyncIterator[dict[str, Engine]]:
    """Of the databases that are lent, by URL: a test finds the connections open that
    the one before it has used."""
    engines: dict[str, Engine] = {}
    yield engines
    for engine in engines.values():
        await engine.dispose()


@pytest.fixture
async def engine(database: str, engines: dict[str, Engine]) -> Engine:
    if database not in engines:
        url = SecretStr(database)
        settings = DatabaseSettings(database_url=url, database_pool_size=30)
        engines[database] = create_engine(settings, application=KEPT)
    return engines[database]


@pytest.fixture
async def temporal(services: infrastructure.Services) -> AsyncIterator[Client]:
    """In a namespace that no other test has."""
    async with services.lent_namespace() as namespace:
        yield await Client.connect(
            services.temporal, namespace=namespace, data_converter=DATA_CONVERTER
        )


@pytest.fixture
async def payments(host: Host, payments_simulated: Simulator) -> AsyncIterator[Peer]:
    async with host.simulator(payments_simulated, "payments") as peer:
        await peer.reset()
        yield peer


@pytest.fixture
async def carrier(host: Host, carrier_simulated: Simulator) -> AsyncIterator[Peer]:
    async with host.simulator(carrier_simulated, "carrier") as peer:
        await peer.reset()
        yield peer


@pytest.fixture
def worker_settings(database: str, payments: Peer, carrier: Peer) -> MakeWorkerSettings:
    usual = usual_worker_settings(database, payments.url, carrier.url)

    def make(**changed: Any) -> WorkerSettings:
        known = usual.model_dump(exclude_unset=True)
        return WorkerSettings(**(known | changed)) if changed else usual

    return make


@lru_cache(maxsize=4)
def usual_worker_settings(database: str, payments: str, carrier: str) -> WorkerSettings:
    """Once: to read settings takes longer than to start the worker."""
    return WorkerSettings(
        database_url=SecretStr(database),
        stripe_api_key=SecretStr("sk_test_core"),
        stripe_api_base=payments,
        carrier="simulator",
        carrier_api_base=carrier,
        graceful_shutdown_seconds=0,
    )


@pytest.fixture
def work(worker_settings: MakeWorkerSettings, engine: Engine, temporal: Client) -> Work:
    """A worker; what is given changes its settings."""

    def start(**changed: Any) -> AbstractAsyncContextManager[None]:
        return working(worker_settings(**changed), engine, temporal)

    return start


@pytest.fixture
def open_shop(
    host: Host,
    database: str,
    engine: Engine,
    services: infrastructure.Services,
    payments: Peer,
    carrier: Peer,
) -> OpenShop:
    """A shop with its API, on this Temporal or another, and without a worker."""

    @asynccontextmanager
    async def open_it(
        client: Client, at: str | None = None, **changed: Any
    ) -> AsyncIterator[Shop]:
        temporal = at or client.service_client.config.target_host
        settings = usual_api_settings(
            database, temporal, client.namespace, host.url, carrier.url
        )
        if changed:
            known = settings.model_dump(exclude_unset=True)
            settings = ApiSettings(**(known | changed))
        app = create_app(settings)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(app.router.lifespan_context(app))
            api = await stack.enter_async_context(host.peer(app, API))
            listener = Listener(connector(settings, application="test"), CHANNEL)
            listener.start()
            stack.push_async_callback(listener.stop)
            yield Shop(api.http, client, engine, listener, payments, carrier)
        await assert_no_personal_data(database, client)

    return open_it


@lru_cache(maxsize=4)
def usual_api_settings(
    database: str, temporal: str, namespace: str, host: str, carrier: str
) -> ApiSettings:
    return ApiSettings(
        database_url=SecretStr(database),
        temporal_host=temporal,
        temporal_namespace=namespace,
        api_auth="disabled-loopback-only",
        shop_origins=SHOP_ORIGINS,
        shipping_tariffs=SHIPPING_TARIFFS,
        stripe_webhook_secret=SecretStr(STRIPE_SECRET),
        carrier_webhook_secret=SecretStr(CARRIER_SECRET),
        easypost_webhook_secret=SecretStr(EASYPOST_SECRET),
        # The double of EasyPost is a peer, and its labels with it.
        label_base=host,
        carrier_api_base=carrier,
        # A machine that is busy with other tests is not down.
        api_command_timeout=timedelta(seconds=20),
        api_start_timeout=timedelta(seconds=10),
        api_fail_fast_after=timedelta(seconds=20),
    )


@pytest.fixture
async def closed_shop(open_shop: OpenShop, temporal: Client) -> AsyncIterator[Shop]:
    """Customers may order, and no worker is there yet."""
    async with open_shop(temporal) as shop:
        yield shop


@pytest.fixture
async def shop(closed_shop: Shop, work: Work) -> AsyncIterator[Shop]:
    async with work():
        yield closed_shop
