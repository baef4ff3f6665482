"""Packing slips: the content of a parcel, for its recipient. Without prices and staff's
notes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.contracts.errors import Refusal
from shared.contracts.orders.states import ShipmentStatus
from sqlalchemy import text

from api.http.dependencies import Dependencies
from api.orders.paper.limits import check_size
from api.orders.shipment.queries import Shipment, read_shipments


@dataclass(frozen=True)
class Slip:
    shipment: Shipment
    sender: dict[str, Any] | None
    recipient: dict[str, Any] | None
    """`None` once the customer was erased."""


async def read_slips(deps: Dependencies, ids: Sequence[str]) -> list[Slip]:
    """In this order. Raises `Refusal` not-found, wrong-state, document-too-large."""
    shipments = await read_shipments(deps, ids)
    gone = [s.id for s in shipments if s.status is ShipmentStatus.CANCELLED]
    if gone:
        raise Refusal(
            "wrong-state",
            f"{', '.join(gone)}: cancelled. Ask for those that took over.",
            shipments=gone,
        )
    check_size(sum(len(shipment.lines or ()) for shipment in shipments))
    async with deps.engine.connect() as connection:
        rows = await connection.execute(_ADDRESSES, {"ids": [*ids]})
    known = {row.id: row for row in rows}
    return [
        Slip(shipment, known[shipment.id].sender, known[shipment.id].recipient)
        for shipment in shipments
    ]


_ADDRESSES = text(
    """
    SELECT s.id, c.ship_to AS recipient, l.address AS sender
    FROM shipments s LEFT JOIN contacts c ON c.order_id = s.order_id
      LEFT JOIN locations l ON l.code = s.location
    WHERE s.id = ANY(:ids)
    """
)
