"""Frees stock that no authorisation covers after some minutes.

It needs PostgreSQL alone, so it works while Temporal is down. The order keeps its place
in line until its own hold ends, and reserves again once it is authorised, if there is
stock left.
"""

import asyncio
import logging
from datetime import timedelta
from functools import partial

from shared.contracts.orders.states import OrderStatus
from shared.database.engine import DATABASE_FAILURES
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot
from shared.database.orders.stock import COVERED
from sqlalchemy import text

from worker.orders.stock.changes import give_back, move_stock
from worker.orders.store import OrderStore

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 10.0
BATCH = 100


class UnpaidStock:
    """Frees stock that was reserved longer than `held` ago and is not covered."""

    def __init__(self, store: OrderStore, held: timedelta) -> None:
        self._store = store
        self._held = held

    async def run(self) -> None:
        """Runs until cancelled. Any number may run side by side."""
        while True:
            try:
                while await self.give_back_batch() == BATCH:
                    pass
            except DATABASE_FAILURES:
                log.exception("unpaid stock cannot be given back right now")
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def give_back_batch(self) -> int:
        """Returns how many orders were looked at."""
        async with self._store.reads.connect() as connection:
            due = await connection.scalars(
                _LAPSED, {"held": self._held, "batch": BATCH}
            )
        for order_id in due:
            apply = partial(_give_back, held=self._held)
            await self._store.change(order_id, apply, Done)
        return len(due)


async def _give_back(
    change: UnitOfWork, order: OrderSnapshot, *, held: timedelta
) -> Done:
    """Check again under the lock: the order may have been covered meanwhile."""
    lapsed = await change.connection.scalar(
        _IS_LAPSED, {"held": held, "order_id": order.id}
    )
    if not lapsed or order.status is not OrderStatus.PLACED:
        return Done()
    reserved = sorted(order.reservations, key=lambda r: (r.sku, r.location))
    await move_stock(
        change,
        f"{order.id}:unpaid:{order.version}",
        "release",
        ((r.sku, r.location, 0, -r.qty) for r in reserved),
    )
    for r in reserved:
        await give_back(change, order.id, order.line(r.line), r.location, r.qty)
    units = sum(r.qty for r in reserved)
    change.event("stock.released", units=units, cause="unpaid")
    return Done()


# The event tells when stock was reserved. Few orders are `placed`, so the scan is
# small.
_CONDITION = f"""
    o.status = 'placed' AND o.created_at < now() - cast(:held AS interval)
    AND EXISTS (SELECT FROM reservations r WHERE r.order_id = o.id)
    AND NOT {COVERED}
    AND (SELECT max(e.at) FROM events e WHERE e.subject = o.id
         AND e.type = 'stock.reserved') < now() - cast(:held AS interval)
"""  # noqa: S608 - our own condition
_LAPSED = text(
    f"SELECT o.id FROM orders o WHERE {_CONDITION}"  # noqa: S608
    " ORDER BY o.created_at, o.id LIMIT :batch"
)
_IS_LAPSED = text(
    f"SELECT EXISTS (SELECT FROM orders o WHERE o.id = :order_id AND {_CONDITION})"  # noqa: S608
)
