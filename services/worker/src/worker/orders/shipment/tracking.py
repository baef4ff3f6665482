"""Books where a parcel is, as the carrier reports it.

Facts only move forward: a late or repeated scan moves nothing back.
"""

from dataclasses import replace

from shared.contracts.base import Payload
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import ShipmentStatus
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot, Shipment, read_order
from shared.database.orders.tables import Shipment as ShipmentTable

from worker.orders.ports import Tracking
from worker.orders.shipment import delivery_exceptions
from worker.orders.shipment.arrival import AWAY, arrive
from worker.orders.shipment.changes import send_off
from worker.orders.shipment.packages import note, package_of
from worker.orders.shipment.policy import DELIVERED, is_news, is_under_way
from worker.orders.shipment.shipped_after_cancel import leave_after_all
from worker.orders.store import utc_now

CAUSES = {
    "failure": delivery_exceptions.ATTEMPT_FAILED,
    "return_to_sender": delivery_exceptions.BACK_TO_SENDER,
    "lost": delivery_exceptions.LOST,
}
"""Scans after which a person decides how the goods get to the customer."""


STILL_HERE = (ShipmentStatus.PACKED, ShipmentStatus.CANCELLED)


class Moved(Payload):
    """`wakes`: the order's workflow has something to look at. `asks`: also where it has
    ended."""

    wakes: bool = False
    asks: bool = False


async def move(
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    shipment_id: str,
    package: int,
    scan: Tracking,
) -> Moved:
    """Record where one of a parcel's packages is. Safe to repeat."""
    shipment = order.shipment(shipment_id)
    seen = package_of(shipment, package)
    # Times are the carrier's claim. One in the future would hide later scans, so it
    # counts as the present.
    now = replace(scan, at=min(scan.at, utc_now()))
    again = now.status == seen.tracking_status and (
        now.at == seen.tracking_at or scan.at > now.at
    )
    if again or not is_news(
        *(now.status, now.at, seen.tracking_status, seen.tracking_at)
    ):
        # A repeat: the first try may have broken off before the workflows were nudged.
        over = order.status.final and not order.holds
        return Moved(wakes=again and not over, asks=again and not over)
    await note(
        *(change, shipment, package),
        tracking_status=now.status,
        tracking_at=now.at,
        eta=now.eta or seen.eta,
    )
    asks = False
    if shipment.status in STILL_HERE and is_under_way(now.status):
        asks = await _leave(change, order, shipment, now)
        order = await read_order(change.connection, order.id)
        shipment = order.shipment(shipment_id)
    if now.status == DELIVERED and _all(shipment, DELIVERED, but=package):
        asks |= await _arrive(change, order, shipment, now)
        return Moved(wakes=True, asks=asks)
    change.event(
        "shipment.tracked",
        shipment_id=shipment.id,
        tracking_status=now.status,
        **_which(shipment, package),
    )
    asks |= await _ask(change, order, shipment, package, now)
    return Moved(wakes=asks, asks=asks)


def arrived(order: OrderSnapshot, shipment_id: str) -> OrderSnapshot | None:
    """The order after a parcel that was on its way has arrived, where that is known
    without reading it."""
    before = order.shipment(shipment_id)
    alone = not (order.holds or before.further)
    if before.status is not ShipmentStatus.SHIPPED or not alone:
        return None
    after = before.model_copy(update={"status": ShipmentStatus.DELIVERED})
    parcels = tuple(after if s is before else s for s in order.shipments)
    return order.model_copy(update={"shipments": parcels})


def _all(shipment: Shipment, status: str, *, but: int) -> bool:
    others = (p for p in shipment.packages if p.number != but)
    return all(package.tracking_status == status for package in others)


def _which(shipment: Shipment, package: int) -> dict[str, int]:
    """Find the package that the scan is about."""
    return {"package": package} if shipment.further else {}


async def _leave(
    change: UnitOfWork, order: OrderSnapshot, shipment: Shipment, now: Tracking
) -> bool:
    """A scanned parcel has left, even if nobody recorded it."""
    if shipment.status is ShipmentStatus.CANCELLED:
        await leave_after_all(change, order, shipment, now.at)
        return True
    await send_off(
        change,
        order,
        shipment,
        carrier=shipment.carrier,
        tracking=shipment.tracking,
    )
    return False


async def _arrive(
    change: UnitOfWork, order: OrderSnapshot, shipment: Shipment, now: Tracking
) -> bool:
    if shipment.status in NOWHERE_ELSE:
        return False
    return await arrive(change, order, shipment, now.at)


NOWHERE_ELSE = (
    ShipmentStatus.READY,
    ShipmentStatus.RETURNED,
    ShipmentStatus.DELIVERED,
)


async def _ask(
    change: UnitOfWork,
    order: OrderSnapshot,
    shipment: Shipment,
    package: int,
    now: Tracking,
) -> bool:
    """A parcel that was reported as delivered may still come back."""
    cause = CAUSES.get(now.status)
    if shipment.status not in (*AWAY, ShipmentStatus.DELIVERED):
        return False
    if cause is None:
        hold = order.hold(HoldReason.DELIVERY, shipment.id)
        missed = (
            hold is not None and hold.detail.get("cause") == delivery_exceptions.NO_SCAN
        )
        if missed and is_under_way(now.status):
            await delivery_exceptions.settle(change, shipment)
        return False
    settled = await delivery_exceptions.settled_units(change, shipment)
    lost = cause == delivery_exceptions.LOST and _all(shipment, "lost", but=package)
    if lost and shipment.status is ShipmentStatus.SHIPPED:
        await change.update(ShipmentTable, shipment.id, status=ShipmentStatus.LOST)
        change.event("shipment.lost", shipment_id=shipment.id)
    return await delivery_exceptions.ask(
        *(change, order, shipment, cause),
        settled=settled,
        about=_which(shipment, package),
    )
