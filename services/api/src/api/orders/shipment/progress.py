"""Waits for the outcome of a command on a parcel; all its commands answer with this."""

from collections.abc import Iterable

from shared.contracts.errors import Refusal
from shared.contracts.orders import payloads
from shared.contracts.orders.states import HoldReason, ShipmentStatus
from shared.database.orders.snapshot import OrderSnapshot
from shared.database.orders.snapshot import Shipment as ShipmentRow

from api.http.idempotency import StoredResponse
from api.http.services import Services
from api.orders.commands import Ended
from api.orders.order import queries
from api.orders.shipment import schemas as shown
from api.orders.shipment.presenter import show_shipment
from api.orders.shipment.queries import Shipment, read_shipment


def measures(parcels: Iterable[shown.Parcel | None]) -> tuple[payloads.Parcel, ...]:
    return tuple(payloads.Parcel(**p.model_dump()) for p in parcels if p is not None)


async def packed(services: Services, shipment: Shipment) -> StoredResponse:
    """The picked parcel, as soon as its outcome is known. Raises `Refusal`
    payment-failed."""
    order = await queries.order_when(
        services,
        shipment.order_id,
        lambda order: _is_decided(order, shipment.id),
        services.settings.api_command_timeout.total_seconds(),
    )
    parcel = order.shipment(shipment.id)
    ready = parcel.status is ShipmentStatus.READY
    if ready and HoldReason.PAYMENT in _holds(order, parcel):
        raise Refusal("payment-failed", "The payment for this parcel failed.")
    # It is picked; a hold that stops it from being sent is no error.
    now = await answer(services, shipment.id)
    return StoredResponse(202, now.body) if ready else now


def _is_decided(order: OrderSnapshot, shipment_id: str) -> bool:
    now = order.shipment(shipment_id)
    return now.status is not ShipmentStatus.READY or bool(_holds(order, now))


def _holds(order: OrderSnapshot, shipment: ShipmentRow) -> list[HoldReason]:
    """Holds that stop a parcel. Once it is paid for, a hold of its order about the rest
    of the money does not."""
    paid = shipment.captured_at is not None
    return [
        hold.reason
        for hold in order.holds
        if hold.subject in (order.id, shipment.id)
        and not (paid and hold.reason is HoldReason.PAYMENT)
    ]


async def answer(services: Services, shipment_id: str) -> StoredResponse:
    return StoredResponse(
        200, show_shipment(await read_shipment(services, shipment_id))
    )


def refuse(shipment: Shipment) -> Ended:
    def over(order: OrderSnapshot) -> Refusal:
        now = order.shipment(shipment.id).status
        return Refusal("wrong-state", f"The shipment is {ShipmentStatus(now)}.")

    return over
