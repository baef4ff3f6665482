"""The shop that `dev --seed-shop` fills, on the whole system."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx2
import pytest
from devstack.ports import free_ports
from devstack.seed.seeding import plan, seed_shop
from devstack.stack import PARTS, Options, Stack, with_errands

from tests.e2e.test_newcomer import audit_rows

# A machine that is busy with everything else that the tests start.
pytestmark = pytest.mark.timeout(300)

Json = dict[str, Any]
Http = Callable[..., Awaitable[list[Json]]]

NOT_NEEDED = ("console", "deliverer", "mail")
HOLDS = {"stock", "payment", "address", "approval", "manual", "delivery"} | {
    *("refund", "dispute")
}
STATES = {
    "orders": {"placed", "confirmed", "completed", "cancelled"},
    "shipments": {"ready", "packed", "shipped", "delivered", "lost", "cancelled"},
    "returns": {"requested", "approved", "closed"},
}


@pytest.fixture(scope="module")
async def seeded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """With one order of each course."""
    options = Options(
        data=tmp_path_factory.mktemp("seeded"),
        ports=free_ports(),
        parts=with_errands(part for part in PARTS if part not in NOT_NEEDED),
        durable=False,
    )
    async with Stack(options) as stack:
        await seed_shop(stack.at, print, orders=1)
        yield stack


@pytest.fixture
def shop(seeded: Stack) -> Http:
    """All pages of a list."""

    async def get(path: str, **params: Any) -> list[Json]:
        rows: list[Json] = []
        async with httpx2.AsyncClient(base_url=seeded.at.api) as http:
            while True:
                page = (await http.get(path, params=params)).raise_for_status().json()
                rows += page["data"]
                if page["next_cursor"] is None:
                    return rows
                params["cursor"] = page["next_cursor"]

    return get


async def test_a_seeded_shop_has_orders_in_every_state(seeded: Stack) -> None:
    for table, states in STATES.items():
        there = await column(seeded, f"SELECT DISTINCT status FROM {table}")
        assert set(there) >= states
    holds = "SELECT DISTINCT reason FROM holds WHERE released_at IS NULL"
    assert set(await column(seeded, holds)) >= HOLDS
    assert await audit_rows(seeded.at.database) == []


async def test_what_is_over_in_a_seeded_shop_lies_in_the_past(seeded: Stack) -> None:
    past = {ref for ref, course in plan(1) if course.past}
    today = datetime.now(UTC) - timedelta(days=1)
    query = "SELECT external_ref FROM orders WHERE created_at < $1"
    assert set(await column(seeded, query, today)) == past


FILTERS: dict[str, Callable[[Json], list[str]]] = {
    "status": lambda o: [o["status"]],
    "payment_status": lambda o: [o["payment_status"]],
    "fulfillment_status": lambda o: [o["fulfillment_status"]],
    "hold": lambda o: [hold["reason"] for hold in o["holds"]],
    "sku": lambda o: [line["sku"] for line in o["lines"]],
    "tracking": lambda o: [s["tracking"] for s in o["shipments"] if s["tracking"]],
    "location": lambda o: [
        s["location"] for s in o["shipments"] if s["status"] != "cancelled"
    ],
}


@pytest.mark.parametrize("name", FILTERS)
async def test_a_filter_finds_the_orders_that_show_its_value(
    shop: Http, name: str
) -> None:
    shown = FILTERS[name]
    orders = await shop("/v1/orders", limit=200)
    values = sorted({value for order in orders for value in shown(order)})
    assert len(values) > 1
    for wanted in ([values[0]], values[:3]):
        found = await shop("/v1/orders", limit=200, **{name: wanted})
        assert found == [o for o in orders if set(shown(o)) & set(wanted)]


@pytest.mark.parametrize("sort", ["created_at", "updated_at", "number"])
async def test_pages_of_a_sorted_list_follow_one_another(shop: Http, sort: str) -> None:
    up = await shop("/v1/orders", limit=7, sort=sort)
    assert [o[sort] for o in up] == sorted(o[sort] for o in up)
    assert up[::-1] == await shop("/v1/orders", limit=200, sort=f"-{sort}")


async def test_a_shop_is_seeded_once(seeded: Stack) -> None:
    said: list[str] = []
    await seed_shop(seeded.at, said.append, orders=1)
    assert said == ["The shop was filled before."]
    assert await column(seeded, "SELECT count(*) FROM orders") == [len(plan(1))]


def test_five_hundred_orders_are_seeded_of_two_hundred_products() -> None:
    planned = plan()
    assert len(planned) == 500
    assert min(Counter(course.name for _, course in planned).values()) > 1


async def column(stack: Stack, query: str, *values: object) -> list[Any]:
    connection = await asyncpg.connect(stack.at.database, ssl=False)
    try:
        return [row[0] for row in await connection.fetch(query, *values)]
    finally:
        await connection.close()
