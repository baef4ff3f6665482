"""The release before this one works on this one's schema: so do pods during a rollout,
and all of them after a rollback."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from devstack.ports import free_ports
from devstack.probe import answers
from devstack.subprocess import Command, Process
from pydantic import SecretStr
from shared.contracts.orders.states import MoneyStatus, OrderStatus
from shared.database.engine import Engine, connector
from shared.database.kernel.unit_of_work import CHANNEL
from shared.database.listen import Listener
from shared.platform.settings import DatabaseSettings
from sqlalchemy import text
from temporalio.client import Client

from tests.conftest import CARRIER_SECRET, STRIPE_SECRET
from tests.releases.commands import at
from tests.releases.older import checked_out, git
from tests.support.peers import Host, parcels_simulator, payments_simulator
from tests.support.returns import give_back, refunded
from tests.support.shop import Shop

EXPANSION = (
    "ALTER TABLE orders ADD COLUMN channel text NOT NULL DEFAULT 'shop'",
    "ALTER TABLE shipments ADD COLUMN gift boolean",
    "ALTER TABLE ledger ADD COLUMN note text",
    "CREATE TABLE suppliers (id text PRIMARY KEY, name text NOT NULL)",
    "UPDATE alembic_version SET version_num = 'expansion'",
)
"""On top of our own migrations, as the next release may bring it."""


def previous_release() -> str | None:
    """The newest tag before this commit; `None` before the second release."""
    return (
        git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD~1") or None
    )


PREVIOUS = previous_release()


@pytest.fixture
def older(tmp_path: Path) -> Iterator[Path]:
    """The interpreter of the release before, with nothing but that release. Before
    there is one it is the last commit's code, which then proves the mechanism only."""
    with checked_out(PREVIOUS or "HEAD", tmp_path / "older") as python:
        yield python


@asynccontextmanager
async def running(
    python: Path, module: str, health: str, log: Path, environment: dict[str, str]
) -> AsyncIterator[None]:
    async with httpx2.AsyncClient(trust_env=False) as http:
        process = Process(
            Command(
                name=module,
                argv=(str(python), "-P", "-m", module),
                environment=os.environ | environment,
                log=log,
                ready=lambda: answers(http, health),
            )
        )
        await process.start()
        try:
            yield
        finally:
            await process.stop()


@pytest.fixture
async def older_shop(
    older: Path,
    host: Host,
    database: str,
    engine: Engine,
    temporal: Client,
    tmp_path: Path,
) -> AsyncIterator[Shop]:
    """A shop of the release before, on this one's schema and what may come next."""
    async with engine.begin() as connection:
        for statement in EXPANSION:
            await connection.execute(text(statement))
    ports = free_ports()
    api = f"http://127.0.0.1:{ports.api}"
    payments = payments_simulator(
        tmp_path / "payments.sqlite", f"{api}/v1/webhooks/stripe", STRIPE_SECRET
    )
    carrier = parcels_simulator(
        tmp_path / "carrier.sqlite", f"{api}/v1/webhooks/carrier", CARRIER_SECRET
    )
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(
            host.simulator(payments, f"{tmp_path.name}-payments")
        )
        courier = await stack.enter_async_context(
            host.simulator(carrier, f"{tmp_path.name}-carrier")
        )
        environment = at(temporal) | {
            "DATABASE_URL": database,
            "STRIPE_API_KEY": "sk_test_core",
            "STRIPE_API_BASE": provider.url,
            "STRIPE_WEBHOOK_SECRET": STRIPE_SECRET,
            "CARRIER": "simulator",
            "CARRIER_API_BASE": courier.url,
            "CARRIER_WEBHOOK_SECRET": CARRIER_SECRET,
            "API_AUTH": "disabled-loopback-only",
            "SHOP_ORIGINS": "https://shop.example.com",
            "API_HOST": "127.0.0.1",
            "API_PORT": str(ports.api),
            "METRICS_HOST": "127.0.0.1",
        }
        for module, health, port in (
            ("worker", f"http://127.0.0.1:{ports.worker}/ready", ports.worker),
            ("api", f"{api}/ready", ports.api_metrics),
        ):
            own = environment | {"METRICS_PORT": str(port)}
            await stack.enter_async_context(
                running(older, module, health, tmp_path / f"{module}.log", own)
            )
        http = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=api, trust_env=False, timeout=30)
        )
        settings = DatabaseSettings(database_url=SecretStr(database))
        listener = Listener(connector(settings, application="test"), CHANNEL)
        listener.start()
        stack.push_async_callback(listener.stop)
        yield Shop(http, temporal, engine, listener, provider, courier)


# The name says what it ran against.
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("release", [PREVIOUS or "no release yet: HEAD itself"])
async def test_the_release_before_works_on_this_schema(
    older_shop: Shop, release: str
) -> None:
    shop = older_shop
    order_id = await shop.confirmed(TEA=2)
    await shop.delivered(order_id)
    refund = await give_back(shop, order_id, amount=500)
    await refunded(shop, order_id, refund["id"], MoneyStatus.SUCCEEDED)
    dropped = await shop.confirmed(MUG=1)
    await shop.cancel(dropped)
    assert (await shop.ended(order_id)).status is OrderStatus.COMPLETED
    assert (await shop.ended(dropped)).status is OrderStatus.CANCELLED
    (row,) = await shop.fetch("SELECT DISTINCT channel FROM orders")
    assert row.channel == "shop"
