"""The payloads between API, workflows and activities: ids, quantities, amounts."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.contracts.base import (
    Actor,
    CommandKey,
    ExportId,
    HoldId,
    LineNumber,
    LineQuantity,
    OrderId,
    Payload,
    PaymentId,
    RefundId,
    ReturnId,
    ShipmentId,
)
from shared.contracts.orders.holds import Decision, HoldReason
from shared.contracts.orders.states import (
    Disposition,
    MoneyStatus,
    OrderStatus,
    RefundReason,
    ReturnStatus,
    ShipmentStatus,
)

# ── who is meant ────────────────────────────────────────────────────────────────


class OrderRef(Payload):
    order_id: OrderId


class ShipmentRef(Payload):
    order_id: OrderId
    shipment_id: ShipmentId


class PaymentRef(Payload):
    order_id: OrderId
    payment_id: PaymentId


class RefundRef(Payload):
    order_id: OrderId
    refund_id: RefundId


class ReturnRef(Payload):
    order_id: OrderId
    return_id: ReturnId


class ExportRef(Payload):
    export_id: ExportId


class HoldRef(Payload):
    order_id: OrderId
    hold_id: HoldId


class Command(Payload):
    """A command. `key` names it: a repeat gets the first answer."""

    order_id: OrderId
    key: CommandKey
    actor: Actor


# ── commands on an order ────────────────────────────────────────────────────────


class Cancel(Command):
    """Cancel `lines`, or all that has not shipped when there are none.

    `reason` is the caller's category (`customer-request`), not free text.
    """

    lines: tuple[LineQuantity, ...] = ()
    reason: Annotated[str, Field(max_length=100)]


class Cancelled(Payload):
    """`pending`: a parcel's payment is at the provider. The order's workflow cancels
    as soon as its outcome is known."""

    cancelled: tuple[LineQuantity, ...]
    refund_id: RefundId | None = None
    pending: bool = False


class Pay(Command):
    """Try this payment method; `payment_id` was chosen by the caller."""

    payment_id: PaymentId


class ReleaseHold(Command):
    hold_id: HoldId
    decision: Decision
    lines: tuple[LineQuantity, ...] = ()


class PlaceHold(Command):
    hold_id: HoldId
    due_at: datetime | None = None


class Parcel(Payload):
    """Weight in grams, edges in millimetres."""

    weight_g: Annotated[int, Field(gt=0, le=70_000)]
    length_mm: Annotated[int, Field(gt=0, le=3_000)]
    width_mm: Annotated[int, Field(gt=0, le=3_000)]
    height_mm: Annotated[int, Field(gt=0, le=3_000)]


class Pack(Command):
    """Pack what was picked: fewer units than planned are a short pick, but for those
    that are packed `later`. `further` are the packages beside the first."""

    shipment_id: ShipmentId
    lines: tuple[LineQuantity, ...]
    parcel: Parcel
    further: tuple[Parcel, ...] = ()
    later: tuple[LineQuantity, ...] = ()


class Ship(Command):
    """The parcel left. A `manual` carrier's name and number are given here."""

    shipment_id: ShipmentId
    carrier: Annotated[str, Field(max_length=100)] | None = None
    tracking: Annotated[str, Field(max_length=100)] | None = None


class Move(Command):
    """Send it from another location: what is in it is reserved there instead."""

    shipment_id: ShipmentId
    location: Annotated[str, Field(max_length=100)]


class Relabel(Command):
    """Replace the label of a package. With a carrier or a number the package goes by
    hand with these; else all labels are bought again, for `parcels` if some are
    given."""

    shipment_id: ShipmentId
    package: Annotated[int, Field(ge=1)] = 1
    carrier: Annotated[str, Field(max_length=100)] | None = None
    tracking: Annotated[str, Field(max_length=100)] | None = None
    parcels: tuple[Parcel, ...] = ()


class Deliver(Command):
    """A person reports that the parcel has arrived. Without `at`: at this moment."""

    shipment_id: ShipmentId
    at: datetime | None = None


class CancelShipment(Command):
    """Take this parcel apart: its units are planned anew, and what was paid for them
    pays for the new parcel."""

    shipment_id: ShipmentId


class RequestRefund(Command):
    """Pay back `lines`, what is left of the shipping, and `goodwill` in minor units.
    `refund_id` was chosen by the caller."""

    refund_id: RefundId
    reason: RefundReason
    lines: tuple[LineQuantity, ...] = ()
    shipping: bool = False
    goodwill: Annotated[int, Field(ge=0)] = 0


class ReturnedLine(LineQuantity):
    """`reason` is the caller's category (`does-not-fit`), not free text."""

    reason: Annotated[str, Field(max_length=100)]


class RequestReturn(Command):
    """Send `lines` back. `return_id` was chosen by the caller."""

    return_id: ReturnId
    lines: tuple[ReturnedLine, ...]


class DecideReturn(Command):
    """Release the return's approval hold, whichever it is."""

    return_id: ReturnId
    approved: bool


class ReceivedLine(Payload):
    """Units of a line that came back as they should, and what becomes of them.
    `deduction`, in minor units, is kept of their price, since they came back worn."""

    line: LineNumber
    accepted: Annotated[int, Field(ge=0)]
    disposition: Disposition
    deduction: Annotated[int, Field(ge=0)] = 0


class ReceiveReturn(Command):
    """The goods have arrived. A line that is not named did not. Without `location` they
    are where they were sent from."""

    return_id: ReturnId
    lines: tuple[ReceivedLine, ...]
    location: Annotated[str, Field(max_length=100)] | None = None


# ── what the workflows know of an order: read from PostgreSQL, never kept ──────


class OpenHold(Payload):
    """Due times in UTC; without `due_at` there is no deadline."""

    hold_id: HoldId
    reason: HoldReason
    subject: str
    remind_at: datetime | None = None
    due_at: datetime | None = None
    reminded: bool = False
    escalated: bool = False


class ParcelState(Payload):
    """All that decides the next step of a parcel."""

    shipment_id: ShipmentId
    status: ShipmentStatus
    payable: bool = False
    """Picked, not on hold, and an authorisation holds enough."""
    paying: bool = False
    """Its capture is open: it may be at the provider."""
    labellable: bool = False
    """Paid and not on hold, so that the label can be bought."""
    to_void: bool = False
    """One of its unused labels is still valid at the carrier."""
    watch_until: datetime | None = None
    """When a missing scan opens a hold."""
    cancel_wanted: bool = False
    """Is taken apart as soon as the outcome of its capture is known."""


class RefundState(Payload):
    """`to_settle`: the provider has yet to be asked, or to finish."""

    refund_id: RefundId
    status: MoneyStatus
    to_settle: bool
    on_hold: bool
    holds: tuple[OpenHold, ...] = ()


class OrderState(Payload):
    """Everything that decides the next steps of an order, in one small payload. Amounts
    are minor units of the order's currency.

    `short` counts units that are neither reserved nor shipped nor cancelled;
    `uncovered` is the amount still to be captured that no authorisation covers.
    `parcels` and `refunds` (of cancellations) are those with something left to do.
    """

    order_id: OrderId
    status: OrderStatus
    allocated: bool
    short: int = 0
    unplanned: int = 0
    open_units: int = 0
    uncovered: int = 0
    holds: tuple[OpenHold, ...] = ()
    parcels: tuple[ParcelState, ...] = ()
    authorizing: PaymentId | None = None
    surplus_payments: tuple[PaymentId, ...] = ()
    refunds: tuple[RefundState, ...] = ()
    renew_at: datetime | None = None
    cancel_wanted: bool = False
    unscreened: bool = False
    """Its address or its contact has changed since it was screened."""


class CancelledOrder(Payload):
    """The units that were cancelled, and the order after that."""

    cancelled: Cancelled
    state: OrderState


class OrderEnd(Payload):
    status: OrderStatus


class RefundEnd(Payload):
    succeeded: bool


class ReturnState(Payload):
    """All that decides the next step of a return. The goods are awaited until
    `due_at`, which is set once it is known how they are sent; `refund` is what is
    still to be paid back for them."""

    return_id: ReturnId
    status: ReturnStatus
    holds: tuple[OpenHold, ...] = ()
    remind_at: datetime | None = None
    due_at: datetime | None = None
    refund: RefundId | None = None


class ReturnEnd(Payload):
    """No `status`: the request was refused."""

    status: ReturnStatus | None


class StockRef(Payload):
    sku: Annotated[str, Field(max_length=64)]


class WaitingOrders(Payload):
    """Orders that lack units of `sku` while some are free, oldest first."""

    sku: Annotated[str, Field(max_length=64)]
    orders: tuple[OrderId, ...] = ()


class Served(Payload):
    """Units that were reserved for waiting orders."""

    units: int


class Window(Payload):
    """From `since` up to and without `until`, in UTC."""

    since: datetime
    until: datetime


class LookAgain(Payload):
    """Compare everything from `since` on: after a restore, the ledger may lack what the
    last run saw."""

    since: datetime


class Reconciled(Payload):
    """Payments that were compared up to `until`. `healed` were corrected automatically,
    `found` are new discrepancies."""

    until: datetime
    checked: int = 0
    healed: int = 0
    found: int = 0


class Swept(Payload):
    """How many subjects a part of the sweep acted on."""

    found: int


class Exported(Payload):
    """How many rows the file has; fewer than all if the export was deleted."""

    rows: int
