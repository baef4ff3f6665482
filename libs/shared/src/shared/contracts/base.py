"""The base of all payloads. Workflow-safe: no clock, no randomness, no I/O."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ID_BODY = "[0-9a-hjkmnp-tv-z]{26}"
"""A UUIDv7 in Crockford's base32, lower case: sorts by time, has no look-alikes."""


class Payload(BaseModel):
    """Crosses a process boundary and may lie in a history for months.

    So it never changes once made, ignores fields that a newer writer added, and only
    gains fields that have defaults. It carries ids, quantities and amounts, never
    anything about a person.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


class Money(Payload):
    """An amount in the currency's minor unit: `1999` with `EUR` is 19.99 €."""

    amount: Annotated[int, Field(ge=0)]
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]


Quantity = Annotated[int, Field(gt=0, le=1_000_000)]
LineNumber = Annotated[int, Field(ge=1, le=500)]
OrderId = Annotated[str, StringConstraints(pattern=f"^ord_{ID_BODY}$")]
ShipmentId = Annotated[str, StringConstraints(pattern=f"^shp_{ID_BODY}$")]
PaymentId = Annotated[str, StringConstraints(pattern=f"^pay_{ID_BODY}$")]
RefundId = Annotated[str, StringConstraints(pattern=f"^ref_{ID_BODY}$")]
ReturnId = Annotated[str, StringConstraints(pattern=f"^ret_{ID_BODY}$")]
HoldId = Annotated[str, StringConstraints(pattern=f"^hld_{ID_BODY}$")]
ExportId = Annotated[str, StringConstraints(pattern=f"^exp_{ID_BODY}$")]
CommandKey = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""Names one command of one caller. The same key takes effect once."""
Actor = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""Who did it: a token's subject, or the name of the process itself."""


class LineQuantity(Payload):
    """`quantity` units of the order's line number `line`."""

    line: LineNumber
    quantity: Quantity
