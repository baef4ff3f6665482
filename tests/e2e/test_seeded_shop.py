"""The shop that `dev --seed-shop` fills, on the whole system."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from devstack.ports import free_ports
from devstack.seed.seeding import plan, seed_shop
from devstack.stack import Options, Stack

from tests.e2e.test_newcomer import audit_rows

# A machine that is busy with everything else that the tests start.
pytestmark = pytest.mark.timeout(300)

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
    data = tmp_path_factory.mktemp("seeded")
    async with Stack(Options(data=data, ports=free_ports(), durable=False)) as stack:
        await seed_shop(stack.at, print, orders=1)
        yield stack


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
