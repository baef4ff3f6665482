"""Reads of orders: always PostgreSQL, never Temporal."""

import time
from collections.abc import Callable, Sequence

from fastapi import Request
from shared.contracts.errors import NotFound
from shared.database.kernel.unit_of_work import CHANNEL
from shared.database.orders.snapshot import OrderSnapshot, read_order, read_orders
from sqlalchemy import text

from api.http.auth import Principal
from api.http.paging import moment
from api.http.paging import text as text_of
from api.http.services import Services
from api.orders.order.schemas import OrderQuery

POLL_SECONDS = 1.0
"""Behind LISTEN, for a wake-up that got lost."""


async def order(services: Services, order_id: str) -> OrderSnapshot:
    """Raises `NotFound`."""
    async with services.engine.connect() as connection:
        return await read_order(connection, order_id)


async def visible_order(
    services: Services, caller: Principal, order_id: str, *scopes: str
) -> OrderSnapshot:
    """An order that the caller may see: their own, or any with one of `scopes`."""
    found = await order(services, order_id)
    caller.require_sight(found.customer, f"order {order_id}", *scopes)
    return found


async def require_sight(
    services: Services, caller: Principal, order_id: str, *scopes: str
) -> None:
    """The same without reading the whole order."""
    async with services.engine.connect() as connection:
        customer = await connection.scalar(_CUSTOMER, {"id": order_id})
    if customer is None:
        raise NotFound(f"order {order_id}")
    caller.require_sight(customer, f"order {order_id}", *scopes)


_CUSTOMER = text("SELECT customer FROM orders WHERE id = :id")


async def orders_named(services: Services, name: str) -> list[str]:
    """Ids of the orders with this id, number or reference: of one, as a rule."""
    named = {"q": name, "number": _number(name)}
    async with services.engine.connect() as connection:
        return list(await connection.scalars(_NAMED, named))


_NAMED = text(
    "SELECT id FROM orders WHERE id = :q OR external_ref = :q OR number = :number"
)


async def order_when(
    services: Services,
    order_id: str,
    until: Callable[[OrderSnapshot], bool],
    seconds: float,
) -> OrderSnapshot:
    """The order once `until` holds, or as it is after `seconds`."""
    deadline = time.monotonic() + seconds
    with services.listener.subscribe(CHANNEL, order_id) as wake:
        while True:
            found = await order(services, order_id)
            left = deadline - time.monotonic()
            if until(found) or left <= 0 or services.draining:
                return found
            await wake.wait(min(left, POLL_SECONDS))


async def page_of_orders(
    request: Request, services: Services, query: OrderQuery, customer: str | None
) -> Sequence[str]:
    """One more than the page holds, newest first; only a `customer`'s if given. As
    `parse_orders` takes them."""
    parameters: dict[str, object] = {"rows": query.limit + 1}
    conditions = ["true"]

    def where(condition: str, **values: object) -> None:
        conditions.append(condition)
        parameters.update(values)

    if customer is not None:
        where("o.customer = :own", own=customer)
    if query.id:
        where("o.id = ANY(:ids)", ids=query.id)
    if query.customer is not None:
        where("o.customer = :customer", customer=query.customer)
    if query.status:
        where("o.status = ANY(:status)", status=[s.value for s in query.status])
    if query.hold is not None:
        where(
            "o.id IN (SELECT h.root FROM holds h"
            " WHERE h.reason = :hold AND h.released_at IS NULL)",
            hold=query.hold.value,
        )
    if query.q is not None:
        where(
            "o.id IN (SELECT id FROM orders WHERE id = :q OR external_ref = :q"
            " OR number = :number)",
            q=query.q,
            number=_number(query.q),
        )
    if query.created_from is not None:
        where("o.created_at >= :created_from", created_from=query.created_from)
    if query.created_to is not None:
        where("o.created_at < :created_to", created_to=query.created_to)
    position = query.position(request, moment, text_of)
    if position is not None:
        where("(o.created_at, o.id) < (:at, :id)", at=position[0], id=position[1])
    ids = (
        f"SELECT o.id FROM orders o WHERE {' AND '.join(conditions)}"  # noqa: S608
        " ORDER BY o.created_at DESC, o.id DESC LIMIT :rows"
    )
    async with services.engine.connect() as connection:
        return await read_orders(connection, ids, parameters)


def _number(q: str) -> int | None:
    return int(q) if q.isascii() and q.isdecimal() and len(q) <= 18 else None
