"""Describes a parcel to the carrier: where it goes, and what is in it."""

from shared.contracts.money import share
from shared.contracts.orders.payloads import Parcel
from shared.database.orders.snapshot import OrderSnapshot, Package, Shipment
from sqlalchemy import text

from worker.orders.ports import Address, Consignment, Content
from worker.orders.shipment.packages import label_reference
from worker.orders.store import OrderStore


async def consign(
    store: OrderStore,
    order: OrderSnapshot,
    shipment: Shipment,
    package: Package,
    to: Address,
) -> Consignment:
    """Each of several packages declares the content of the whole parcel, as nobody
    recorded which holds what."""
    units = {item.line: item.qty for item in shipment.lines if item.qty}
    return Consignment(
        reference=label_reference(shipment, package),
        address=to,
        parcel=Parcel.model_validate(package.parcel),
        location=shipment.location,
        carrier=order.shipping_carrier,
        service=order.shipping_service,
        contents=await contents(store, order, units),
    )


async def contents(
    store: OrderStore, order: OrderSnapshot, units: dict[int, int]
) -> tuple[Content, ...]:
    lines = [order.line(number) for number in units]
    async with store.reads.connect() as connection:
        rows = await connection.execute(_CUSTOMS, {"skus": [x.sku for x in lines]})
    known = {row.sku: row for row in rows}
    return tuple(
        Content(
            name=line.name,
            units=units[line.line],
            value=share(line.total, line.qty, 0, units[line.line]),
            currency=order.currency,
            hs_code=known[line.sku].hs_code,
            origin=known[line.sku].origin,
        )
        for line in lines
    )


_CUSTOMS = text("SELECT sku, hs_code, origin FROM products WHERE sku = ANY(:skus)")
