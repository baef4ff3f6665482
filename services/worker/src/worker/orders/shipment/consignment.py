"""Describes a parcel to the carrier: where it goes, and what is in it."""

from shared.contracts.errors import NotFound
from shared.contracts.money import share
from shared.contracts.orders.payloads import Parcel
from shared.database.orders.snapshot import (
    OF_SUBJECT,
    OrderSnapshot,
    Package,
    Shipment,
)
from shared.database.rows import Row
from sqlalchemy import text

from worker.orders.ports import Consignment, Content
from worker.orders.shipment.address import address_of
from worker.orders.shipment.packages import label_reference
from worker.orders.store import OrderStore


async def read_to_label(store: OrderStore, order_id: str) -> tuple[OrderSnapshot, Row]:
    """Read the order together with what its labels name besides: its contact, and the
    customs data of its products. The carrier gets them; no payload carries them."""
    async with store.reads.connect() as connection:
        row = (await connection.execute(_TO_LABEL, {"subject": order_id})).first()
    if row is None:
        raise NotFound(f"order {order_id}")
    return OrderSnapshot.model_validate_json(row.snapshot), row


def consign(
    order: OrderSnapshot, shipment: Shipment, package: Package, known: Row
) -> Consignment:
    """Each of several packages declares the content of the whole parcel, as nobody
    recorded which holds what. Raises `AddressRefused`."""
    units = {item.line: item.qty for item in shipment.lines if item.qty}
    return Consignment(
        reference=label_reference(shipment, package),
        address=address_of(known),
        parcel=Parcel.model_validate(package.parcel),
        location=shipment.location,
        carrier=order.shipping_carrier,
        service=order.shipping_service,
        contents=contents(order, units, known),
    )


def contents(
    order: OrderSnapshot, units: dict[int, int], known: Row
) -> tuple[Content, ...]:
    customs = {product["sku"]: product for product in known.customs}
    lines = [order.line(number) for number in units]
    return tuple(
        Content(
            name=line.name,
            units=units[line.line],
            value=share(line.total, line.qty, 0, units[line.line]),
            currency=order.currency,
            hs_code=customs[line.sku]["hs_code"],
            origin=customs[line.sku]["origin"],
        )
        for line in lines
    )


_TO_LABEL = text(
    f"""
    SELECT ship_to, ship_to_accepted, phone, ({OF_SUBJECT}) AS snapshot,
      (SELECT json_agg(p) FROM (SELECT sku, hs_code, origin FROM products
         WHERE sku IN (SELECT sku FROM order_lines WHERE order_id = :subject)) p
      ) AS customs
    FROM contacts WHERE order_id = :subject
    """  # noqa: S608 - our own words
)
