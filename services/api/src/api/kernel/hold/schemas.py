"""Holds over HTTP: the operators' work queue."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field
from shared.contracts.orders.states import Decision, HoldReason

from api.http.paging import ListQuery, Moment
from api.http.schemas import LineQuantity, Lines, Note, Request, Subject, View, Word

if TYPE_CHECKING:
    ByPerson = Decision
else:
    # A hold whose cause went away settles itself: nobody is offered to decide that.
    ByPerson = Annotated[
        Literal[tuple(d.value for d in Decision if d is not Decision.SETTLED)],
        AfterValidator(Decision),
    ]


class NewHold(Request):
    """Keep an order from going on. Without `due_at` it waits until it is released."""

    note: Note
    due_at: Annotated[Moment, Field(strict=False)] | None = None

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"note": "The customer called."}]}
    )


class Assignment(Request):
    """`null` gives the hold back to everybody."""

    assignee: Subject | None

    model_config = ConfigDict(json_schema_extra={"examples": [{"assignee": "grace"}]})


class DecisionParams(Request):
    """`lines` with `cancel_lines`: these units alone, and of what else is missing it is
    asked again."""

    lines: Lines[LineQuantity]


class Release(Request):
    """The decisions that a hold allows are in its `decisions`."""

    decision: ByPerson
    note: Note
    params: DecisionParams | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"decision": "approve", "note": "Known customer."}]
        }
    )


class HoldQuery(ListQuery):
    """`overdue=true`: due and not decided, or decided too late. `subject`: an order,
    shipment or refund."""

    state: Literal["open", "decided"] = "open"

    reason: HoldReason | None = None
    assignee: Subject | None = None
    overdue: bool | None = None
    subject: Word | None = None


class Hold(View):
    """`order_id` is the order whose timeline tells of it."""

    id: str
    subject: str
    order_id: str
    reason: HoldReason
    decisions: list[Decision]
    detail: dict[str, Any]
    placed_by: str
    placed_at: datetime
    remind_at: datetime | None
    due_at: datetime | None
    escalated_at: datetime | None
    assignee: str | None
    released_at: datetime | None
    decision: str | None
    decided_by: str | None
    note: str | None
