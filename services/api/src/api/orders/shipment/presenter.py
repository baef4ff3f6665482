"""From a shipment as it is stored to a shipment as it is shown."""

from api.orders.shipment import schemas as shown
from api.orders.shipment.queries import Shipment


def show_shipment(shipment: Shipment) -> shown.Shipment:
    known = shipment.model_dump(
        exclude={
            *("number", "shipping_method", "lines", "label_ref", "label_url"),
            *("on_hold", "further"),
        }
    )
    lines = [
        shown.ShipmentLine(
            line=line.line, sku=line.sku, name=line.name, quantity=line.qty
        )
        for line in shipment.lines or ()
    ]
    return shown.Shipment(
        **known,
        order_number=shipment.number,
        shipping=shown.ShipmentShipping(method=shipment.shipping_method),
        lines=lines,
        packages=[
            shown.Package(
                **package.model_dump(exclude={"label_ref", "label_url"}),
                label=package.label_ref is not None,
            )
            for package in shipment.packages
        ],
        on_hold=shipment.on_hold or [],
        label=shipment.label_ref is not None,
    )
