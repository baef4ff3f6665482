"""Placing reserves what is there and opens the authorisation, in PostgreSQL alone.
Whatever somebody may have to decide about is left to the order's workflow."""

import asyncio

from shared.contracts.orders.states import MoneyKind, MoneyStatus
from shared.database.engine import Engine
from shared.database.orders.audit import audit
from shared.database.orders.snapshot import OrderSnapshot, read_order
from sqlalchemy import text

from tests.api.shop import PRICE, SHIPPING, Json, Shop


async def stored(engine: Engine, placed: Json) -> OrderSnapshot:
    async with engine.connect() as connection:
        assert not await audit(connection)
        return await read_order(connection, placed["id"])


async def reserved(engine: Engine) -> int:
    async with engine.connect() as connection:
        units: int = await connection.scalar(text("SELECT sum(reserved) FROM stock"))
        return units


async def test_what_is_there_is_reserved_with_the_order(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    await shop.receive(3)
    placed = await shop.order(2)
    assert await shop.get(f"/v1/orders/{placed['id']}") == placed
    order = await stored(engine, placed)
    assert order.allocated
    assert [line.reserved for line in order.lines] == [2]
    assert await reserved(engine) == 2
    (row,) = order.payments[0].ledger
    assert (row.kind, row.status) == (MoneyKind.AUTHORIZE, MoneyStatus.PENDING)
    assert row.amount == 2 * PRICE + SHIPPING
    assert row.sent_at is None


async def test_where_some_is_missing_the_workflow_decides(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    await shop.receive(1)
    order = await stored(engine, await shop.order(2))
    assert not order.allocated
    assert await reserved(engine) == 0
    assert order.payments[0].ledger == ()


async def test_nobody_gets_what_another_one_took_at_the_same_moment(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    await shop.receive(5)
    placed = await asyncio.gather(*(shop.order(1) for _ in range(20)))
    orders = [await stored(engine, answer) for answer in placed]
    assert sum(order.allocated for order in orders) == 5
    assert await reserved(engine) == 5


async def test_who_waits_for_stock_comes_first(shop: Shop, engine: Engine) -> None:
    await shop.sell()
    waits = await shop.order(5)
    async with engine.connect() as connection:
        partial = text("UPDATE orders SET ship_partial = true WHERE id = :id")
        await connection.execute(partial, {"id": waits["id"]})
    await shop.receive(5)
    assert not (await stored(engine, await shop.order(1))).allocated


async def test_no_second_card_is_tried_before_the_first_is_answered(
    shop: Shop, engine: Engine
) -> None:
    """How often a customer may try is the worker's to say."""
    await shop.sell()
    await shop.receive(2)
    first = await stored(engine, await shop.order(1))
    second = await stored(engine, await shop.order(1))
    assert [len(order.payments[0].ledger) for order in (first, second)] == [1, 0]
    assert second.allocated
