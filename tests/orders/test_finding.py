"""That each filter of orders has its index: what PostgreSQL plans with 100,000 of them.

The rows are there, though made in one go; what they hold is spread as a shop's would
be."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from api.orders.order.finding import Found, find, search
from api.orders.order.schemas import OrderQuery, OrderSearch
from api.orders.return_.queries import RETURNS
from api.orders.shipment.queries import SHIPMENTS
from fastapi import Request
from pydantic import SecretStr
from shared.database.engine import Connection, Engine, create_engine
from shared.platform.settings import DatabaseSettings
from sqlalchemy import text

from tests.support import infrastructure

ORDERS = 100_000
# No triggers and no keys of others: 100,000 orders in seconds.
FILLING = (
    "SET session_replication_role = replica",
    f"""
    INSERT INTO orders (id, external_ref, customer, status, payment_status,
      fulfillment_status, reason, currency, shipping_method, total, created_at,
      updated_at)
    SELECT 'ord_' || lpad(n::text, 26, '0'), 'web-' || n, 'customer-' || n / 5,
      CASE WHEN n % 50 > 2 THEN 'completed' WHEN n % 50 = 2 THEN 'cancelled'
        ELSE 'confirmed' END,
      CASE WHEN n % 200 = 0 THEN 'refunded' WHEN n % 50 = 1 THEN 'authorized'
        ELSE 'captured' END,
      CASE WHEN n % 300 = 0 THEN 'returned' WHEN n % 50 = 1 THEN 'unfulfilled'
        ELSE 'delivered' END,
      CASE WHEN n % 50 = 2 THEN 'customer-request' END, 'EUR', 'standard', 2000,
      now() - n * interval '7 minutes', now() - n * interval '6 minutes'
    FROM generate_series(1, {ORDERS}) AS n
    """,
    """
    INSERT INTO order_lines (order_id, ordered_at, line, sku, name, qty, total)
    SELECT id, created_at, 1, CASE WHEN number % 3 = 0 THEN 'BEST'
      WHEN number % 100 = 1 THEN 'GOOD' ELSE 'SKU-' || number % 2000 END, 'Tea', 1, 2000
    FROM orders
    """,
    """
    INSERT INTO contacts (order_id, name, email)
    SELECT id, 'Ada ' || md5(id), number || '@example.com' FROM orders
    WHERE number % 5 = 0
    """,
    """
    INSERT INTO shipments (id, order_id, ordered_at, location, status, tracking)
    SELECT 'shp_' || substr(id, 5), id, created_at,
      CASE WHEN number % 100 = 0 THEN 'hamburg' ELSE 'berlin' END, 'delivered',
      'SIM' || number FROM orders
    """,
    """
    INSERT INTO packages (shipment_id, number, parcel, tracking)
    SELECT id, 2, '{}', tracking || '-2' FROM shipments
    WHERE tracking LIKE '%7'
    """,
    """
    INSERT INTO returns (id, order_id, status, tracking, requested_by)
    SELECT 'ret_' || substr(id, 5), id, 'closed', 'BACK' || number, 'ada' FROM orders
    WHERE number % 50 = 0
    """,
    """
    INSERT INTO holds (id, subject, root, reason, placed_by, released_at, decision)
    SELECT 'hld_' || substr(id, 5), id, id, 'stock', 'worker',
      CASE WHEN number % 500 > 0 THEN now() END,
      CASE WHEN number % 500 > 0 THEN 'wait' END
    FROM orders WHERE number % 10 = 0
    """,
    "SET session_replication_role = DEFAULT",
    "VACUUM ANALYZE",
)


@pytest.fixture(scope="module")
async def filled(services: infrastructure.Services) -> AsyncIterator[Engine]:
    async with services.lent_database() as url:
        engine = create_engine(
            DatabaseSettings(database_url=SecretStr(url), database_pool_size=1),
            application="test",
        )
        async with engine.connect() as connection:
            for statement in FILLING:
                await connection.execute(text(statement.replace(":", "\\:")))
        yield engine
        await engine.dispose()


async def plan(connection: Connection, found: Found) -> str:
    statement = f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {found.ids}"
    rows = await connection.scalars(text(statement), found.parameters)
    return "\n".join(rows)


REQUEST = Request({"type": "http", "path": "/v1/orders", "query_string": b""})

FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "orders_newest"),
    ({"customer": "customer-7"}, "orders_customer"),
    ({"status": ["placed", "confirmed"]}, "orders_live|orders_newest"),
    ({"payment_status": ["refunded", "voided"]}, "orders_payment_status"),
    ({"payment_status": ["captured"]}, "orders_payment_status|orders_newest"),
    ({"fulfillment_status": ["returned"]}, "orders_fulfillment_status"),
    ({"hold": ["stock"]}, "holds_queue"),
    ({"sku": ["SKU-7", "SKU-11"]}, "order_lines_of_sku"),
    ({"sku": ["GOOD"], "status": ["confirmed"]}, "order_lines_of_sku|orders_live"),
    ({"tracking": ["SIM77"]}, "shipments_tracking_key"),
    ({"q": "#77"}, "orders_number_key"),
    ({"q": "web-77"}, "orders_reference"),
    ({"created_from": "2026-01-01T00:00:00Z"}, "orders_newest"),
    ({"updated_from": "2026-11-30T00:00:00Z"}, "orders_updated"),
    ({"sort": "updated_at"}, "orders_updated"),
    ({"sort": "-number"}, "orders_number_key"),
]


@pytest.mark.parametrize(("given", "index"), FILTERS, ids=str)
async def test_each_filter_has_its_index(
    filled: Engine, given: dict[str, Any], index: str
) -> None:
    query = OrderQuery.model_validate(given)
    async with filled.connect() as connection:
        planned = await plan(connection, find(REQUEST, query, None))
    assert re.search(index, planned), planned
    assert "Seq Scan" not in planned, planned


@pytest.mark.parametrize(
    ("statement", "which", "index"),
    [
        (SHIPMENTS, "true ORDER BY s.created_at, s.id", "shipments_oldest"),
        (
            SHIPMENTS,
            "s.status = ANY('{delivered}') ORDER BY s.created_at, s.id",
            "shipments_oldest",
        ),
        (RETURNS, "true ORDER BY t.created_at DESC, t.id DESC", "returns_newest"),
    ],
)
async def test_the_lists_of_parcels_and_returns_are_a_piece_of_an_index(
    filled: Engine, statement: str, which: str, index: str
) -> None:
    listed = Found(statement.format(which=f"{which} LIMIT 51"), "", {})
    async with filled.connect() as connection:
        planned = await plan(connection, listed)
    assert index in planned, planned
    # Tables of what they are made of are empty here.
    assert not re.search("Seq Scan on (shipments|returns|orders)", planned), planned


@pytest.mark.parametrize("sort", ["-created_at", "created_at"])
@pytest.mark.parametrize(
    ("given", "index"),
    [
        ({"sku": ["GOOD"]}, "order_lines_of_sku"),
        ({"sku": ["GOOD", "BEST", "SKU-7"]}, "order_lines_of_sku"),
        ({"location": ["hamburg"]}, "shipments_of_location"),
        (
            {"location": ["berlin"], "created_to": "2026-06-01T00:00:00Z"},
            "shipments_of_location",
        ),
    ],
    ids=str,
)
async def test_the_orders_of_a_product_or_a_place_are_a_piece_of_an_index(
    filled: Engine, given: dict[str, Any], index: str, sort: str
) -> None:
    query = OrderQuery.model_validate({"sort": sort, **given})
    async with filled.connect() as connection:
        planned = await plan(connection, find(REQUEST, query, None))
    assert re.search(index, planned), planned
    read = [int(rows) for rows in re.findall(r"actual rows=(\d+)", planned)]
    values = len(query.sku + query.location)
    assert max(read) <= values * (query.limit + 1), planned


async def test_each_way_to_search_has_its_index(filled: Engine) -> None:
    wanted = OrderSearch(q="77")
    async with filled.connect() as connection:
        planned = await plan(connection, search(REQUEST, wanted))
    for index in (
        *("orders_pkey", "orders_number_key", "orders_reference"),
        *("shipments_tracking_key", "packages_tracking_key", "returns_tracking"),
        *("contacts_email", "contacts_name"),
    ):
        assert index in planned, planned
    assert "Seq Scan" not in planned, planned
