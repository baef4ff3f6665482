"""Locations over HTTP."""

from typing import Annotated

from pydantic import Field

from api.http.paging import ListQuery
from api.http.schemas import Address, Line, Request, View, examples

Priority = Annotated[int, Field(ge=0, le=1_000_000)]
SafetyStock = Annotated[int, Field(ge=0, le=1_000_000)]


class LocationBody(Request):
    """Sourcing takes an order's goods from as few locations as possible; among equals
    from the lowest `priority`, then from the destination's country (by `address`).
    `safety_stock` units of each SKU stay at the location, although people may still
    move a parcel there. A location that is not `active` gets no new parcels and no
    bookings; parcels that wait there are packed or moved."""

    name: Line
    address: Address | None = None
    active: bool = True
    priority: Priority = 100
    safety_stock: SafetyStock = 0

    model_config = examples(
        {
            "name": "Berlin, Example Street",
            "address": {
                "name": "Example Shop",
                "street": "Example Street 1",
                "city": "Berlin",
                "postal_code": "10115",
                "country": "DE",
            },
            "active": True,
            "priority": 10,
            "safety_stock": 2,
        }
    )


class LocationQuery(ListQuery):
    active: bool | None = None


class Location(View):
    code: str
    name: str
    address: Address | None
    active: bool
    priority: int
    safety_stock: int
