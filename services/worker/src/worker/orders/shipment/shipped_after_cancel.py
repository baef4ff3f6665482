"""A parcel that was cancelled has left all the same: facts win.

Stock and counters follow as far as they can without breaking a rule that other orders
rely on. Where they cannot, people are told: of the parcel by a hold, of stock that was
promised to somebody else by a discrepancy.
"""

from collections.abc import Iterator
from datetime import datetime

from shared.contracts.errors import StepInFlight
from shared.contracts.orders.states import MoneyKind, ShipmentStatus
from shared.database.kernel.discrepancies import Finding, report
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import Line, OrderSnapshot, Shipment
from shared.database.orders.tables import Shipment as ShipmentTable
from sqlalchemy import text

from worker.orders.payment.amounts import prepaid_units
from worker.orders.shipment import delivery_exceptions
from worker.orders.shipment.changes import cancel_shipment, leave_out
from worker.orders.stock.changes import add_to_line, give_back, move_stock


async def leave_after_all(
    change: UnitOfWork, order: OrderSnapshot, shipment: Shipment, at: datetime
) -> None:
    """Raises `StepInFlight` while another parcel is being paid for: what is due for it
    depends on what has left."""
    if any(payment.pending(MoneyKind.CAPTURE) for payment in order.payments):
        raise StepInFlight("A parcel of this order is being paid for.")
    settled: dict[int, int] = {}
    for item in sorted(shipment.lines, key=lambda item: order.line(item.line).sku):
        line = order.line(item.line)
        planned_anew = await _take_back(change, order, shipment, line, item.qty)
        rest = item.qty - planned_anew
        cancelled = min(rest, line.cancelled, line.voided)
        await add_to_line(
            change,
            order.id,
            line.line,
            shipped=planned_anew + cancelled,
            cancelled=-cancelled,
            voided=-cancelled,
        )
        await _take_from_stock(change, shipment, line, planned_anew, rest)
        if rest:
            settled[line.line] = rest
    await change.update(
        ShipmentTable, shipment.id, status=ShipmentStatus.SHIPPED, shipped_at=at
    )
    change.event("shipment.shipped", shipment_id=shipment.id, after_cancel=True)
    await delivery_exceptions.ask(
        change, order, shipment, delivery_exceptions.SCAN_AFTER_CANCEL, settled=settled
    )


async def _take_from_stock(
    change: UnitOfWork, shipment: Shipment, line: Line, reserved: int, unreserved: int
) -> None:
    gone = await _free(change, line.sku, shipment.location, unreserved)
    move = (line.sku, shipment.location, -reserved - gone, -reserved)
    key = f"{shipment.id}:after-cancel:{line.line}"
    await move_stock(change, key, "ship", [move])
    if gone < unreserved:
        finding = Finding(
            "stock-promised-twice",
            f"{line.sku}@{shipment.location}",
            {"shipment_id": shipment.id, "units": unreserved - gone},
        )
        await report(change.connection, "orders", [finding])


async def _take_back(
    change: UnitOfWork, order: OrderSnapshot, shipment: Shipment, line: Line, units: int
) -> int:
    """Take units back that were planned again, since they have left after all. Units
    that somebody has packed, or has packed others for their money, stay. Returns how
    many were taken back."""
    wanted = left = min(units, prepaid_units(order, shipment, line.line))
    for holder, available in _not_packed(order, line, shipment.location):
        taken = min(left, available)
        if taken:
            await give_back(change, order.id, line, shipment.location, taken)
            left -= taken
        if taken and holder is not None:
            await _shrink(change, holder, line.line, taken)
    return wanted - left


def _not_packed(
    order: OrderSnapshot, line: Line, location: str
) -> Iterator[tuple[Shipment | None, int]]:
    for reservation, units in order.unplanned():
        if reservation.line == line.line and reservation.location == location:
            yield None, units
    for other in order.shipments:
        waits = other.status is ShipmentStatus.READY and other.parcel is None
        if waits and other.location == location:
            yield other, other.units(line.line)


async def _shrink(
    change: UnitOfWork, shipment: Shipment, line: int, units: int
) -> None:
    await leave_out(change, shipment, line, units)
    if sum(item.qty for item in shipment.lines) == units:
        await cancel_shipment(change, shipment)


async def _free(change: UnitOfWork, sku: str, location: str, units: int) -> int:
    """How many of `units` are not promised to any order."""
    free = await change.connection.scalar(_FREE, {"sku": sku, "location": location})
    return min(units, free or 0)


_FREE = text(
    "SELECT on_hand - reserved FROM stock"
    " WHERE sku = :sku AND location = :location FOR UPDATE"
)
