"""Locations over HTTP."""

from typing import Annotated

from pydantic import ConfigDict, Field

from api.http.paging import ListQuery
from api.http.schemas import Address, Line, Request, View

Priority = Annotated[int, Field(ge=0, le=1_000_000)]
SafetyStock = Annotated[int, Field(ge=0, le=1_000_000)]


class LocationBody(Request):
    """What is chosen by itself comes from as few locations as can be: of those from the
    one with the lowest `priority`, then from one in the country that the goods go to,
    which its `address` says. Of each SKU `safety_stock` units are left there; people
    may still move a parcel there. Nothing new is sent from one that is not `active`,
    and nothing is booked there: what waits there is packed, or moved."""

    name: Line
    address: Address | None = None
    active: bool = True
    priority: Priority = 100
    safety_stock: SafetyStock = 0

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
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
            ]
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
