"""Breaks refunds down into goods, shipping and goodwill, to the cent. Pure.

M1 at every commit: what the providers hold is goods and shipping that are paid for and
not credited, less `goodwill`, and what was deducted from the price of worn goods. So
whatever is given back beyond its price is added to `goodwill`, and whatever can no
longer be given back is taken off it; a deduction stays with the shop.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.contracts.errors import Refusal
from shared.contracts.money import half_up, share
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import ShipmentStatus
from shared.contracts.orders.tax import of_goodwill
from shared.database.orders.snapshot import OrderSnapshot, Refund, Shipment


@dataclass(frozen=True)
class RefundBreakdown:
    """Minor units. `goodwill` is below zero where the lines' price is more than is
    left to pay back: the customer had that part before. `deductions` are what is kept
    of the price of lines, whose units count as paid back."""

    lines: Mapping[int, int]
    goods: int = 0
    shipping: int = 0
    goodwill: int = 0
    deductions: Mapping[int, int] = field(default_factory=dict)

    @property
    def deducted(self) -> int:
        return sum(self.deductions.values())

    @property
    def amount(self) -> int:
        return self.goods + self.shipping + self.goodwill - self.deducted


def wished(
    order: OrderSnapshot,
    lines: Mapping[int, int],
    *,
    shipping: bool = False,
    goodwill: int = 0,
) -> RefundBreakdown:
    """The breakdown of a refund that a person wants. Raises `Refusal`
    exceeds-refundable."""
    there = all(
        units <= order.line(number).creditable for number, units in lines.items()
    )
    due = RefundBreakdown(
        lines,
        goods=_price(order, lines),
        shipping=order.shipping_creditable if shipping else 0,
        goodwill=goodwill + _rounding(order, lines),
    )
    if (
        not there
        or (shipping and not due.shipping)
        or not 0 < due.amount <= order.refundable
    ):
        raise Refusal(
            "exceeds-refundable",
            "More than was paid cannot be paid back.",
            refundable=order.refundable,
        )
    return due


def owed(
    order: OrderSnapshot,
    lines: Mapping[int, int],
    *,
    shipping: int = 0,
    paid_too_much: int | None = None,
    deductions: Mapping[int, int] | None = None,
) -> RefundBreakdown:
    """The breakdown for goods that were cancelled or came back, limited to what is
    left, because part of it may have been refunded before; earlier deductions are not
    left. `paid_too_much`: money paid ahead that the rest of the order does not need;
    unless given, it is refunded with the goods. `deductions` are kept of the price of
    lines. Raises `Refusal` deduction-exceeds-value."""
    left = {
        number: min(units, order.line(number).creditable)
        for number, units in lines.items()
    }
    left = {number: units for number, units in left.items() if units}
    shipping = min(shipping, order.shipping_creditable)
    goods = _price(order, left)
    rounding = _rounding(order, left) if paid_too_much is None else paid_too_much
    due = goods + shipping + rounding
    missing = max(0, due - max(0, order.refundable - order.deducted))
    kept = {number: amount for number, amount in (deductions or {}).items() if amount}
    _check_deductions(order, left, kept, most=due - missing)
    return RefundBreakdown(left, goods, shipping, rounding - missing, kept)


def _check_deductions(
    order: OrderSnapshot,
    credited: Mapping[int, int],
    deductions: Mapping[int, int],
    *,
    most: int,
) -> None:
    """Check the deductions: no line falls below zero, and no refund is negative
    (`most`)."""
    for number, amount in deductions.items():
        value = order.line(number).price_to_credit(credited.get(number, 0))
        if amount > value:
            raise Refusal(
                "deduction-exceeds-value",
                "More than what the accepted units cost cannot be kept.",
                line=number,
                most=value,
            )
    if sum(deductions.values()) > most:
        raise Refusal(
            "deduction-exceeds-value",
            "More than would be paid back cannot be kept.",
            most=most,
        )


def credited_line(
    order: OrderSnapshot, due: RefundBreakdown, number: int
) -> dict[str, int]:
    """The refund for a line and the tax in it, less the line's deduction, which has the
    same share of both."""
    line, units = order.line(number), due.lines[number]
    price, tax = line.price_to_credit(units), line.tax_to_credit(units)
    kept = due.deductions.get(number, 0)
    paid = {
        "line": number,
        "quantity": units,
        "amount": price - kept,
        "tax": tax - (half_up(kept * tax, price) if kept else 0),
    }
    return paid | ({"deduction": kept} if kept else {})


def tax_of(order: OrderSnapshot, due: RefundBreakdown) -> int:
    """The tax within what is due, of an order as it was before. Of refunds that credit
    all of an order it sums to the order's, less the tax of what was deducted."""
    return (
        sum(credited_line(order, due, number)["tax"] for number in due.lines)
        + shipping_tax_of(order, due)
        + of_goodwill(due.goodwill, order.goodwill, order.tax, order.total)
    )


def shipping_tax_of(order: OrderSnapshot, due: RefundBreakdown) -> int:
    """The tax within the shipping that is due."""
    if not due.shipping:
        return 0
    return share(
        order.shipping_tax, order.shipping, order.shipping_credited, due.shipping
    )


def shipping_owed(
    order: OrderSnapshot,
    accepted: Mapping[int, int] | None = None,
    *,
    given_up: Shipment | None = None,
) -> int:
    """The shipping that is refunded: only with the last of the goods, because a
    customer who keeps any has used the parcel (as for a withdrawal from a whole
    contract, directive 2011/83/EU, article 13). `accepted` units are coming back with
    this receipt; `given_up` is a parcel that the customer does not have, whatever was
    reported before."""
    kept = Counter[int]()
    for shipment in order.shipments:
        if _is_kept(order, shipment, given_up):
            kept.update({item.line: item.qty for item in shipment.lines})
    for return_ in order.returns:
        kept.subtract({item.line: item.accepted or 0 for item in return_.lines})
    kept.subtract(accepted or {})
    return 0 if order.open_units or +kept else order.shipping_creditable


def _is_kept(
    order: OrderSnapshot, shipment: Shipment, given_up: Shipment | None
) -> bool:
    """Whether the customer keeps it, or nobody has decided yet."""
    if shipment.status is ShipmentStatus.DELIVERED:
        return shipment is not given_up
    asked = order.hold(HoldReason.DELIVERY, shipment.id) is not None
    on_its_way = shipment.status is ShipmentStatus.SHIPPED
    return (asked or on_its_way) and shipment is not given_up


def undone(order: OrderSnapshot, refund: Refund, given_up: int) -> RefundBreakdown:
    """The breakdown that taking a refund back returns to the order; `given_up` of it
    was not paid out. Units have their current price, which other credits in between may
    have changed by a cent; that cent is goodwill, too. Deductions end with it."""
    lines = {item["line"]: item["quantity"] for item in refund.lines}
    goods = sum(
        line.price_after(line.credited - units, units)
        for line, units in ((order.line(n), units) for n, units in lines.items())
    )
    kept = sum(refund.deductions.values())
    goodwill = given_up - goods - refund.shipping + kept
    return RefundBreakdown(lines, goods, refund.shipping, goodwill, refund.deductions)


def _price(order: OrderSnapshot, lines: Mapping[int, int]) -> int:
    return sum(order.line(n).price_to_credit(units) for n, units in lines.items())


def _rounding(order: OrderSnapshot, lines: Mapping[int, int]) -> int:
    """A cent that a refund left when it was taken back goes with the next goods."""
    return order.paid_too_much if lines else 0
