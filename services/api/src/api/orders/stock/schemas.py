"""Stock over HTTP."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from api.http.paging import ListQuery
from api.http.schemas import Many, Quantity, Request, Sku, View, Word, examples


class ReceivedLine(Request):
    sku: Sku
    quantity: Quantity


class Receipt(Request):
    """A delivery; `ref` is the number of its delivery note. A location books the same
    goods of one note once, unless they came `again`."""

    location: Word
    lines: Many[ReceivedLine]
    reason: Literal["receipt"] = "receipt"
    ref: Word
    again: bool = False

    model_config = examples(
        {
            "location": "berlin",
            "lines": [{"sku": "TEA-ASSAM", "quantity": 100}],
            "ref": "delivery-17",
        }
    )


class AdjustedLine(Request):
    """`delta` units more, or fewer if negative; or the `counted` units, reserved ones
    included."""

    sku: Sku
    delta: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None
    counted: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None


class Adjustment(Request):
    """A correction after a count, or units that are not fit for sale. `ref` says why: a
    count sheet, a damage report. Counted lines are recorded as a `count`, even without
    a difference."""

    location: Word
    lines: Many[AdjustedLine]
    reason: Literal["adjust", "write_off"] = "adjust"
    ref: Word

    model_config = examples(
        {
            "location": "berlin",
            "lines": [{"sku": "MUG-BLUE", "delta": -2}],
            "reason": "write_off",
            "ref": "count-2",
        },
        {
            "location": "berlin",
            "lines": [{"sku": "MUG-BLUE", "counted": 41}],
            "ref": "count-3",
        },
    )


class Transfer(Request):
    """Units that move from `origin` to `destination` in one booking; `ref` names the
    transport: a van, a transport order."""

    origin: Word
    destination: Word
    lines: Many[ReceivedLine]
    ref: Word

    @model_validator(mode="after")
    def _leads_elsewhere(self) -> Self:
        if self.origin == self.destination:
            raise ValueError("must lead to another location")
        return self

    model_config = examples(
        {
            "origin": "hamburg",
            "destination": "berlin",
            "lines": [{"sku": "TEA-ASSAM", "quantity": 5}],
            "ref": "van 3",
        }
    )


class StockQuery(ListQuery):
    """`below`: fewer units than this are available."""

    sku: Sku | None = None
    location: Word | None = None
    below: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None


class Stock(View):
    """`available` is what is on hand and not reserved."""

    sku: str
    location: str
    on_hand: int
    reserved: int
    available: int


class StockChanged(View):
    ref: str
    data: list[Stock]


class Movement(View):
    """One change of the stock: the stock is the sum of its movements."""

    sku: str
    location: str
    on_hand: int
    reserved: int
    reason: str
    ref: str | None
    actor: str
    at: datetime
