"""What a parcel's workflow needs to know, drawn from its order's snapshot."""

from datetime import datetime

from shared.contracts.orders.models import ShipmentState
from shared.contracts.orders.states import HoldReason, ShipmentStatus
from shared.database.orders.snapshot import OrderSnapshot, Shipment

from worker.orders.payment.amounts import paying
from worker.orders.shipment.policy import PARCEL_LOST_AFTER, SCAN_DUE


def shipment_state(order: OrderSnapshot, shipment_id: str) -> ShipmentState:
    shipment = order.shipment(shipment_id)
    held = any(hold.subject in (order.id, shipment.id) for hold in order.holds)
    return ShipmentState(
        shipment_id=shipment.id,
        status=shipment.status,
        parcel_ready=shipment.status is ShipmentStatus.READY
        and shipment.parcel is not None
        and not held
        and not order.unscreened,
        paying=paying(order, shipment.id),
        to_void=to_void(shipment),
        watch_until=watch_until(order, shipment),
    )


def begun(shipment: Shipment) -> bool:
    return shipment.status is not ShipmentStatus.READY or shipment.parcel is not None


def to_void(shipment: Shipment) -> bool:
    return (
        shipment.status is ShipmentStatus.CANCELLED and shipment.label_ref is not None
    )


def watch_until(order: OrderSnapshot, shipment: Shipment) -> datetime | None:
    """When a parcel has not been seen for too long."""
    if shipment.status is not ShipmentStatus.SHIPPED or shipment.shipped_at is None:
        return None
    last_seen = max(shipment.tracking_at or shipment.shipped_at, shipment.shipped_at)
    asked = order.hold(HoldReason.DELIVERY, shipment.id) is not None
    return last_seen + (PARCEL_LOST_AFTER if asked else SCAN_DUE)
