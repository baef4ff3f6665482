"""Returns over HTTP: goods that come back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Protocol, TypeVar

from pydantic import AfterValidator, ConfigDict, Field
from shared.contracts.orders.states import Disposition, ReturnStatus

from api.orders.schemas.orders import OrderHold
from api.paging import ListQuery
from api.schemas import Category, LineNumber, LineQuantity, Note, Request, View, Word


class _OfLine(Protocol):
    @property
    def line(self) -> int: ...


L = TypeVar("L", bound=_OfLine)


def each_once(lines: Sequence[L]) -> Sequence[L]:
    if len({item.line for item in lines}) < len(lines):
        raise ValueError("must name a line only once")
    return lines


class SentBackLine(LineQuantity):
    """`reason` is a category of yours, such as `does-not-fit`."""

    reason: Category


class NewReturn(Request):
    lines: Annotated[
        list[SentBackLine],
        Field(min_length=1, max_length=500),
        AfterValidator(each_once),
    ]
    note: Note | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"lines": [{"line": 1, "quantity": 1, "reason": "does-not-fit"}]}
            ]
        }
    )


class ReturnDecision(Request):
    note: Note | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"note": "Agreed."}]})


class ReceivedLine(Request):
    """Of the units that came back, those `accepted` are paid back. `restock` puts
    them where they were sent from, `quarantine` aside until they are checked, and
    `discard` away."""

    line: LineNumber
    accepted: Annotated[int, Field(ge=0, le=1_000_000)]
    disposition: Annotated[Disposition, Field(strict=False)]


class Receipt(Request):
    """A line that is not named did not come back."""

    lines: Annotated[
        list[ReceivedLine],
        Field(min_length=1, max_length=500),
        AfterValidator(each_once),
    ]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"lines": [{"line": 1, "accepted": 1, "disposition": "restock"}]}
            ]
        }
    )


class ReturnQuery(ListQuery):
    status: ReturnStatus | None = None
    order: Word | None = None


class ReturnLine(View):
    """`accepted` and `disposition` are known once the goods have been received."""

    line: int
    sku: str
    name: str
    quantity: int
    reason: str
    accepted: int | None
    disposition: Disposition | None


class Return(View):
    """The goods are awaited until `due_at`. `hold` waits for somebody's approval."""

    id: str
    order_id: str
    status: ReturnStatus
    lines: list[ReturnLine]
    hold: OrderHold | None
    tracking: str | None
    due_at: datetime | None
    refund_id: str | None
    created_at: datetime
