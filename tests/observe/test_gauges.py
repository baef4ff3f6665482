"""The gauges are true, cost little, and are absent rather than old."""

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from shared.database.engine import Engine, create_engine
from shared.platform.settings import DatabaseSettings
from sqlalchemy import text
from worker.orders.upkeep.gauges import GAUGES
from worker.runtime.gauges import Gauge, Gauges

from tests.support import infrastructure
from tests.support.shop import Shop

ENDED_ORDERS = 20_000
LARGE = {"orders", "events", "holds", "ledger", "payments", "shipments", "inbox"}


async def read(engine: Engine) -> CollectorRegistry:
    gauges = Gauges(engine, GAUGES)
    await gauges.refresh()
    registry = CollectorRegistry()
    registry.register(gauges)
    return registry


async def test_they_say_what_is_in_the_database(
    closed_shop: Shop, engine: Engine
) -> None:
    order_id = await closed_shop.place(TEA=1)
    await closed_shop.fetch(
        "UPDATE orders SET created_at = now() - interval '1 hour' WHERE id = :id",
        id=order_id,
    )
    await closed_shop.fetch(
        """
        INSERT INTO holds (id, subject, root, reason, placed_by, due_at)
        VALUES ('hld_1', :id, :id, 'stock', 'test', now() - interval '1 minute'),
               ('hld_2', :id, :id, 'manual', 'test', NULL)
        """,
        id=order_id,
    )
    await closed_shop.fetch(
        """
        INSERT INTO ledger
          (id, payment_id, kind, amount, status, ref, created_at, sent_at)
        SELECT 'led_1', id, 'authorize', 1780, 'pending', 'x',
               now() - interval '20 minutes', NULL
        FROM payments WHERE order_id = :id
        """,
        id=order_id,
    )
    await closed_shop.fetch(
        """
        INSERT INTO inbox (source, event_id, type, payload, error)
        VALUES ('stripe', 'e', 't', '{}', 'unmatched')
        """
    )
    seen = (await read(engine)).get_sample_value
    assert seen("orders_live", {"status": "placed"}) == 1
    assert seen("orders_not_started") == 1
    assert seen("orders_holds_open", {"reason": "manual"}) == 1
    assert seen("orders_holds_overdue", {"reason": "manual"}) == 0
    assert seen("orders_holds_overdue", {"reason": "stock"}) == 1
    in_flight = {"kind": "authorize", "currency": "EUR"}
    assert seen("orders_money_in_flight_minor_units", in_flight) == 1780
    assert seen("orders_ledger_overdue", {"kind": "authorize"}) == 1
    assert seen("orders_inbox_unmatched", {"source": "stripe"}) == 1
    assert seen("orders_audit_rows", {"view": "audit_money"}) == 0
    assert seen("database_figures_up") == 1


async def test_an_authorisation_is_uncovered_when_it_ends_before_it_is_renewed(
    closed_shop: Shop, engine: Engine
) -> None:
    for hours in (1, 20):
        order_id = await closed_shop.place(TEA=1)
        await closed_shop.fetch(
            """
            WITH led AS (
              INSERT INTO ledger (id, payment_id, kind, amount, status, ref)
              SELECT id, id, 'authorize', 100, 'succeeded', 'x' FROM payments
              WHERE order_id = :id)
            UPDATE payments SET authorized = 100,
              capture_before = now() + make_interval(hours => :hours)
            WHERE order_id = :id
            """,
            id=order_id,
            hours=hours,
        )
    # As the order that every change of facts touches last, so that its status is right.
    await closed_shop.fetch("UPDATE orders SET version = version + 1")
    seen = (await read(engine)).get_sample_value
    assert seen("orders_authorizations_ending") == 1


async def test_orders_that_have_ended_cost_nothing(
    services: infrastructure.Services,
) -> None:
    async with services.database() as url:
        settings = DatabaseSettings.model_validate({"database_url": url})
        engine = create_engine(settings, application="test")
        async with engine.begin() as connection:
            for statement in _ENDED:
                await connection.execute(text(statement), {"n": ENDED_ORDERS})
            for table in LARGE:
                await connection.execute(text(f"ANALYZE {table}"))
            gauges = Gauges(engine, GAUGES)
            plan = await connection.scalar(
                text(f"EXPLAIN (FORMAT JSON) {gauges.statement}")
            )
        await engine.dispose()
    scanned = {n["Relation Name"] for n in _nodes(plan[0]["Plan"]) if _is_scan(n)}
    assert scanned & LARGE == set()


def _is_scan(node: dict[str, Any]) -> bool:
    """Whether it reads a whole table."""
    return bool(node["Node Type"] == "Seq Scan")


_ENDED = (
    """
    INSERT INTO orders (id, customer, status, currency, shipping_method, total, version)
    SELECT 'old_' || i, 'c' || i, 'completed', 'EUR', 'standard', 0, 9
    FROM generate_series(1, :n) AS i
    """,
    """
    INSERT INTO payments (id, order_id, provider, method_ref)
    SELECT 'old_' || i, 'old_' || i, 'stripe', 'm' FROM generate_series(1, :n) AS i
    """,
    """
    INSERT INTO ledger (id, payment_id, kind, amount, status, ref)
    SELECT 'old_' || i, 'old_' || i, 'capture', 1, 'failed', 'x'
    FROM generate_series(1, :n) AS i
    """,
    """
    INSERT INTO shipments (id, order_id, location, status)
    SELECT 'old_' || i, 'old_' || i, 'berlin', 'delivered'
    FROM generate_series(1, :n) AS i
    """,
    """
    INSERT INTO holds (id, subject, root, reason, placed_by, released_at, decision)
    SELECT 'old_' || i, 'old_' || i, 'old_' || i, 'stock', 't', now(), 'wait'
    FROM generate_series(1, :n) AS i
    """,
    """
    INSERT INTO inbox (source, event_id, type, payload, processed_at)
    SELECT 'stripe', i, 't', '{}', now() FROM generate_series(1, :n) AS i
    """,
)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from _nodes(part)


async def test_a_database_that_is_away_leaves_no_figures() -> None:
    nowhere = DatabaseSettings.model_validate(
        {"database_url": "postgresql://nobody@127.0.0.1:1/nothing"}
    )
    engine = create_engine(nowhere, application="nowhere")
    registry = await read(engine)
    assert registry.get_sample_value("database_figures_up") == 0
    assert registry.get_sample_value("orders_not_started") is None
    await engine.dispose()


async def test_two_that_ask_at_once_are_one_read(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    gauges = Gauges(engine, [Gauge("one", "One.", "SELECT 1 AS value")])
    reads = []
    read = gauges._read

    async def counted() -> Any:
        reads.append(1)
        return await read()

    monkeypatch.setattr(gauges, "_read", counted)
    await gauges.refresh()
    await gauges.refresh()
    assert len(reads) == 1
