"""Holds over HTTP: the operators' work queue."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from api.http.paging import ListQuery
from api.http.schemas import (
    LineQuantity,
    Lines,
    Note,
    Request,
    Subject,
    View,
    Word,
    examples,
)

DecisionWord = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]


class Assignment(Request):
    """`null` gives the hold back to everybody."""

    assignee: Subject | None

    model_config = examples({"assignee": "grace"})


class DecisionParams(Request):
    """`lines` with `cancel_lines` cancels these units alone. Any remaining shortage
    opens a new stock hold."""

    lines: Lines[LineQuantity]


class Release(Request):
    """A hold lists in `decisions` what it allows."""

    decision: DecisionWord
    note: Note
    params: DecisionParams | None = None

    model_config = examples({"decision": "approve", "note": "Known customer."})


class HoldQuery(ListQuery):
    """`overdue=true`: due and not decided, or decided too late. `subject`: an order,
    shipment or refund."""

    state: Literal["open", "decided"] = "open"

    reason: Word | None = None
    assignee: Subject | None = None
    overdue: bool | None = None
    subject: Word | None = None


class StoredHold(View):
    id: str
    process: str
    subject: str
    root: str
    reason: str
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


class Hold(StoredHold):
    """`root` is the subject of `process` whose timeline names the hold; `order_id` is
    the same under its older name. `decider` is the scope that decides. At `due_at` the
    hold is decided as `silence`, or escalated where that is null."""

    order_id: str
    decisions: list[str]
    decider: str
    silence: str | None


class HoldToDecide(Hold):
    """`barred` lists who caused the hold and therefore cannot decide it
    (`four-eyes`)."""

    barred: list[str]
