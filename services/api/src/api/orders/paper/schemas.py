"""The warehouse's paper over HTTP."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.http.schemas import View
from api.orders.shipment.schemas import ShipmentId, ShipmentLine, ShipmentShipping

MOST_PARCELS = 50
"""Of one document: some seconds of work, a few hundred pages."""


class ParcelsQuery(BaseModel):
    """Repeat `shipment` for several parcels; a repeated id counts once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shipment: Annotated[list[ShipmentId], Field(min_length=1, max_length=MOST_PARCELS)]

    @property
    def ids(self) -> list[str]:
        return list(dict.fromkeys(self.shipment))


class PickListQuery(BaseModel):
    """`limit`: parcels on the list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=MOST_PARCELS)] = 20


class PickItem(View):
    """Units of a SKU to fetch, for all parcels of the list."""

    sku: str
    name: str
    quantity: int


class PickParcel(View):
    id: str
    order_id: str
    order_number: int
    shipping: ShipmentShipping
    lines: list[ShipmentLine]
    created_at: datetime


class PickList(View):
    """The parcels that have waited longest, of confirmed orders without a hold. `more`:
    further parcels wait."""

    location: str
    name: str
    items: list[PickItem]
    shipments: list[PickParcel]
    more: bool
