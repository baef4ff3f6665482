"""Reads of orders: always PostgreSQL, never Temporal."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from shared.contracts.errors import NotFound
from shared.database.kernel.unit_of_work import CHANNEL
from shared.database.orders.snapshot import (
    OrderSnapshot,
    parse_orders,
    read_order,
    read_orders,
)
from shared.database.rows import Rows
from sqlalchemy import text

from api.http.auth import Principal
from api.http.dependencies import Dependencies
from api.orders.order.finding import WITH_NAME, Found
from api.orders.order.presenter import show_order
from api.orders.paths import number_in

T = TypeVar("T")

POLL_SECONDS = 1.0
"""In addition to LISTEN, for lost wake-ups."""


async def order(deps: Dependencies, order_id: str) -> OrderSnapshot:
    """Raises `NotFound`."""
    async with deps.engine.connect() as connection:
        try:
            return await read_order(connection, order_id)
        except NotFound:
            raise NotFound(_NO_ORDER) from None


_NO_ORDER = "such order"
"""One answer for unknown orders and for those of others: numbers can be guessed."""


async def visible_order(
    deps: Dependencies, caller: Principal, order_id: str, *scopes: str
) -> OrderSnapshot:
    """An order that the caller may see: their own, or any with one of `scopes`."""
    found = await order(deps, order_id)
    caller.require_sight(found.customer, order_id, _NO_ORDER, *scopes)
    return found


async def require_sight(
    deps: Dependencies, caller: Principal, order_id: str, *scopes: str
) -> None:
    """The same without reading the whole order."""
    async with deps.engine.connect() as connection:
        customer = await connection.scalar(_CUSTOMER, {"id": order_id})
    if customer is None:
        raise NotFound(_NO_ORDER)
    caller.require_sight(customer, order_id, _NO_ORDER, *scopes)


_CUSTOMER = text("SELECT customer FROM orders WHERE id = :id")


async def orders_named(deps: Dependencies, name: str) -> list[str]:
    """Ids of the orders with this id, number or reference: of one, as a rule."""
    named = {"q": name, "number": number_in(name)}
    async with deps.engine.connect() as connection:
        return list(await connection.scalars(_NAMED, named))


_NAMED = text(f"SELECT DISTINCT id FROM ({WITH_NAME}) named")  # noqa: S608 - ours


async def order_when(
    deps: Dependencies,
    order_id: str,
    until: Callable[[OrderSnapshot], bool],
    seconds: float,
) -> OrderSnapshot:
    """The order once `until` holds, or as it is after `seconds`."""
    read = partial(order, deps, order_id)
    return await read_until(deps, order_id, read, until, seconds)


async def read_until(
    deps: Dependencies,
    order_id: str,
    read: Callable[[], Awaitable[T]],
    until: Callable[[T], bool],
    seconds: float,
) -> T:
    """Read an order until `until` holds, or for `seconds`; returns what `read` returned
    last."""
    deadline = time.monotonic() + seconds
    with deps.listener.subscribe(CHANNEL, order_id) as wake:
        while True:
            found = await read()
            left = deadline - time.monotonic()
            if until(found) or left <= 0 or deps.draining:
                return found
            await wake.wait(min(left, POLL_SECONDS))


async def page_of_orders(
    deps: Dependencies, found: Found, limit: int
) -> tuple[Rows, Mapping[str, str]]:
    """The rows of a page, and one more if another follows; and its orders as they are
    shown, by their ids."""
    shown = dict[str, str]()
    async with deps.engine.connect() as connection:
        rows = await connection.execute(text(_listed(found)), found.parameters)
        for row in rows[:limit]:
            version = row.version, row.updated_at
            if known := deps.renderings.find(row.id, version):
                shown[row.id] = known
        changed = [row.id for row in rows[:limit] if row.id not in shown]
        stored = await read_orders(connection, changed) if changed else ()
    if stored:
        # Two hundred large orders take seconds: in a thread, so that others are served.
        for order, written in await asyncio.to_thread(_write, stored):
            version = order.version, order.updated_at
            deps.renderings.keep(order.id, version, written)
            shown[order.id] = written
    return rows, shown


def _listed(found: Found) -> str:
    return (
        "SELECT o.id, o.version, o.number, o.created_at, o.updated_at FROM orders o"  # noqa: S608
        f" WHERE o.id IN ({found.ids}) ORDER BY {found.order}"
    )


def _write(stored: Sequence[str]) -> list[tuple[OrderSnapshot, str]]:
    return [
        (order, show_order(order).model_dump_json()) for order in parse_orders(stored)
    ]
