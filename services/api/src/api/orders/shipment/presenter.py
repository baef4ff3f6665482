"""Turns a stored shipment into what callers see."""

from api.orders.shipment import schemas as shown
from api.orders.shipment.queries import Package, Shipment

_SAME = (Shipment.model_fields.keys() & shown.Shipment.model_fields) - {
    *("lines", "on_hold"),
}
_SAME_OF_PACKAGE = Package.model_fields.keys() & shown.Package.model_fields
"""Columns that are shown as stored."""


def show_shipment(shipment: Shipment) -> shown.Shipment:
    return shown.Shipment(
        **{name: getattr(shipment, name) for name in _SAME},
        order_number=shipment.number,
        shipping=shown.ShipmentShipping(method=shipment.shipping_method),
        lines=[
            shown.ShipmentLine(
                line=line.line, sku=line.sku, name=line.name, quantity=line.qty
            )
            for line in shipment.lines or ()
        ],
        packages=[_package(package) for package in shipment.packages],
        on_hold=shipment.on_hold or [],
        label=shipment.label_ref is not None,
    )


def _package(package: Package) -> shown.Package:
    return shown.Package(
        **{name: getattr(package, name) for name in _SAME_OF_PACKAGE},
        label=package.label_ref is not None,
    )
