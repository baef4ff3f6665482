"""Reads a whole order in one statement, for the steps and for the API."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict
from sqlalchemy import text

from shared.contracts.errors import NotFound
from shared.contracts.money import share
from shared.contracts.orders.holds import TOO_MANY_ATTEMPTS, HoldReason
from shared.contracts.orders.states import (
    MoneyKind,
    MoneyStatus,
    OrderStatus,
    RefundReason,
    ReturnStatus,
    ShipmentStatus,
)
from shared.database.engine import Connection

IN_HOUSE = (ShipmentStatus.READY, ShipmentStatus.PACKED)


class Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Discount(Row):
    """A discount on a line; `whole` if it is a share of a discount of the whole order.
    Minor units."""

    code: str
    reason: str | None = None
    amount: int
    whole: bool = False


class Tax(Row):
    """A tax that was given with the order, within the total of its line or shipping.
    `rate` in percent."""

    name: str
    rate: str | None = None
    amount: int


class Line(Row):
    """`total` is what it costs after its `discounts`; `price` is that of a unit before
    them. Parts of it are multiples of `step`."""

    line: int
    sku: str
    name: str
    qty: int
    total: int
    tax: int
    price: int | None = None
    discounts: tuple[Discount, ...] = ()
    step: int = 1
    tax_bp: int | None = None
    taxes: tuple[Tax, ...] = ()
    returnable: bool | None = None
    cancelled: int
    reserved: int
    captured: int
    shipped: int
    voided: int
    returned: int
    credited: int

    @property
    def short(self) -> int:
        """Units that are wanted but have no stock reserved."""
        return self.qty - self.cancelled - self.reserved - self.shipped

    @property
    def uncaptured(self) -> int:
        """Units that are wanted and not paid for yet."""
        return self.qty - self.cancelled + self.voided - self.captured

    @property
    def paid_in_house(self) -> int:
        return self.captured - self.shipped - self.voided

    @property
    def creditable(self) -> int:
        """Units that are paid for and not paid back."""
        return self.captured - self.credited

    @property
    def discount(self) -> int:
        return sum(discount.amount for discount in self.discounts)

    @property
    def price_wanted(self) -> int:
        """The price of the units that are not cancelled."""
        wanted = self.qty - self.cancelled
        return self.price_after(self.voided, wanted)

    def price_to_capture(self, units: int) -> int:
        return self.price_after(self.captured, units)

    def price_to_credit(self, units: int) -> int:
        return self.price_after(self.credited, units)

    def price_after(self, before: int, units: int) -> int:
        """The price of `units` more after `before`: docs/domain.md, M5."""
        return share(self.total, self.qty, before, units, self.step)

    def tax_to_credit(self, units: int) -> int:
        return share(self.tax, self.qty, self.credited, units)


class Reservation(Row):
    line: int
    location: str
    sku: str
    qty: int


class LedgerRow(Row):
    id: str
    kind: MoneyKind
    amount: int
    status: MoneyStatus
    ref: str
    attempt: int
    provider_ref: str | None
    failure: str | None
    created_at: datetime
    sent_at: datetime | None


class Payment(Row):
    id: str
    provider: str
    provider_ref: str | None
    method_ref: str
    customer_ref: str | None
    off_session: bool
    return_url: str | None
    next_action: dict[str, Any] | None
    multicapture: bool
    authorized: int
    capturing: int
    captured: int
    released: int
    refunding: int
    refunded: int
    disputed: int = 0
    capture_before: datetime | None
    created_at: datetime
    ledger: tuple[LedgerRow, ...] = ()

    @property
    def held(self) -> int:
        """Authorised and neither captured nor released."""
        return self.authorized - self.captured - self.released

    @property
    def refundable(self) -> int:
        return max(0, self.captured - self.refunded - self.refunding - self.disputed)

    def rows(self, kind: MoneyKind) -> list[LedgerRow]:
        return [row for row in self.ledger if row.kind is kind]

    def pending(self, kind: MoneyKind) -> LedgerRow | None:
        return next(
            (r for r in self.rows(kind) if r.status is MoneyStatus.PENDING), None
        )


class ShipmentLine(Row):
    line: int
    qty: int


class Package(Row):
    """A box of a shipment, with its label. Grams and millimetres."""

    number: int
    parcel: dict[str, int] | None
    carrier: str | None
    tracking: str | None
    label_ref: str | None
    tracking_status: str | None
    tracking_at: datetime | None
    eta: date | None


class SpoiltLabel(Row):
    ref: str
    tracking: str | None
    voided: bool


class Shipment(Row):
    """The first package is part of it; `packages` are all of them."""

    id: str
    status: ShipmentStatus
    location: str
    amount: int
    capture_id: str | None
    captured_at: datetime | None
    parcel: dict[str, int] | None
    cancel_wanted: dict[str, Any] | None
    carrier: str | None
    tracking: str | None
    tracked: bool = True
    label_ref: str | None
    tracking_status: str | None
    tracking_at: datetime | None
    eta: date | None
    created_at: datetime
    shipped_at: datetime | None
    delivered_at: datetime | None
    lines: tuple[ShipmentLine, ...] = ()
    further: tuple[Package, ...] = ()
    spoilt_labels: tuple[SpoiltLabel, ...] = ()

    @property
    def packages(self) -> tuple[Package, ...]:
        first = {
            name: getattr(self, name)
            for name in Package.model_fields.keys() - {"number"}
        }
        return (Package(number=1, **first), *self.further)

    @property
    def in_house(self) -> bool:
        return self.status in IN_HOUSE

    def units(self, line: int) -> int:
        return sum(item.qty for item in self.lines if item.line == line)


class Hold(Row):
    id: str
    subject: str
    root: str
    reason: HoldReason
    detail: dict[str, Any]
    placed_by: str
    placed_at: datetime
    remind_at: datetime | None
    reminded_at: datetime | None
    due_at: datetime | None
    escalated_at: datetime | None
    assignee: str | None
    released_at: datetime | None
    decision: str | None
    decided_by: str | None
    note: str | None


class Refund(Row):
    id: str
    return_id: str | None
    reason: RefundReason
    amount: int
    shipping: int
    goodwill: int
    tax: int | None = None
    shipping_tax: int | None = None
    status: MoneyStatus
    lines: tuple[dict[str, int], ...]
    requested_by: str
    approved_by: str | None
    created_at: datetime

    @property
    def deductions(self) -> dict[int, int]:
        """The sum deducted from lines that came back worn."""
        kept = {item["line"]: item.get("deduction", 0) for item in self.lines}
        return {line: amount for line, amount in kept.items() if amount}


class ReturnLine(Row):
    line: int
    qty: int
    reason: str
    accepted: int | None
    disposition: str | None
    deduction: int = 0
    """The sum deducted from the accepted units' price."""


class Return(Row):
    id: str
    status: ReturnStatus
    tracking: str | None
    label_ref: str | None
    due_at: datetime | None
    remind_at: datetime | None
    requested_by: str
    created_at: datetime
    lines: tuple[ReturnLine, ...] = ()


class OrderSnapshot(Row):
    """An order as it is in one moment, with its open holds. Minor units."""

    id: str
    number: int
    external_ref: str | None
    customer: str
    status: OrderStatus
    payment_status: str
    fulfillment_status: str
    reason: str | None
    currency: str
    shipping_method: str
    shipping_carrier: str | None = None
    shipping_service: str | None = None
    shipping_name: str | None = None
    shipping: int
    shipping_tax: int = 0
    shipping_tax_bp: int | None = None
    shipping_taxes: tuple[Tax, ...] = ()
    tax_treatment: str = "included"
    shipping_captured: int
    shipping_credited: int
    goodwill: int
    deducted: int = 0
    """The sum deducted from goods that came back worn. It is no goodwill: it pays for
    nothing, and no refund returns it."""
    total: int
    ship_partial: bool
    cancel_wanted: dict[str, Any] | None
    metadata: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime
    allocated: bool
    """The first attempt to reserve stock has been made."""
    approved: bool
    """A person has approved the order, so that it is not screened again."""
    unscreened: bool = False
    """Something has changed since it was screened or approved."""
    lines: tuple[Line, ...]
    reservations: tuple[Reservation, ...] = ()
    payments: tuple[Payment, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    holds: tuple[Hold, ...] = ()
    refunds: tuple[Refund, ...] = ()
    returns: tuple[Return, ...] = ()

    def line(self, number: int) -> Line:
        for line in self.lines:
            if line.line == number:
                return line
        raise NotFound(f"line {number}")

    def shipment(self, shipment_id: str) -> Shipment:
        return _by_id(self.shipments, shipment_id, "shipment")

    def payment(self, payment_id: str) -> Payment:
        return _by_id(self.payments, payment_id, "payment")

    def refund(self, refund_id: str) -> Refund:
        return _by_id(self.refunds, refund_id, "refund")

    def return_(self, return_id: str) -> Return:
        return _by_id(self.returns, return_id, "return")

    def hold(self, reason: HoldReason, subject: str | None = None) -> Hold | None:
        """The open hold of this reason, of the order itself unless a subject is
        given."""
        return next(
            (
                hold
                for hold in self.holds
                if hold.reason is reason and hold.subject == (subject or self.id)
            ),
            None,
        )

    def in_returns(self) -> dict[int, int]:
        """Units by line that have come back or may. Received returns count as far as
        they were accepted: the rest may still come."""
        units: dict[int, int] = {}
        for return_ in self.returns:
            if return_.status in (ReturnStatus.REJECTED, ReturnStatus.EXPIRED):
                continue
            for item in return_.lines:
                taken = item.qty if item.accepted is None else item.accepted
                units[item.line] = units.get(item.line, 0) + taken
        return units

    @property
    def short(self) -> int:
        return sum(line.short for line in self.lines)

    @property
    def open_units(self) -> int:
        """Units that have neither left nor been cancelled."""
        return sum(line.short + line.reserved for line in self.lines)

    @property
    def payment_stopped(self) -> bool:
        """Payment was tried too often: only a person of the shop lets it continue."""
        hold = self.hold(HoldReason.PAYMENT)
        return hold is not None and hold.detail.get("cause") == TOO_MANY_ATTEMPTS

    @property
    def shipping_due(self) -> int:
        """Shipping is paid with the first parcel."""
        wanted = any(line.uncaptured for line in self.lines)
        return self.shipping - self.shipping_captured if wanted else 0

    @property
    def tax(self) -> int:
        """The tax included in `total`."""
        return sum(line.tax for line in self.lines) + self.shipping_tax

    @property
    def discount(self) -> int:
        """The discounts on the goods."""
        return sum(line.discount for line in self.lines)

    @property
    def wanted(self) -> int:
        """The price of what is not cancelled, and of sending it."""
        goods = sum(line.price_wanted for line in self.lines)
        kept = any(line.qty > line.cancelled for line in self.lines)
        return goods + (self.shipping if kept else 0)

    @property
    def price_left(self) -> int:
        """The price of what is wanted and not paid for yet."""
        if self.status is OrderStatus.CANCELLED:
            return 0
        goods = sum(line.price_to_capture(line.uncaptured) for line in self.lines)
        return goods + self.shipping_due

    @property
    def to_capture(self) -> int:
        return max(0, self.price_left - self.paid_ahead)

    @property
    def paid_ahead(self) -> int:
        """Money that was taken beyond the price of what it was taken for."""
        return max(0, -self.goodwill)

    @property
    def paid_too_much(self) -> int:
        """The part of it that the rest of the order does not need."""
        return max(0, self.paid_ahead - self.price_left)

    @property
    def shipping_creditable(self) -> int:
        return self.shipping_captured - self.shipping_credited

    @property
    def captured(self) -> int:
        return sum(payment.captured for payment in self.payments)

    @property
    def refunded(self) -> int:
        return sum(payment.refunded for payment in self.payments)

    @property
    def refundable(self) -> int:
        return sum(payment.refundable for payment in self.payments)

    def planned(self, line: int, location: str) -> int:
        """Units of a line that wait in parcels of this location."""
        return sum(
            shipment.units(line)
            for shipment in self.shipments
            if shipment.in_house and shipment.location == location
        )

    def unplanned(self) -> Iterator[tuple[Reservation, int]]:
        """Reservations with units that are in no parcel yet."""
        for reservation in self.reservations:
            units = reservation.qty - self.planned(
                reservation.line, reservation.location
            )
            if units > 0:
                yield reservation, units


class _Named(Protocol):
    @property
    def id(self) -> str: ...


N = TypeVar("N", bound=_Named)


def _by_id(rows: Sequence[N], row_id: str, kind: str) -> N:
    for row in rows:
        if row.id == row_id:
            return row
    raise NotFound(f"{kind} {row_id}")


# No rows are an empty list here, not NULL: a validator that turned one into the other
# took two thirds of reading an order.
_SNAPSHOT = """
SELECT row_to_json(whole)::text FROM (
  SELECT o.*,
    {decided},
    (SELECT json_agg(l ORDER BY l.line) FROM order_lines l
     WHERE l.order_id = o.id) AS lines,
    {reservations} AS reservations,
    (SELECT coalesce(json_agg(p ORDER BY p.id), '[]') FROM (
       SELECT p.*, {ledger} AS ledger
       FROM payments p WHERE p.order_id = o.id) p) AS payments,
    (SELECT coalesce(json_agg(s ORDER BY s.id), '[]') FROM (
       SELECT s.*, (SELECT json_agg(i ORDER BY i.line)
         FROM shipment_lines i WHERE i.shipment_id = s.id) AS lines,
         (SELECT coalesce(json_agg(k ORDER BY k.number), '[]')
         FROM packages k WHERE k.shipment_id = s.id) AS further
       FROM shipments s WHERE s.order_id = o.id) s) AS shipments,
    (SELECT coalesce(json_agg(h ORDER BY h.placed_at), '[]') FROM holds h
     WHERE h.root = o.id AND h.released_at IS NULL) AS holds,
    (SELECT coalesce(json_agg(f ORDER BY f.id), '[]') FROM refunds f
     WHERE f.order_id = o.id) AS refunds,
    (SELECT coalesce(json_agg(t ORDER BY t.id), '[]') FROM (
       SELECT t.*, (SELECT json_agg(i ORDER BY i.line)
         FROM return_lines i WHERE i.return_id = t.id) AS lines
       FROM returns t WHERE t.order_id = o.id) t) AS returns
  FROM orders o WHERE {which}
) whole
"""
_WHOLE = {
    "decided": """
    EXISTS (SELECT FROM applied WHERE key = o.id || '\\:reserve') AS allocated,
    EXISTS (SELECT FROM holds h WHERE h.root = o.id AND h.subject = o.id
              AND h.reason = 'approval'
            AND h.decision = 'approve') AS approved""",
    "reservations": """(SELECT coalesce(json_agg(r ORDER BY r.line, r.location), '[]')
     FROM reservations r WHERE r.order_id = o.id)""",
    "ledger": """(SELECT coalesce(json_agg(m ORDER BY m.created_at, m.attempt), '[]')
         FROM ledger m WHERE m.payment_id = p.id)""",
}
_SHOWN = {
    "decided": "false AS allocated, false AS approved",
    "reservations": "cast('[]' AS json)",
    "ledger": "cast('[]' AS json)",
}
"""For display, without whatever only the steps need."""
_ONE = text(_SNAPSHOT.format(which="o.id = :order_id", **_WHOLE))
_SOME = text(_SNAPSHOT.format(which="o.id = ANY(:ids)", **_SHOWN))


def snapshot_of(order_id: str) -> str:
    """SQL that reads the order of this id, which is SQL itself, within a statement."""
    return _SNAPSHOT.format(which=f"o.id = {order_id}", **_WHOLE)


OF_SUBJECT = snapshot_of(":subject")
"""For a unit of work, which reads the order together with the rest."""


async def read_order(connection: Connection, order_id: str) -> OrderSnapshot:
    """Raises `NotFound`."""
    row = await connection.scalar(_ONE, {"order_id": order_id})
    if row is None:
        raise NotFound(f"order {order_id}")
    return OrderSnapshot.model_validate_json(row)


async def read_orders(connection: Connection, ids: Sequence[str]) -> Sequence[str]:
    """Read these orders as JSON, which the caller parses: many large ones hold up the
    event loop. For display: without reservations, ledger and whatever only the steps
    need."""
    return await connection.scalars(_SOME, {"ids": ids})


def parse_orders(rows: Sequence[str]) -> list[OrderSnapshot]:
    """Parse what `read_orders` has read."""
    return [OrderSnapshot.model_validate_json(row) for row in rows]
