"""Where a parcel is, by the carrier's word. Facts only move forward: a late or
repeated scan moves nothing back."""

from functools import partial

from shared.contracts.base import Payload
from shared.contracts.orders.states import Decision, HoldReason, ShipmentStatus
from shared.database.kernel.change import Change
from shared.database.kernel.holds import place_hold, release_holds
from shared.database.orders.snapshot import OrderSnapshot, Shipment
from shared.database.orders.tables import Shipment as ShipmentTable
from sqlalchemy import update

from worker.orders import policy
from worker.orders.activities.store import OrderStore
from worker.orders.ports import Tracking


class Moved(Payload):
    """`wakes`: the shipment's workflow has something to do about it."""

    wakes: bool


CAUSES = {
    "failure": "attempt-failed",
    "return_to_sender": "back-to-sender",
    "lost": "lost",
}
"""Scans after which a person decides how the goods get to the customer."""


async def track(
    store: OrderStore, order_id: str, shipment_id: str, now: Tracking
) -> bool:
    """Record the parcel's current state. Returns whether its workflow should look."""
    moved = await store.change(
        order_id, partial(_move, shipment_id=shipment_id, now=now), Moved
    )
    return moved.wakes


async def _move(
    change: Change, order: OrderSnapshot, *, shipment_id: str, now: Tracking
) -> Moved:
    shipment = order.shipment(shipment_id)
    seen = shipment.tracking_at
    if shipment.tracking_status == now.status or (seen and now.at < seen):
        return Moved(wakes=False)
    columns: dict[str, object] = {
        "tracking_status": now.status,
        "tracking_at": now.at,
        "eta": now.eta or shipment.eta,
    }
    wakes = await _apply(change, shipment, now, columns)
    await change.connection.execute(
        update(ShipmentTable).where(ShipmentTable.id == shipment.id).values(columns)
    )
    return Moved(wakes=wakes)


async def _apply(
    change: Change, shipment: Shipment, now: Tracking, columns: dict[str, object]
) -> bool:
    underway = shipment.status in (ShipmentStatus.SHIPPED, ShipmentStatus.LOST)
    if now.status == "delivered" and underway:
        columns |= {"status": ShipmentStatus.DELIVERED, "delivered_at": now.at}
        await release_holds(
            change, Decision.SETTLED, reason=HoldReason.DELIVERY, subject=shipment.id
        )
        change.event("shipment.delivered", shipment_id=shipment.id)
        return True
    change.event(
        "shipment.tracked", shipment_id=shipment.id, tracking_status=now.status
    )
    cause = CAUSES.get(now.status)
    if cause is None or not underway:
        return False
    await place_hold(
        change,
        HoldReason.DELIVERY,
        subject=shipment.id,
        due_in=policy.DELIVERY_DUE,
        detail={"cause": cause, "shipment_id": shipment.id},
    )
    return True
