"""Webhooks find their orders by an index, however many payments and parcels exist."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from shared.database.engine import Engine, create_engine
from shared.platform.settings import DatabaseSettings
from sqlalchemy import text
from worker.orders.webhooks import CONTEXTS, DISPUTED, REFUND, RETURN_OR_SPOILT

from tests.support import infrastructure

ROWS = 20_000
# No triggers and no keys of others.
FILLING = (
    "SET session_replication_role = replica",
    f"""
    INSERT INTO payments (id, order_id, provider, provider_ref, method_ref)
    SELECT 'pay_' || n, 'ord_' || n, 'stripe', 'pi_' || n, 'pm_card'
    FROM generate_series(1, {ROWS}) n
    """,
    f"""
    INSERT INTO ledger (id, payment_id, kind, amount, status, ref, provider_ref)
    SELECT 'led_' || kind || n, 'pay_' || n, kind, 2000, 'succeeded', 'ref_' || n,
      kind || n
    FROM generate_series(1, {ROWS}) n,
      unnest(ARRAY['authorize', 'capture', 'refund']) kind
    """,
    f"""
    INSERT INTO shipments (id, order_id, location, status, tracking)
    SELECT 'shp_' || n, 'ord_' || n, 'berlin', 'delivered', 'SIM' || n
    FROM generate_series(1, {ROWS}) n
    """,
    f"""
    INSERT INTO packages (shipment_id, number, parcel, tracking)
    SELECT 'shp_' || n, 2, '{{}}', 'TWO' || n FROM generate_series(1, {ROWS}) n
    """,
    f"""
    INSERT INTO returns (id, order_id, status, tracking, requested_by)
    SELECT 'ret_' || n, 'ord_' || n, 'closed', 'BACK' || n, 'ada'
    FROM generate_series(1, {ROWS}) n
    """,
    "SET session_replication_role = DEFAULT",
    "VACUUM ANALYZE",
)
EVENT = """(SELECT jsonb_build_object('object_id', '7', 'tracking', '7') AS payload)"""
STATEMENTS = {
    **{name: f"SELECT ({sql}) FROM {EVENT} inbox" for name, sql in CONTEXTS.items()},
    "a dispute's": str(DISPUTED),
    "a refund's": str(REFUND),
    "a return's": str(RETURN_OR_SPOILT),
}


@pytest.fixture(scope="module")
async def filled(services: infrastructure.Services) -> AsyncIterator[Engine]:
    async with services.lent_database() as url:
        settings = DatabaseSettings(database_url=SecretStr(url), database_pool_size=1)
        engine = create_engine(settings, application="test")
        async with engine.connect() as connection:
            for statement in FILLING:
                await connection.execute(text(statement))
        yield engine
        await engine.dispose()


@pytest.mark.parametrize("name", STATEMENTS)
async def test_an_owner_is_found_by_an_index(filled: Engine, name: str) -> None:
    statement = text(f"EXPLAIN {STATEMENTS[name]}")
    values = {"ref": "7"} if ":ref" in STATEMENTS[name] else {}
    async with filled.connect() as connection:
        plan = "\n".join(await connection.scalars(statement, values))
    assert "Seq Scan" not in plan, plan
