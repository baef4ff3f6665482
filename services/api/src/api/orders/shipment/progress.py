"""Waits for the outcome of a command on a parcel; all its commands answer with this."""

from collections.abc import Iterable

from shared.contracts.errors import Refusal
from shared.contracts.orders import payloads
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import ShipmentStatus

from api.http.dependencies import Dependencies
from api.http.idempotency import StoredResponse
from api.orders.shipment import schemas as shown
from api.orders.shipment.presenter import show_shipment
from api.orders.shipment.queries import Shipment, read_shipment, shipment_when


def measures(parcels: Iterable[shown.Parcel | None]) -> tuple[payloads.Parcel, ...]:
    return tuple(payloads.Parcel(**p.model_dump()) for p in parcels if p is not None)


async def packed(deps: Dependencies, shipment: Shipment) -> StoredResponse:
    """The picked parcel, as soon as its outcome is known. Raises `Refusal`
    payment-failed."""
    now = await shipment_when(deps, shipment, _is_decided)
    ready = now.status is ShipmentStatus.READY
    if ready and HoldReason.PAYMENT in _holds(now):
        raise Refusal("payment-failed", "The payment for this parcel failed.")
    # It is picked; a hold that stops it from being sent is no error.
    return StoredResponse(202 if ready else 200, show_shipment(now))


def _is_decided(now: Shipment) -> bool:
    return now.status is not ShipmentStatus.READY or bool(_holds(now))


def _holds(shipment: Shipment) -> list[str]:
    """Holds that stop a parcel. Once it is paid for, a hold of its order about the rest
    of the money does not."""
    paid = shipment.captured_at is not None
    return [
        reason
        for reason in shipment.on_hold or ()
        if not (paid and reason == HoldReason.PAYMENT)
    ]


async def answer(deps: Dependencies, shipment_id: str) -> StoredResponse:
    return StoredResponse(200, show_shipment(await read_shipment(deps, shipment_id)))
