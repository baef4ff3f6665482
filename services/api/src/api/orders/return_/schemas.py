"""Returns over HTTP: goods that come back."""

from datetime import datetime
from typing import Annotated

from pydantic import Field
from shared.contracts.orders.states import Disposition, ReturnStatus

from api.http.paging import ListQuery, Moment
from api.http.schemas import (
    Category,
    LineNumber,
    LineQuantity,
    Lines,
    Money,
    Note,
    Request,
    View,
    Word,
    examples,
)
from api.orders.order.schemas import OrderHold


class SentBackLine(LineQuantity):
    """`reason` is your own category, such as `does-not-fit`."""

    reason: Category


class NewReturn(Request):
    lines: Lines[SentBackLine]
    note: Note | None = None

    model_config = examples(
        {"lines": [{"line": 1, "quantity": 1, "reason": "does-not-fit"}]}
    )


class ReturnDecision(Request):
    note: Note | None = None

    model_config = examples({"note": "Agreed."})


class ReturnReceiptLine(Request):
    """`accepted` units are refunded. `restock` returns units to the stock, `quarantine`
    sets them aside for a check, `discard` writes them off. `deduction` is kept of the
    price of the accepted units, because they came back worn or damaged."""

    line: LineNumber
    accepted: Annotated[int, Field(ge=0, le=1_000_000)]
    disposition: Annotated[Disposition, Field(strict=False)]
    deduction: Money | None = None


class ReturnReceipt(Request):
    """Lines that are not named did not come back. `location` is where the goods are
    now, by default where they were shipped from."""

    location: Word | None = None
    lines: Lines[ReturnReceiptLine]

    model_config = examples(
        {"lines": [{"line": 1, "accepted": 1, "disposition": "restock"}]}
    )


class ReturnQuery(ListQuery):
    """`status` may be repeated; an `order` goes by its id, number or reference."""

    status: Annotated[list[ReturnStatus], Field(default_factory=list, max_length=10)]
    order: Word | None = None
    created_from: Moment | None = None


class ReturnLine(View):
    """`accepted`, `disposition` and `deduction` are known once the goods have been
    received. `deduction` was kept of the price of the accepted units."""

    line: int
    sku: str
    name: str
    quantity: int
    reason: str
    accepted: int | None
    disposition: Disposition | None
    deduction: Money | None


class Return(View):
    """The goods must arrive by `due_at`. `hold`: a clerk has yet to approve it.
    `label`: there is one for the way back."""

    id: str
    order_id: str
    currency: str
    status: ReturnStatus
    lines: list[ReturnLine]
    hold: OrderHold | None
    label: bool
    tracking: str | None
    due_at: datetime | None
    refund_id: str | None
    created_at: datetime


class RefundedLine(View):
    """`quantity` units of the accepted ones are paid for and not refunded yet; `amount`
    is their price less the `deduction`."""

    line: int
    quantity: int
    amount: Money
    deduction: Money


class RefundPreview(View):
    """The refund that this receipt would lead to at present. `amount` is that of the
    `lines` and the `shipping`, less what was refunded before, plus what was captured
    beyond a price."""

    lines: list[RefundedLine]
    shipping: Money
    amount: Money
