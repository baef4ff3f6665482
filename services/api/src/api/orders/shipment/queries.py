"""Reads of shipments."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import partial

from pydantic import BaseModel
from shared.contracts.errors import NotFound
from shared.contracts.orders.states import ShipmentStatus
from sqlalchemy import text

from api.http.dependencies import Dependencies
from api.http.idempotency import Command, Reading
from api.orders.order.queries import orders_named, read_until
from api.orders.shipment import schemas as shown


class Line(BaseModel):
    line: int
    sku: str
    name: str
    qty: int


class Package(BaseModel):
    number: int
    parcel: dict[str, int]
    carrier: str | None
    tracking: str | None
    label_ref: str | None
    label_url: str | None
    tracking_status: str | None
    eta: date | None


class Shipment(BaseModel):
    id: str
    order_id: str
    number: int
    shipping_method: str
    status: ShipmentStatus
    location: str
    lines: list[Line] | None
    parcel: dict[str, int] | None
    on_hold: list[str] | None
    carrier: str | None
    tracking: str | None
    label_ref: str | None
    label_url: str | None
    tracking_status: str | None
    eta: date | None
    created_at: datetime
    captured_at: datetime | None
    cancel_wanted: dict[str, str] | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    further: list[Package] | None

    @property
    def packages(self) -> list[Package]:
        """The packages; none before the parcel is picked."""
        if self.parcel is None:
            return []
        names = Package.model_fields.keys() - {"number"}
        first = {name: getattr(self, name) for name in names}
        return [Package(number=1, **first), *(self.further or ())]

    def package(self, number: int) -> Package:
        """Raises `NotFound`."""
        for package in self.packages:
            if package.number == number:
                return package
        raise NotFound(f"package {number} of {self.id}")


def reading(shipment_id: str) -> Reading:
    """Reads the shipment together with a command's key; `shipment_of` returns it."""
    return Reading(
        SHIPMENTS.format(which="s.id = :shipment"), {"shipment": shipment_id}
    )


def shipment_of(command: Command) -> Shipment:
    """Raises `NotFound`."""
    if command.about is None:
        raise NotFound("such shipment")
    return Shipment.model_validate_json(command.about)


async def read_shipment(deps: Dependencies, shipment_id: str) -> Shipment:
    """Raises `NotFound`."""
    found = await _read(deps, "s.id = :id", {"id": shipment_id})
    if not found:
        raise NotFound(f"shipment {shipment_id}")
    return found[0]


async def shipment_when(
    deps: Dependencies, shipment: Shipment, until: Callable[[Shipment], bool]
) -> Shipment:
    """The shipment once `until` holds, or as it is when a command has taken too
    long."""
    return await read_until(
        deps,
        shipment.order_id,
        partial(read_shipment, deps, shipment.id),
        until,
        deps.settings.api_command_timeout.total_seconds(),
    )


async def read_shipments(deps: Dependencies, ids: Sequence[str]) -> list[Shipment]:
    """In this order. Raises `NotFound`; it names those that there are not."""
    found = {s.id: s for s in await _read(deps, "s.id = ANY(:ids)", {"ids": ids})}
    missing = [shipment_id for shipment_id in ids if shipment_id not in found]
    if missing:
        raise NotFound(f"shipment {', '.join(missing)}")
    return [found[shipment_id] for shipment_id in ids]


async def read_recipient(deps: Dependencies, shipment: Shipment) -> shown.Recipient:
    """The recipient, whom packers need. No stored answer contains it."""
    async with deps.engine.connect() as connection:
        row = await connection.scalar(_RECIPIENT, {"id": shipment.order_id})
    return shown.Recipient.model_validate_json(row)


_RECIPIENT = text(
    """
    SELECT json_build_object('ship_to', ship_to, 'phone', phone, 'notes', (
      SELECT coalesce(json_agg(text ORDER BY at, key), '[]'::json) FROM notes
      WHERE subject = c.order_id))::text
    FROM contacts c WHERE order_id = :id
    """
)


_WHERE = {
    "status": "s.status = ANY(:status)",
    "location": "s.location = :location",
    "carrier": "s.carrier = :carrier",
    "order": "s.order_id = ANY(:order)",
    "created_from": "s.created_at >= :created_from",
}


async def page_of_shipments(
    deps: Dependencies,
    query: shown.ShipmentQuery,
    position: tuple[datetime, str] | None,
) -> list[Shipment]:
    """One more than the page holds, oldest first: what waits longest comes first."""
    conditions, parameters = ["true"], dict[str, object]()
    wanted = query.model_dump(include={*_WHERE}, exclude_none=True)
    if query.order is not None:
        wanted["order"] = await orders_named(deps, query.order)
    for name, value in wanted.items():
        if value != [] or name == "order":
            conditions.append(_WHERE[name])
            parameters[name] = value
    if position is not None:
        conditions.append("(s.created_at, s.id) > (:at, :id)")
        parameters |= {"at": position[0], "id": position[1]}
    parameters["rows"] = query.limit + 1
    which = " AND ".join(conditions) + " ORDER BY s.created_at, s.id LIMIT :rows"
    return await _read(deps, which, parameters)


async def shipments_to_pick(
    deps: Dependencies, location: str, rows: int
) -> list[Shipment]:
    """Parcels that may be packed at a location and are not picked yet, oldest first."""
    return await _read(deps, _TO_PICK, {"location": location, "rows": rows})


_TO_PICK = """
    s.location = :location AND s.status = 'ready' AND s.parcel IS NULL
    AND s.cancel_wanted IS NULL AND NOT o.unscreened
    AND NOT EXISTS (SELECT FROM holds h WHERE h.root = s.order_id
      AND h.released_at IS NULL AND h.subject IN (s.id, s.order_id))
    ORDER BY s.created_at, s.id LIMIT :rows
"""


async def _read(
    deps: Dependencies, which: str, parameters: Mapping[str, object]
) -> list[Shipment]:
    statement = text(SHIPMENTS.format(which=which))
    async with deps.engine.connect() as connection:
        rows = await connection.scalars(statement, parameters)
        return [Shipment.model_validate_json(row) for row in rows]


SHIPMENTS = """
SELECT row_to_json(whole)::text FROM (
  SELECT s.*,
    o.number, o.shipping_method,
    (SELECT json_agg(i ORDER BY i.line) FROM (
       SELECT l.line, l.sku, l.name, i.qty
       FROM shipment_lines i JOIN order_lines l USING (order_id, line)
       WHERE i.shipment_id = s.id AND i.qty > 0) i) AS lines,
    (SELECT json_agg(k ORDER BY k.number) FROM packages k
     WHERE k.shipment_id = s.id) AS further,
    (SELECT json_agg(DISTINCT h.reason) FROM holds h
     WHERE h.root = s.order_id AND h.released_at IS NULL
       AND h.subject IN (s.id, s.order_id)) AS on_hold
  FROM shipments s JOIN orders o ON o.id = s.order_id WHERE {which}
) whole
"""
