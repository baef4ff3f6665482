"""Shipments over HTTP: the warehouse's work."""

from datetime import date, datetime
from typing import Annotated

from pydantic import ConfigDict, Field
from shared.contracts.orders.states import ShipmentStatus

from api.http.forms import written_as
from api.http.paging import ListQuery, Moment
from api.http.problems import ProblemDocument
from api.http.schemas import (
    Address,
    LineNumber,
    Lines,
    Note,
    Request,
    View,
    Word,
    examples,
)

ShipmentId = Annotated[
    str, written_as(r"^shp_[0-9a-hjkmnp-tv-z]{26}$", "the id of a shipment: shp_…")
]


class ProblemOfOne(ProblemDocument):
    """With the members that its code adds."""

    model_config = ConfigDict(extra="allow")


class PickedLine(Request):
    """Zero units: none was found. Units packed `later` were found and go into a parcel
    of their own."""

    line: LineNumber
    quantity: Annotated[int, Field(ge=0, le=1_000_000)]
    later: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class Parcel(Request):
    """Weight in grams, edges in millimetres."""

    weight_g: Annotated[int, Field(gt=0, le=70_000)]
    length_mm: Annotated[int, Field(gt=0, le=3_000)]
    width_mm: Annotated[int, Field(gt=0, le=3_000)]
    height_mm: Annotated[int, Field(gt=0, le=3_000)]


Parcels = Annotated[list[Parcel], Field(min_length=1, max_length=50, fail_fast=True)]


class Pack(Request):
    """The picked units. Fewer than planned are a short pick, unless they are packed
    `later`. Give one `parcel` or several `parcels`."""

    lines: Lines[PickedLine]
    parcel: Parcel | None = None
    parcels: Parcels | None = None

    model_config = examples(
        {
            "lines": [{"line": 1, "quantity": 2}],
            "parcel": {
                "weight_g": 900,
                "length_mm": 300,
                "width_mm": 200,
                "height_mm": 150,
            },
        }
    )


class PackOne(Request):
    """As of one parcel; without `lines` all that was planned was picked."""

    shipment_id: ShipmentId
    lines: Lines[PickedLine] | None = None
    parcel: Parcel | None = None
    parcels: Parcels | None = None


class PackShipments(Request):
    shipments: Annotated[
        list[PackOne], Field(min_length=1, max_length=50, fail_fast=True)
    ]

    model_config = examples(
        {
            "shipments": [
                {
                    "shipment_id": f"shp_{'0' * 26}",
                    "parcel": {
                        "weight_g": 900,
                        "length_mm": 300,
                        "width_mm": 200,
                        "height_mm": 150,
                    },
                }
            ]
        }
    )


class Move(Request):
    """The location that sends the whole parcel instead."""

    location: Word
    note: Note | None = None

    model_config = examples({"location": "hamburg"})


class Ship(Request):
    """With a carrier or a number the parcel is shipped by hand, and its bought label is
    voided."""

    carrier: Word | None = None
    tracking: Word | None = None

    model_config = examples({})


class Relabel(Request):
    """With a carrier or a number, that `package` is labelled by hand and its bought
    label is voided. Without, all labels are bought again, to the current address, and
    for `parcels` if their measures were wrong."""

    package: Annotated[int, Field(ge=1, le=50)] = 1
    carrier: Word | None = None
    tracking: Word | None = None
    parcels: Parcels | None = None

    model_config = examples({"carrier": "by bike", "tracking": "BIKE-2"}, {})


class Deliver(Request):
    """The time of delivery; now, where it is not known."""

    at: Annotated[Moment, Field(strict=False)] | None = None

    model_config = examples({"at": "2026-03-02T14:30:00Z"})


class ShipmentQuery(ListQuery):
    """`status` may be repeated; an `order` goes by its id, number or reference."""

    status: Annotated[list[ShipmentStatus], Field(default_factory=list, max_length=10)]
    location: Word | None = None
    carrier: Word | None = None
    order: Word | None = None
    created_from: Moment | None = None


class ShipmentLine(View):
    line: int
    sku: str
    name: str
    quantity: int


class ShipmentShipping(View):
    method: str


class Recipient(View):
    """Where a parcel goes, with its order's notes. Empty after an erasure."""

    ship_to: Address | None
    phone: str | None
    notes: list[str]


class Package(View):
    number: int
    parcel: Parcel
    label: bool
    carrier: str | None
    tracking: str | None
    tracking_status: str | None
    eta: date | None


class Shipment(View):
    """`packed` means packed and paid, with a label. `on_hold` lists the reasons why the
    warehouse must not pack it now. Measures, label, carrier and tracking are those of
    the first of its `packages`; there are none before it is picked."""

    id: str
    order_id: str
    order_number: int
    status: ShipmentStatus
    location: str
    shipping: ShipmentShipping
    lines: list[ShipmentLine]
    parcel: Parcel | None
    packages: list[Package]
    on_hold: list[str]
    label: bool
    carrier: str | None
    tracking: str | None
    tracking_status: str | None
    eta: date | None
    created_at: datetime
    shipped_at: datetime | None
    delivered_at: datetime | None


class PackedShipment(View):
    """What packing it alone would have answered: the `shipment` with 200 or 202, or
    else the `problem`."""

    shipment_id: str
    status: int
    shipment: Shipment | None = None
    problem: ProblemOfOne | None = None


class PackedShipments(View):
    data: list[PackedShipment]


class ShipmentToPack(Shipment):
    """`recipient` is shown to packers and to readers of contacts."""

    recipient: Recipient | None
