"""An order that lost its stock (`stock/unpaid.py`), and is paid after all."""

from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot

from worker.orders.hold.changes import miss_stock
from worker.orders.stock.changes import reserve_missing


async def reserve_again(change: UnitOfWork, order: OrderSnapshot) -> bool:
    """Reserve again. Returns whether units are missing that a person has to decide
    about."""
    units = await reserve_missing(change, order, f"{order.id}:again:{order.version}")
    missing = order.short - units
    if units:
        change.event("stock.reserved", units=units, missing=missing)
    if missing and not order.ship_partial:
        await miss_stock(change, order.id)
        return True
    return False
