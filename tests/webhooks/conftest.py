"""A deliverer on the test's own database, and receivers on this machine."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ipaddress import ip_network
from typing import Any

import httpx2
import pytest
from api.app import create_app
from api.kernel.delivery.deliverer import Deliverer
from api.processes import PROCESSES, hrefs
from api.settings import ApiSettings
from pydantic import SecretStr
from shared.database.engine import Engine, connector, create_engine
from shared.database.kernel.unit_of_work import CHANNEL
from shared.database.listen import Listener
from shared.platform.addresses import Network
from shared.platform.settings import DatabaseSettings
from sqlalchemy import text

from tests.api.conftest import running
from tests.api.shop import Json, Shop
from tests.conftest import NOWHERE
from tests.support.receivers import Receiver

LOOPBACK = (ip_network("127.0.0.0/8"),)
ENDPOINTS = "/v1/webhook-endpoints"

Deliver = Callable[..., AbstractAsyncContextManager[Deliverer]]
Happens = Callable[..., Any]


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    settings = ApiSettings(
        database_url=SecretStr(database),
        temporal_host=NOWHERE,
        api_auth="disabled-loopback-only",
        webhook_networks=LOOPBACK,
    )
    async with running(create_app(settings)) as client:
        yield Shop(client)


@asynccontextmanager
async def delivering(
    database: str, *, hrefs: Mapping[str, str], networks: Sequence[Network] = LOOPBACK
) -> AsyncIterator[Deliverer]:
    """The product's deliverer, but for its probes."""
    settings = DatabaseSettings(database_url=SecretStr(database))
    engine = create_engine(settings, application="deliverer")
    listener = Listener(connector(settings, application="deliverer"), CHANNEL)
    listener.start()
    trusted = ssl.create_default_context()
    deliverer = Deliverer(engine, listener, hrefs, networks, trusted)
    stop = asyncio.Event()
    working = asyncio.create_task(deliverer.run(stop))
    try:
        yield deliverer
    finally:
        stop.set()
        await working
        await listener.stop()
        await engine.dispose()


@pytest.fixture
def deliver(database: str) -> Deliver:
    return lambda: delivering(database, hrefs=hrefs(PROCESSES))


@pytest.fixture
def happen(engine: Engine) -> Happens:
    """`await happen("ord_a", "order.placed", 3)`: so many events of a subject."""

    async def happen(subject: str, type: str = "order.placed", count: int = 1) -> None:
        values = {"subject": subject, "type": type, "count": count, "on": CHANNEL}
        async with engine.begin() as connection:
            await connection.execute(HAPPENED, values)
        async with engine.connect() as connection:
            await connection.execute(TOLD, values)

    return happen


async def endpoint_at(shop: Shop, receiver: Receiver | str, **changed: Any) -> Json:
    url = receiver if isinstance(receiver, str) else receiver.url
    body = {"url": url, "owner_email": "erp@example.com", "types": ["order.*"]}
    return await shop.post(ENDPOINTS, body | changed)


async def deliveries(client: httpx2.AsyncClient, endpoint: Json) -> list[Json]:
    path = f"{ENDPOINTS}/{endpoint['id']}/deliveries"
    found: list[Json] = (await client.get(path)).json()["data"]
    return found


HAPPENED = text(
    """
    INSERT INTO events (subject, seq, type, actor, data)
    SELECT :subject, coalesce((SELECT max(seq) FROM events WHERE subject = :subject), 0)
      + n, :type, 'system', '{"amount": 1290}'
    FROM generate_series(1, :count) AS n
    """
)
TOLD = text("SELECT pg_notify(:on, :subject)")
