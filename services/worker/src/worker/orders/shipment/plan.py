"""Turning reservations into parcels: one a location for what is in no parcel yet."""

from collections import defaultdict

from shared.contracts.orders.states import ShipmentStatus
from shared.database.ids import new_id
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot
from shared.database.orders.tables import Shipment, ShipmentLine


async def plan(change: UnitOfWork, order: OrderSnapshot) -> int:
    """Plan shipments for all that is reserved. Returns how many there are new."""
    parcels: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for reservation, units in order.unplanned():
        parcels[reservation.location].append((reservation.line, units))
    for location, lines in sorted(parcels.items()):
        shipment_id = new_id("shp")
        await change.insert(
            Shipment,
            {
                "id": shipment_id,
                "order_id": order.id,
                "location": location,
                "status": ShipmentStatus.READY,
            },
        )
        await change.insert(
            ShipmentLine,
            *(
                {
                    "shipment_id": shipment_id,
                    "order_id": order.id,
                    "line": line,
                    "qty": units,
                }
                for line, units in lines
            ),
        )
        change.event(
            "shipment.ready",
            shipment_id=shipment_id,
            location=location,
            lines=[{"line": line, "quantity": units} for line, units in lines],
        )
    return len(parcels)
