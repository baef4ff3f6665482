"""Stock that has become free goes to the orders that wait for it: those whose money is
held first, and of these the oldest."""

from shared.contracts.orders.activities import StockSteps
from shared.contracts.orders.holds import Decision, HoldReason
from shared.contracts.orders.payloads import Served, StockRef, WaitingOrders
from shared.database.kernel.holds import release_holds
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot
from shared.database.orders.stock import COVERED, IS_SUPPLIED, WAITS_FOR_STOCK
from sqlalchemy import text
from temporalio import activity

from worker.orders.nudger import Nudger
from worker.orders.stock.changes import reserve_missing
from worker.orders.store import OrderStore

BATCH = 50
"""Orders served by one run of the activity: a second or two of work."""

WAITING = text(
    f"""
    SELECT o.id FROM orders o
    WHERE {WAITS_FOR_STOCK} AND o.id IN (
      SELECT order_id FROM order_lines
      WHERE sku = :sku AND cancelled + reserved + shipped < qty)
      AND {IS_SUPPLIED.format(sku=":sku")}
    ORDER BY {COVERED} DESC, o.created_at, o.id LIMIT :batch
    """  # noqa: S608 - our own condition
)


class StockActivities(StockSteps):
    def __init__(self, store: OrderStore, nudger: Nudger) -> None:
        self._store = store
        self._nudge = nudger

    async def find_waiting_orders(self, ref: StockRef) -> WaitingOrders:
        async with self._store.reads.connect() as connection:
            found = await connection.scalars(WAITING, {"sku": ref.sku, "batch": BATCH})
            return WaitingOrders(sku=ref.sku, orders=tuple(found))

    async def serve_waiting_orders(self, waiting: WaitingOrders) -> Served:
        units = 0
        for order_id in waiting.orders:
            served = await self._store.change(order_id, serve, Served)
            # Nudge orders that got nothing, too: an earlier run may have served them
            # and broken off before the nudge.
            await self._nudge.order(order_id)
            activity.heartbeat(order_id)
            units += served.units
        return Served(units=units)


async def serve(change: UnitOfWork, order: OrderSnapshot) -> Served:
    """Reserve what the order waits for, and settle its hold once nothing is short."""
    if order.status.final or not order.allocated:
        return Served(units=0)
    # The version is in the key, because each round that reserves something raises it.
    key = f"{order.id}:allocate:{order.version}"
    units = await reserve_missing(change, order, key)
    if units:
        missing = order.short - units
        change.event("stock.reserved", units=units, missing=missing)
        if missing == 0:
            await release_holds(
                change, Decision.SETTLED, reason=HoldReason.STOCK, subject=order.id
            )
    return Served(units=units)
