"""Draws the state of an order's parcels from the snapshot."""

from collections.abc import Iterator
from datetime import datetime

from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.payloads import ParcelState
from shared.contracts.orders.states import ShipmentStatus
from shared.database.orders.snapshot import OrderSnapshot, Shipment

from worker.orders.payment.amounts import able_to_pay, paying
from worker.orders.shipment.packages import valid_labels
from worker.orders.shipment.policy import DELIVERED, PARCEL_LOST_AFTER, SCAN_DUE


def parcel_states(order: OrderSnapshot, now: datetime) -> tuple[ParcelState, ...]:
    """The parcels with something left to do."""
    return tuple(_states(order, now))


def _states(order: OrderSnapshot, now: datetime) -> Iterator[ParcelState]:
    for shipment in order.shipments:
        to_void = bool(valid_labels(shipment))
        if not to_void and shipment.status.final:
            continue
        ready = is_ready(order, shipment)
        paid = shipment.captured_at is not None
        yield ParcelState(
            shipment_id=shipment.id,
            status=shipment.status,
            payable=ready and not paid and able_to_pay(order, shipment, now),
            paying=paying(order, shipment.id),
            labellable=ready and paid,
            to_void=to_void,
            watch_until=watch_until(order, shipment),
            cancel_wanted=shipment.cancel_wanted is not None,
        )


def is_ready(order: OrderSnapshot, shipment: Shipment) -> bool:
    """Whether it is picked and measured, and nothing stops it."""
    return (
        shipment.status is ShipmentStatus.READY
        and shipment.parcel is not None
        and shipment.cancel_wanted is None
        and not order.unscreened
        and not held_for(order, shipment)
    )


def held_for(order: OrderSnapshot, shipment: Shipment) -> list[HoldReason]:
    """Why a parcel must not be packed: holds of its own, or of its order."""
    return [h.reason for h in order.holds if h.subject in (order.id, shipment.id)]


def watch_until(order: OrderSnapshot, shipment: Shipment) -> datetime | None:
    """When a parcel has not been seen for too long, by a carrier that would tell."""
    if shipment.status is not ShipmentStatus.SHIPPED or not shipment.tracked:
        return None
    if shipment.shipped_at is None:
        return None
    missing = [p for p in shipment.packages if p.tracking_status != DELIVERED]
    asked = order.hold(HoldReason.DELIVERY, shipment.id) is not None
    if asked and len(missing) < len(shipment.packages):
        return None  # a part has arrived: the parcel as a whole is not lost
    last_seen = min(
        max(package.tracking_at or shipment.shipped_at, shipment.shipped_at)
        for package in missing
    )
    return last_seen + (PARCEL_LOST_AFTER if asked else SCAN_DUE)
