"""The kernel knows no orders: a second process is a package and one line."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest
from api.app import create_app
from api.orders.registration import ORDERS
from api.processes import PROCESSES, hrefs
from api.settings import ApiSettings
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from shared.database.engine import Engine, connector
from shared.database.kernel.unit_of_work import MESSAGES
from shared.database.listen import Listener
from shared.platform.settings import DatabaseSettings
from sqlalchemy import text
from worker.orders.registration import REGISTRATION
from worker.orders.upkeep.retention import STEPS
from worker.runtime.gauges import Gauges
from worker.runtime.outbox import OutboxRunner
from worker.runtime.registry import Message

from tests.api.conftest import running
from tests.api.shop import Json, as_user, code, done, eventually, key
from tests.conftest import NOWHERE, SHOP_ORIGINS
from tests.processes import purchasing
from tests.support.receivers import Receiver
from tests.webhooks.conftest import ENDPOINTS, LOOPBACK, delivering

PURCHASE = f"pur_{'0' * 26}"
ORDER = f"ord_{'0' * 26}"
BUYER = as_user("grace", "purchasing:operate")
OPERATOR = as_user("ada", "orders:operate")


@pytest.fixture
async def both(engine: Engine) -> None:
    """A hold, a message and a stored step of each process."""
    async with engine.begin() as connection:
        await connection.execute(text(purchasing.TABLE))
        await connection.execute(
            text("INSERT INTO purchases (id) VALUES (:id)"), {"id": PURCHASE}
        )
        await connection.execute(
            text(
                "INSERT INTO orders (id, customer, status, currency, shipping_method,"
                " shipping, total, version) VALUES"
                " (:id, 'c', 'placed', 'EUR', 's', 0, 0, 1)"
            ),
            {"id": ORDER},
        )
        for statement in (
            "INSERT INTO events (subject, seq, type, actor)"
            " VALUES (:id, 1, 'order.placed', 'c')",
            "INSERT INTO messages (subject, seq, type) VALUES (:id, 1, 'order.placed')",
            "INSERT INTO applied (key, subject, result) VALUES ('o', :id, '{}')",
            "INSERT INTO holds (id, subject, root, reason, placed_by)"
            f" VALUES ('hld_{'1' * 26}', :id, :id, 'stock', 'system')",
        ):
            await connection.execute(text(statement), {"id": ORDER})
    await purchasing.open_purchase(engine, PURCHASE)


def settings(database: str) -> ApiSettings:
    return ApiSettings(
        database_url=SecretStr(database),
        temporal_host=NOWHERE,
        api_auth="disabled-loopback-only",
        shop_origins=SHOP_ORIGINS,
        webhook_networks=LOOPBACK,
    )


@pytest.fixture
async def client(database: str, both: None) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(settings(database), processes=(*PROCESSES, purchasing.API))
    async with running(app) as client:
        yield client


async def holds(client: httpx2.AsyncClient, headers: Json) -> dict[str, str]:
    page = done(await client.get("/v1/holds", headers=headers))
    return {hold["process"]: hold["reason"] for hold in page["data"]}


async def test_each_sees_the_holds_of_their_process(client: httpx2.AsyncClient) -> None:
    everybody = as_user("root", "admin")
    assert await holds(client, everybody) == {"orders": "stock", "purchasing": "budget"}
    assert await holds(client, BUYER) == {"purchasing": "budget"}
    assert await holds(client, OPERATOR) == {"orders": "stock"}


async def test_a_hold_is_decided_by_its_process_s_rule(
    client: httpx2.AsyncClient,
) -> None:
    [hold] = done(await client.get("/v1/holds", headers=BUYER))["data"]
    path = f"/v1/holds/{hold['id']}/release"
    for who, decision, refused in (
        (OPERATOR, "buy", "insufficient-scope"),
        (BUYER, "ship_partial", "decision-not-allowed"),
    ):
        body = {"decision": decision, "note": "Why not."}
        answer = await client.post(path, json=body, headers=who | key())
        assert code(answer) == refused
    body = {"decision": "buy", "note": "Tea is needed."}
    released = done(await client.post(path, json=body, headers=BUYER | key()))
    assert (released["decision"], released["decided_by"]) == ("buy", "grace")


async def test_its_routes_scopes_and_holds_are_described(
    client: httpx2.AsyncClient,
) -> None:
    document = (await client.get("/openapi.json")).json()
    assert "/v1/purchases" in document["paths"]
    reasons = document["components"]["schemas"]["Hold"]["properties"]["reason"]["enum"]
    assert {"stock", "budget"} <= {*reasons}
    assert (await client.get("/v1/purchases", headers=OPERATOR)).status_code == 403


async def test_the_feed_leads_to_the_subjects_of_both(
    client: httpx2.AsyncClient,
) -> None:
    async def both_told() -> dict[str, str] | None:
        # A test beside this one may hold the feed up with an open transaction.
        path = "/v1/events?after=0-0"
        events = done(await client.get(path, headers=as_user("root", "admin")))["data"]
        told = {event["subject"]: event["href"] for event in events}
        return told if len(told) == 2 else None

    assert await eventually(both_told) == {
        ORDER: f"/v1/orders/{ORDER}",
        PURCHASE: f"/v1/purchases/{PURCHASE}",
    }


async def test_its_events_go_out_as_webhooks(
    client: httpx2.AsyncClient, database: str, engine: Engine
) -> None:
    """Of both, and neither kernel nor process has a line for it."""
    async with Receiver().listening() as receiver:
        body = {"url": receiver.url, "owner_email": "erp@example.com", "after": "0-0"}
        root = as_user("root", "admin")
        made = await client.post(ENDPOINTS, json=body, headers=root | key())
        assert made.status_code == 201
        async with delivering(
            database, hrefs=hrefs((*PROCESSES, purchasing.API)), networks=LOOPBACK
        ):
            await receiver.until(
                lambda: {ORDER, PURCHASE} <= {one.subject for one in receiver.accepted}
            )
    told = {one.subject: one.event["href"] for one in receiver.accepted}
    assert told.items() >= {
        (PURCHASE, f"/v1/purchases/{PURCHASE}"),
        (ORDER, f"/v1/orders/{ORDER}"),
    }


async def test_an_api_without_the_process_still_lists_its_own_holds(
    database: str, both: None
) -> None:
    app = create_app(settings(database), processes=(ORDERS,))
    async with running(app) as client:
        assert await holds(client, as_user("root", "admin")) == {"orders": "stock"}


async def test_each_message_goes_to_its_process(
    engine: Engine, database: str, both: None
) -> None:
    of_orders: list[str] = []

    async def tell_customer(message: Message) -> bool:
        of_orders.append(message.subject)
        return True

    purchasing.SENT.clear()
    listener = Listener(
        connector(
            DatabaseSettings(database_url=SecretStr(database)), application="test"
        ),
        MESSAGES,
    )
    handlers = {
        "orders": {"order.placed": tell_customer},
        "purchasing": purchasing.MESSAGES,
    }
    await OutboxRunner(engine, listener, handlers).work_off_batch()
    assert (of_orders, purchasing.SENT) == ([ORDER], [PURCHASE])


async def test_each_counts_its_own(engine: Engine, both: None) -> None:
    registrations = (REGISTRATION, purchasing.WORKER)
    gauges = Gauges(engine, [g for one in registrations for g in one.gauges])
    await gauges.refresh()
    registry = CollectorRegistry()
    registry.register(gauges)
    budget, stock = {"reason": "budget"}, {"reason": "stock"}
    assert registry.get_sample_value("purchasing_holds_open", budget) == 1
    assert registry.get_sample_value("orders_holds_open", stock) == 1
    assert registry.get_sample_value("orders_holds_open", budget) is None
    assert registry.get_sample_value("purchasing_messages_open") == 1
    assert registry.get_sample_value("orders_messages_open") == 1


async def test_each_forgets_its_own_steps(engine: Engine, both: None) -> None:
    old = {"age": timedelta(), "batch": 10}
    async with engine.begin() as connection:
        assert await connection.count(purchasing.STEPS, {"batch": 10}) == 1
        await connection.execute(text("UPDATE orders SET status = 'completed'"))
        assert await connection.count(STEPS, old) == 1
