"""Refunds over HTTP."""

from datetime import datetime
from typing import Literal, Self

from pydantic import model_validator
from shared.contracts.orders.states import MoneyStatus, RefundReason

from api.http.schemas import LineQuantity, Lines, Money, Note, Request, View, examples
from api.orders.order.schemas import LineUnits, OrderHold, TaxOfRate

StaffReason = Literal["lost", "damaged", "goodwill", "price"]
"""Cancellations and returns are refunded automatically."""


class NewRefund(Request):
    """Refunds the price of `lines`, or an `amount`; `shipping` refunds the rest of the
    shipping price, alone or with either."""

    reason: StaffReason
    lines: Lines[LineQuantity] | None = None
    amount: Money | None = None
    shipping: bool = False
    note: Note

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if self.lines and self.amount:
            raise ValueError("must name lines or an amount, not both")
        if not (self.lines or self.shipping or (self.amount and self.amount.amount)):
            raise ValueError("must name lines, an amount or the shipping")
        return self

    model_config = examples(
        {
            "reason": "goodwill",
            "amount": {"amount": 500, "currency": "EUR"},
            "note": "Arrived late.",
        }
    )


class RefundLine(LineUnits):
    """`amount` is the price of the units less the `deduction`, which was kept because
    they came back worn or damaged. It and the `tax` in it are unknown for older
    refunds."""

    amount: Money | None
    tax: Money | None
    deduction: Money


class Refund(View):
    """`amount` includes `shipping` and `tax` (unknown for older refunds); `taxes`
    splits the tax of goods and shipping by rate. `deduction` was kept of the price of
    the goods, and is in none of these. `hold`: a second person decides,
    because the refund is large or the provider refused it."""

    id: str
    order_id: str
    return_id: str | None
    status: MoneyStatus
    reason: RefundReason
    amount: Money
    shipping: Money
    shipping_tax: Money | None
    tax: Money | None
    taxes: list[TaxOfRate]
    deduction: Money
    lines: list[RefundLine]
    hold: OrderHold | None
    created_at: datetime
