"""The boxes of a shipment: how they are measured, labelled, and labelled anew.

The first box is kept with its shipment, further ones in a table of their own.
"""

from collections.abc import Sequence
from typing import Any

from shared.contracts.errors import NotFound, Refusal
from shared.contracts.orders.payloads import Parcel, Relabel
from shared.contracts.orders.states import ShipmentStatus
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.snapshot import (
    OrderSnapshot,
    Package,
    Shipment,
    SpoiltLabel,
)
from shared.database.orders.tables import Package as PackageTable
from shared.database.orders.tables import Shipment as ShipmentTable
from sqlalchemy import text


async def note(
    change: UnitOfWork, shipment: Shipment, number: int, **columns: Any
) -> None:
    """Store what is known of one package."""
    if number == 1:
        await change.update(ShipmentTable, shipment.id, **columns)
    else:
        key = {"shipment_id": shipment.id, "number": number}
        await change.update(PackageTable, key, **columns)


async def measure(
    change: UnitOfWork, shipment: Shipment, parcels: Sequence[Parcel]
) -> None:
    """Replace its packages by these, without labels."""
    first, *further = (parcel.model_dump() for parcel in parcels)
    await change.update(ShipmentTable, shipment.id, parcel=first)
    if shipment.further:
        await change.connection.execute(_DROP, {"shipment": shipment.id})
    for number, parcel in enumerate(further, start=2):
        box = {"shipment_id": shipment.id, "number": number, "parcel": parcel}
        await change.insert(PackageTable, box)


_DROP = text("DELETE FROM packages WHERE shipment_id = :shipment")


def label_reference(shipment: Shipment, package: Package) -> str:
    """The reference of a purchase at the carrier. Each purchase after a voided label
    has another one."""
    box = "" if package.number == 1 else f"-{package.number}"
    again = f".{len(shipment.spoilt_labels)}" if shipment.spoilt_labels else ""
    return f"{shipment.id}{box}{again}"


async def check_is_its_own(
    change: UnitOfWork, shipment: Shipment, number: int, tracking: str | None
) -> None:
    """A number that was typed by hand may be another parcel's. Raises `Refusal`
    duplicate-reference."""
    taken = await change.connection.scalar(
        _TAKEN, {"tracking": tracking, "shipment": shipment.id, "number": number}
    )
    if taken:
        raise Refusal("duplicate-reference", "Another parcel has this number.")


_TAKEN = text(
    """
    SELECT EXISTS (SELECT FROM shipments WHERE tracking = :tracking
                   AND (id, 1) <> (:shipment, cast(:number AS int)))
        OR EXISTS (SELECT FROM packages WHERE tracking = :tracking
                   AND (shipment_id, number) <> (:shipment, cast(:number AS int)))
    """
)


# ── labelled anew ───────────────────────────────────────────────────────────────


async def relabel(
    change: UnitOfWork, order: OrderSnapshot, *, command: Relabel
) -> Done:
    """Raises `Refusal` wrong-state, not-found, duplicate-reference."""
    shipment = order.shipment(command.shipment_id)
    by_hand = command.carrier is not None or command.tracking is not None
    typo = by_hand and shipment.status is ShipmentStatus.SHIPPED
    if shipment.status is not ShipmentStatus.PACKED and not typo:
        raise Refusal("wrong-state", f"The shipment is {shipment.status}.")
    if by_hand:
        await _by_hand(change, shipment, command)
    else:
        await _anew(change, shipment, command.parcels)
    change.event(
        "shipment.relabelled", shipment_id=shipment.id, package=command.package
    )
    return Done()


async def _by_hand(change: UnitOfWork, shipment: Shipment, command: Relabel) -> None:
    package = package_of(shipment, command.package)
    if shipment.status is ShipmentStatus.SHIPPED and shipment.tracked:
        raise Refusal("wrong-state", "It has left with the carrier's own label.")
    await check_is_its_own(change, shipment, package.number, command.tracking)
    await label_by_hand(
        change,
        shipment,
        package,
        carrier=command.carrier or package.carrier,
        tracking=command.tracking,
    )


async def label_by_hand(
    change: UnitOfWork,
    shipment: Shipment,
    package: Package,
    *,
    carrier: str | None,
    tracking: str | None,
) -> None:
    """Label a package by hand. A label that was bought for it is voided, and its scans
    are ignored."""
    await _spoil(change, shipment, [package])
    number = package.number
    await note(change, shipment, number, **_UNLABELLED)
    await note(change, shipment, number, carrier=carrier, tracking=tracking)
    await change.update(ShipmentTable, shipment.id, tracked=False)


async def _anew(
    change: UnitOfWork, shipment: Shipment, parcels: Sequence[Parcel]
) -> None:
    """Back to unlabelled: it is paid for, and its labels are bought as at first."""
    await _spoil(change, shipment, shipment.packages)
    for package in shipment.packages:
        await note(change, shipment, package.number, **_UNLABELLED)
    await change.update(ShipmentTable, shipment.id, status=ShipmentStatus.READY)
    if parcels:
        await measure(change, shipment, parcels)


_UNLABELLED: dict[str, Any] = dict.fromkeys(
    (
        *("carrier", "tracking", "label_ref", "label_url"),
        *("tracking_status", "tracking_at", "eta"),
    )
)


async def _spoil(
    change: UnitOfWork, shipment: Shipment, packages: Sequence[Package]
) -> None:
    """Mark their labels to be voided at the carrier."""
    spoilt = [
        SpoiltLabel(ref=package.label_ref, tracking=package.tracking, voided=False)
        for package in packages
        if package.label_ref is not None
    ]
    if spoilt:
        labels = [label.model_dump() for label in (*shipment.spoilt_labels, *spoilt)]
        await change.update(ShipmentTable, shipment.id, spoilt_labels=labels)


def package_of(shipment: Shipment, number: int) -> Package:
    """Raises `NotFound`."""
    for package in shipment.packages:
        if package.number == number:
            return package
    raise NotFound(f"package {number} of {shipment.id}")


def valid_labels(shipment: Shipment) -> list[str]:
    """References of the labels that are to be given back to the carrier."""
    spoilt = [label.ref for label in shipment.spoilt_labels if not label.voided]
    if shipment.status is not ShipmentStatus.CANCELLED:
        return spoilt
    return spoilt + [p.label_ref for p in shipment.packages if p.label_ref is not None]
