"""Where an order stands with its money and its goods: computed, never stored."""

from shared.contracts.orders.states import OrderStatus, ShipmentStatus
from shared.database.orders.snapshot import OrderSnapshot

from api.orders.order.schemas import FulfillmentStatus, PaymentStatus


def payment_status(order: OrderSnapshot) -> PaymentStatus:
    if order.captured:
        if order.refunded >= order.captured:
            return "refunded"
        if order.refunded:
            return "partially_refunded"
        return "partially_captured" if order.to_capture else "captured"
    if any(payment.held for payment in order.payments):
        return "authorized"
    authorized = any(payment.authorized for payment in order.payments)
    if authorized or order.status is OrderStatus.CANCELLED:
        return "voided"
    return "unpaid" if order.to_capture else "captured"


def fulfillment_status(order: OrderSnapshot) -> FulfillmentStatus:
    shipped = sum(line.shipped for line in order.lines)
    returned = sum(line.returned for line in order.lines)
    if not shipped:
        return "unfulfilled"
    if returned:
        return "returned" if returned >= shipped else "partially_returned"
    if order.open_units:
        return "partially_fulfilled"
    return "delivered" if _all_delivered(order) else "fulfilled"


def _all_delivered(order: OrderSnapshot) -> bool:
    sent = [s for s in order.shipments if s.status is not ShipmentStatus.CANCELLED]
    return all(shipment.status is ShipmentStatus.DELIVERED for shipment in sent)
